/** GET, SET and their kin. */

import type { Session } from '../connection/session.ts'
import { type Arguments, bytesAt, isWord } from '../protocol/request.ts'
import { EXPIRE_OPTIONS, numberAt, positiveTime } from './arguments.ts'
import { CommandError, SYNTAX, wrongArity } from './errors.ts'
import type { Handler, Handlers } from './types.ts'

const NOTHING = new Uint8Array(0)

const get: Handler = ({ server, out }, request) => server.keys.answer(out, request, 1)

interface SetOptions {
  nx: boolean
  xx: boolean
  get: boolean
  keepTtl: boolean
  persist: boolean
  expire: { unit: bigint; absolute: boolean } | undefined
  expireAt: number
}

/** The options behind a key (GETEX) or a value (SET). */
const options = (request: Arguments, from: number, forSet: boolean): SetOptions => {
  const found: SetOptions = {
    nx: false,
    xx: false,
    get: false,
    keepTtl: false,
    persist: false,
    expire: undefined,
    expireAt: 0,
  }
  let word = ''
  for (let i = from; i < request.count; i++) {
    if (forSet && isWord(request, i, 'nx') && !found.xx) found.nx = true
    else if (forSet && isWord(request, i, 'xx') && !found.nx) found.xx = true
    else if (forSet && isWord(request, i, 'get')) found.get = true
    else if (forSet && isWord(request, i, 'keepttl') && word === '') found.keepTtl = true
    else if (!forSet && isWord(request, i, 'persist') && word === '') found.persist = true
    else {
      const option = Object.keys(EXPIRE_OPTIONS).find(name => isWord(request, i, name))
      const clashes = found.keepTtl || found.persist || (word !== '' && word !== option)
      if (option === undefined || clashes || i + 1 === request.count) throw new CommandError(SYNTAX)
      word = option
      found.expire = EXPIRE_OPTIONS[option]
      found.expireAt = ++i
    }
  }
  return found
}

const set: Handler = (session, request) => {
  const { server, out } = session
  const { keys } = server
  if (request.count === 3) {
    keys.put(bytesAt(request, 1), bytesAt(request, 2), 0)
    out.ok()
    return
  }
  const asked = options(request, 3, true)
  const key = bytesAt(request, 1)
  const now = keys.now()
  let time = asked.expire === undefined ? 0 : positiveTime(request, asked.expireAt, asked.expire, now, 'set')
  const old = asked.get ? keys.get(key) : undefined
  const found = asked.get ? old !== undefined : (asked.nx || asked.xx) && keys.has(key)
  const refused = (asked.nx && found) || (asked.xx && !found)
  if (!refused) {
    if (asked.keepTtl) time = keys.timeOf(key) ?? 0
    putOrDelete(session, key, bytesAt(request, 2), time)
  }
  if (asked.get) {
    if (old === undefined) out.null()
    else out.bulk(old)
  } else if (refused) out.null()
  else out.ok()
}

/** A record whose time has passed already is none. */
const putOrDelete = ({ server }: Session, key: Uint8Array, value: Uint8Array, time: number): void => {
  const { keys } = server
  if (time !== 0 && time <= keys.now()) keys.delete(key)
  else keys.put(key, value, time)
}

const setnx: Handler = ({ server, out }, request) => {
  const key = bytesAt(request, 1)
  const free = !server.keys.has(key)
  if (free) server.keys.put(key, bytesAt(request, 2), 0)
  out.integer(free ? 1 : 0)
}

const setWithTime =
  (name: string, unit: bigint): Handler =>
  (session, request) => {
    const time = positiveTime(request, 2, { unit, absolute: false }, session.server.keys.now(), name)
    session.server.keys.put(bytesAt(request, 1), bytesAt(request, 3), time)
    session.out.ok()
  }

const mget: Handler = ({ server, out }, request) => {
  out.array(request.count - 1)
  for (let i = 1; i < request.count; i++) server.keys.answer(out, request, i)
}

