/** Random commands that go from one database to another, between others: transactions, WATCH, bits, scripts. */
import type { Random } from '../support/random.ts'
import { randomBitCommand } from './bit-commands.ts'
import { randomCommand } from './commands.ts'
import { randomScriptCommand } from './script-commands.ts'
import type { Command } from './wire.ts'

/** Few, so that they meet. */
const KEYS = ['a', 'b', 'c', 'n1']
const key = (random: Random): string => random.pick(KEYS)
const database = (random: Random): string =>
  random.chance(0.95) ? String(random.below(4)) : random.pick(['15', '16', '-1', 'x', ''])
const value = (random: Random): string => random.pick(['1', '2', 'x', ''])

const COMMANDS: readonly (readonly [weight: number, make: (random: Random) => Command])[] = [
  [12, r => ['SELECT', database(r)]],
  [6, r => ['MOVE', key(r), database(r)]],
  [2, r => ['SWAPDB', database(r), database(r)]],
  [6, r => ['COPY', key(r), key(r), 'DB', database(r), ...(r.chance(0.5) ? ['REPLACE'] : [])]],
  [1, r => ['COPY', key(r), key(r), 'DB', database(r), 'REPLACE', 'DB', database(r)]],
  [1.5, r => ['FLUSHDB', ...r.pick([[], ['SYNC'], ['ASYNC']])]],
  [0.3, () => ['FLUSHALL']],
  [6, () => ['DBSIZE']],
  [3, () => ['KEYS', '*']],
  [3, () => ['SCAN', '0', 'COUNT', '1000']],
  [8, r => ['WATCH', key(r), ...(r.chance(0.3) ? [key(r)] : [])]],
  [1, () => ['UNWATCH']],
  [8, () => ['MULTI']],
  [14, () => ['EXEC']],
  [1.5, () => ['DISCARD']],
  [12, r => ['SET', key(r), value(r), ...(r.chance(0.3) ? ['EX', '100000'] : [])]],
  [8, r => ['GET', key(r)]],
  [4, r => ['INCR', key(r)]],
  [4, r => ['DEL', key(r)]],
  [3, r => ['RENAME', key(r), key(r)]],
  [3, r => ['TTL', key(r)]],
  [2, r => ['MSETNX', key(r), value(r), key(r), value(r)]],
  [1, () => ['RANDOMKEY']],
  [0.5, () => ['RESET']],
  [8, randomBitCommand],
  [12, randomScriptCommand],
  [10, randomCommand],
]

const total = COMMANDS.reduce((sum, [weight]) => sum + weight, 0)

export function randomDatabaseCommand(random: Random): Command {
  let at = (random.next() / 2 ** 32) * total
  for (const [weight, make] of COMMANDS) {
    at -= weight
    if (at < 0) return make(random)
  }
  return ['PING']
}
