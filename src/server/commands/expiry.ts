/** EXPIRE, TTL and their kin. */

import { type Arguments, bytesAt, isWord, shownAt } from '../protocol/request.ts'
import { anyTime, EXPIRE_OPTIONS } from './arguments.ts'
import type { Handler } from './caller.ts'
import { type Family, family } from './command.ts'
import { CommandError } from './errors.ts'

const expire =
  (name: string, option: keyof typeof EXPIRE_OPTIONS): Handler =>
  ({ keys, out }, request) => {
    const conditions = conditionsOf(request)
    const now = keys.now()
    const time = anyTime(request, 2, EXPIRE_OPTIONS[option]!, now, name)
    const key = bytesAt(request, 1)
    const current = keys.timeOf(key)
    if (current === undefined || !holds(conditions, current, time)) {
      out.integer(0)
      return
    }
    if (time <= now) keys.delete(key)
    else keys.changeExpiry(key, time)
    out.integer(1)
  }

const conditionsOf = (request: Arguments): Set<string> => {
  const found = new Set<string>()
  for (let i = 3; i < request.count; i++) {
    const word = ['nx', 'xx', 'gt', 'lt'].find(each => isWord(request, i, each))
    if (word === undefined) throw new CommandError(`ERR Unsupported option ${shownAt(request, i)}`)
    found.add(word)
  }
  if (found.has('nx') && found.size > 1)
    throw new CommandError('ERR NX and XX, GT or LT options at the same time are not compatible')
  if (found.has('gt') && found.has('lt'))
    throw new CommandError('ERR GT and LT options at the same time are not compatible')
  return found
}

/** A record that never expires counts as one that does so after all others. */
const holds = (conditions: ReadonlySet<string>, current: number, time: number): boolean => {
  if (conditions.has('nx') && current !== 0) return false
  if (conditions.has('xx') && current === 0) return false
  if (conditions.has('gt') && (current === 0 || time <= current)) return false
  return !(conditions.has('lt') && current !== 0 && time >= current)
}

const time =
  (of: (time: number, now: number) => number): Handler =>
  ({ keys, out }, request) => {
    const key = bytesAt(request, 1)
    const at = keys.timeOf(key)
    keys.lookedFor(at !== undefined, key)
    if (at === undefined) out.integer(-2)
    else out.integer(at === 0 ? -1 : of(at, keys.now()))
  }

export const expiry: Family = family(
  { group: 'generic', afterIn: true },
  {
    expire: {
      arity: -3,
      keys: '1 RW update',
      flags: 'write fast',
      categories: '@keyspace @write @fast',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: "Set a key's time to live in seconds",
      run: expire('expire', 'ex'),
    },
    pexpire: {
      arity: -3,
      keys: '1 RW update',
      flags: 'write fast',
      categories: '@keyspace @write @fast',
      since: '2.6.0',
      complexity: 'O(1)',
      summary: "Set a key's time to live in milliseconds",
      run: expire('pexpire', 'px'),
    },
    expireat: {
      arity: -3,
      keys: '1 RW update',
      flags: 'write fast',
      categories: '@keyspace @write @fast',
      since: '1.2.0',
      complexity: 'O(1)',
      summary: 'Set the expiration for a key as a UNIX timestamp',
      run: expire('expireat', 'exat'),
    },
    pexpireat: {
      arity: -3,
      keys: '1 RW update',
      flags: 'write fast',
      categories: '@keyspace @write @fast',
      since: '2.6.0',
      complexity: 'O(1)',
      summary: 'Set the expiration for a key as a UNIX timestamp specified in milliseconds',
      run: expire('pexpireat', 'pxat'),
    },
    ttl: {
      arity: 2,
      keys: '1 RO access',
      flags: 'readonly fast',
      categories: '@keyspace @read @fast',
      tips: 'nondeterministic_output',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Get the time to live for a key in seconds',
      run: time((at, now) => Math.floor((Math.max(0, at - now) + 500) / 1000)),
    },
    pttl: {
      arity: 2,
      keys: '1 RO access',
      flags: 'readonly fast',
      categories: '@keyspace @read @fast',
      tips: 'nondeterministic_output',
      since: '2.6.0',
      complexity: 'O(1)',
      summary: 'Get the time to live for a key in milliseconds',
      run: time((at, now) => Math.max(0, at - now)),
    },
    expiretime: {
      arity: 2,
      keys: '1 RO access',
      flags: 'readonly fast',
      categories: '@keyspace @read @fast',
      since: '7.0.0',
      complexity: 'O(1)',
      summary: 'Get the expiration Unix timestamp for a key',
      run: time(at => Math.floor((at + 500) / 1000)),
    },
    pexpiretime: {
      arity: 2,
      keys: '1 RO access',
      flags: 'readonly fast',
      categories: '@keyspace @read @fast',
      since: '7.0.0',
      complexity: 'O(1)',
      summary: 'Get the expiration Unix timestamp for a key in milliseconds',
      run: time(at => at),
    },
    persist: {
      arity: 2,
      keys: '1 RW update',
      flags: 'write fast',
      categories: '@keyspace @write @fast',
      since: '2.2.0',
      complexity: 'O(1)',
      summary: 'Remove the expiration from a key',
      run: ({ keys, out }, request) => out.integer(keys.changeExpiry(bytesAt(request, 1), 0) ? 1 : 0),
    },
  },
)