const requirePairs = (request: Arguments, name: string): void => {
  if (request.count % 2 === 0) throw new CommandError(wrongArity(name))
}

const putAll = ({ server }: Session, request: Arguments): void =>
  server.keys.together(() => {
    for (let i = 1; i < request.count; i += 2)
      server.keys.put(bytesAt(request, i), bytesAt(request, i + 1), 0)
  })

const mset: Handler = (session, request) => {
  requirePairs(request, 'mset')
  putAll(session, request)
  session.out.ok()
}

const msetnx: Handler = (session, request) => {
  requirePairs(request, 'msetnx')
  for (let i = 1; i < request.count; i += 2)
    if (session.server.keys.has(bytesAt(request, i))) {
      session.out.integer(0)
      return
    }
  putAll(session, request)
  session.out.integer(1)
}

const getset: Handler = ({ server, out }, request) => {
  const key = bytesAt(request, 1)
  const old = server.keys.get(key)
  server.keys.put(key, bytesAt(request, 2), 0)
  if (old === undefined) out.null()
  else out.bulk(old)
}

const getdel: Handler = ({ server, out }, request) => {
  const key = bytesAt(request, 1)
  const old = server.keys.get(key)
  if (old === undefined) out.null()
  else {
    server.keys.delete(key)
    out.bulk(old)
  }
}

const getex: Handler = ({ server, out }, request) => {
  const { keys } = server
  const asked = options(request, 2, false)
  const key = bytesAt(request, 1)
  const value = keys.get(key)
  if (value === undefined) {
    out.null()
    return
  }
  const now = keys.now()
  if (asked.expire !== undefined) {
    const time = positiveTime(request, asked.expireAt, asked.expire, now, 'getex')
    if (time <= now) keys.delete(key)
    else keys.changeExpiry(key, time)
  } else if (asked.persist) keys.changeExpiry(key, 0)
  out.bulk(value)
}

const append: Handler = ({ server, out }, request) => {
  const { keys } = server
  const key = bytesAt(request, 1)
  const more = bytesAt(request, 2)
  const old = keys.get(key) ?? NOTHING
  keys.requireLength(old.length + more.length)
  const time = keys.timeOf(key) ?? 0
  const value = new Uint8Array(old.length + more.length)
  value.set(old)
  value.set(more, old.length)
  keys.put(key, value, time)
  out.integer(value.length)
}

const strlen: Handler = ({ server, out }, request) =>
  out.integer(server.keys.get(bytesAt(request, 1))?.length ?? 0)

const getrange: Handler = ({ server, out }, request) => {
  let start = numberAt(request, 2)
  let end = numberAt(request, 3)
  const value = server.keys.get(bytesAt(request, 1)) ?? NOTHING
  const { length } = value
  if (start < 0 && end < 0 && start > end) {
    out.bulk(NOTHING)
    return
  }
  if (start < 0) start = Math.max(0, length + start)
  if (end < 0) end = Math.max(0, length + end)
  end = Math.min(end, length - 1)
  out.bulk(start > end ? NOTHING : value.subarray(start, end + 1))
}

const setrange: Handler = ({ server, out }, request) => {
  const { keys } = server
  const offset = numberAt(request, 2)
  if (offset < 0) throw new CommandError('ERR offset is out of range')
  const key = bytesAt(request, 1)
  const part = bytesAt(request, 3)
  const old = keys.get(key) ?? NOTHING
  if (part.length === 0) {
    out.integer(old.length)
    return
  }
  keys.requireLength(offset + part.length)
  const time = keys.timeOf(key) ?? 0
  const value = new Uint8Array(Math.max(old.length, offset + part.length))
  value.set(old)
  value.set(part, offset)
  keys.put(key, value, time)
  out.integer(value.length)
}

export const strings: Handlers = {
  get,
  set,
  setnx,
  setex: setWithTime('setex', 1000n),
  psetex: setWithTime('psetex', 1n),
  mget,
  mset,
  msetnx,
  getset,
  getdel,
  getex,
  append,
  strlen,
  getrange,
  setrange,
}
