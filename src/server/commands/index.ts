/** All commands by name. */
import type { Arguments } from '../protocol/request.ts'
import { admin, MEMORY_SUBCOMMANDS } from './admin.ts'
import { CLIENT_SUBCOMMANDS, clientCommands } from './client.ts'
import { COMMAND_SUBCOMMANDS, commandInfo } from './command.ts'
import { CONFIG_SUBCOMMANDS, config } from './config.ts'
import { connection } from './connection.ts'
import { counters } from './counters.ts'
import { expiry } from './expiry.ts'
import { extras } from './extras.ts'
import { FACTS } from './facts.ts'
import { keyCommands } from './keys.ts'
import { scanning } from './scan.ts'
import { strings } from './strings.ts'
import type { Subcommands } from './subcommands.ts'
import { transactions } from './transactions.ts'
import type { Command, Handlers } from './types.ts'

export type { Command } from './types.ts'

/** Executed at once, even after MULTI. */
const IMMEDIATE = new Set(['multi', 'exec', 'discard', 'watch', 'quit', 'reset'])
/** Not between BEGIN and COMMIT. */
const REFUSED = new Set([
  'begin',
  'multi',
  'exec',
  'discard',
  'watch',
  'scan',
  'randomkey',
  'compact',
  'backup',
  'watchrange',
])
/** Nothing to do with the records. */
const APART_GROUPS = new Set(['connection', 'server'])
const INSIDE = new Set(['dbsize', 'flushdb', 'flushall'])
const NOT_QUEUED = new Set(['begin', 'commit', 'rollback', 'backup', 'compact', 'watchrange'])

const handlers: Handlers = {
  ...strings,
  ...counters,
  ...keyCommands,
  ...scanning,
  ...expiry,
  ...transactions,
  ...connection,
  ...clientCommands,
  ...config,
  ...admin,
  ...commandInfo,
  ...extras,
}

const containers: Readonly<Record<string, Subcommands>> = {
  client: CLIENT_SUBCOMMANDS,
  config: CONFIG_SUBCOMMANDS,
  memory: MEMORY_SUBCOMMANDS,
  command: COMMAND_SUBCOMMANDS,
}

const inTransaction = (name: string, group: string): Command['inTransaction'] => {
  if (name === 'commit' || name === 'rollback') return 'end'
  if (REFUSED.has(name)) return 'no'
  return (APART_GROUPS.has(group) || name === 'unwatch') && !INSIDE.has(name) ? 'apart' : 'inside'
}

export const commands: ReadonlyMap<string, Command> = new Map(
  FACTS.map(fact => {
    const [name, arity, flags, firstKey, lastKey, step, categories, group, since, complexity, summary] = fact
    const command: Command = {
      name,
      arity,
      flags: flags.split(' ').filter(flag => flag !== ''),
      firstKey,
      lastKey,
      step,
      categories: categories.split(' '),
      group,
      since,
      complexity,
      summary,
      strangers: flags.includes('no_auth'),
      immediate: IMMEDIATE.has(name),
      notQueued: flags.includes('no_multi') || NOT_QUEUED.has(name),
      inTransaction: inTransaction(name, group),
      whileWatching: ['ping', 'quit', 'reset'].includes(name),
      subcommands: containers[name],
      run: handlers[name]!,
    }
    return [name, command]
  }),
)

/** Sums over the small letters of the names, so that a lookup makes no string. */
const bySum: Map<number, Command[]> = new Map()
const sumOf = (bytes: Uint8Array, start: number, end: number): number => {
  let sum = end - start
  for (let at = start; at < end; at++) sum = (sum * 31 + (bytes[at]! | 32)) | 0
  return sum
}
for (const command of commands.values()) {
  const name = Buffer.from(command.name)
  const sum = sumOf(name, 0, name.length)
  bySum.set(sum, [...(bySum.get(sum) ?? []), command])
}

export const findCommand = (request: Arguments): Command | undefined => {
  const { source } = request
  const start = request.starts[0]!
  const end = request.ends[0]!
  const found = bySum.get(end - start > 16 ? 0 : sumOf(source, start, end))
  if (found === undefined) return undefined
  for (const command of found) if (isNamed(command.name, source, start, end)) return command
  return undefined
}

const isNamed = (name: string, bytes: Uint8Array, start: number, end: number): boolean => {
  if (name.length !== end - start) return false
  for (let i = 0; i < name.length; i++) {
    const byte = bytes[start + i]!
    const small = byte >= 65 && byte <= 90 ? byte + 32 : byte
    if (small !== name.charCodeAt(i)) return false
  }
  return true
}
