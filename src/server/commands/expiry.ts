/** EXPIRE, TTL and their kin. */

import type { Session } from '../connection/session.ts'
import { type Arguments, bytesAt, isWord, shownAt } from '../protocol/request.ts'
import { anyTime, EXPIRE_OPTIONS } from './arguments.ts'
import { CommandError } from './errors.ts'
import type { Handler, Handlers } from './types.ts'

const expire =
  (name: string, option: keyof typeof EXPIRE_OPTIONS): Handler =>
  (session, request) => {
    const conditions = conditionsOf(request)
    const { keys } = session.server
    const now = keys.now()
    const time = anyTime(request, 2, EXPIRE_OPTIONS[option]!, now, name)
    const key = bytesAt(request, 1)
    const current = keys.timeOf(key)
    if (current === undefined || !holds(conditions, current, time)) {
      session.out.integer(0)
      return
    }
    if (time <= now) keys.delete(key)
    else keys.changeExpiry(key, time)
    session.out.integer(1)
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
  ({ server, out }: Session, request) => {
    const at = server.keys.timeOf(bytesAt(request, 1))
    if (at === undefined) out.integer(-2)
    else out.integer(at === 0 ? -1 : of(at, server.keys.now()))
  }

export const expiry: Handlers = {
  expire: expire('expire', 'ex'),
  pexpire: expire('pexpire', 'px'),
  expireat: expire('expireat', 'exat'),
  pexpireat: expire('pexpireat', 'pxat'),
  ttl: time((at, now) => Math.floor((Math.max(0, at - now) + 500) / 1000)),
  pttl: time((at, now) => Math.max(0, at - now)),
  expiretime: time(at => Math.floor((at + 500) / 1000)),
  pexpiretime: time(at => at),
  persist: ({ server, out }, request) =>
    out.integer(server.keys.changeExpiry(bytesAt(request, 1), 0) ? 1 : 0),
}
