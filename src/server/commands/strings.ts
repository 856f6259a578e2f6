/** GET, SET and their kin. */

import { type Arguments, bytesAt, isWord } from '../protocol/request.ts'
import { EXPIRE_OPTIONS, numberAt, positiveTime } from './arguments.ts'
import type { Caller, Handler } from './caller.ts'
import { type Family, family } from './command.ts'
import { CommandError, SYNTAX, wrongArity } from './errors.ts'
import { lcs } from './lcs.ts'

const NOTHING = new Uint8Array(0)

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

/** A record whose time has passed already is none. */
const putOrDelete = ({ keys }: Caller, key: Uint8Array, value: Uint8Array, time: number, setsTime: boolean): void => {
  const isPast = time !== 0 && time <= keys.now()
  if (!isPast) keys.put(key, value, time, 'set')
  else {
    if (!keys.delete(key, false)) keys.tell('new', key)
    keys.tell('set', key)
  }
  if (setsTime) keys.tell('expire', key)
  if (isPast) keys.tell('expired', key)
}

const set: Handler = (caller, request) => {
  const { keys, out } = caller
  if (request.count === 3) {
    keys.put(bytesAt(request, 1), bytesAt(request, 2), 0, 'set')
    out.ok()
    return
  }
  const asked = options(request, 3, true)
  const key = bytesAt(request, 1)
  const now = keys.now()
  let time = asked.expire === undefined ? 0 : positiveTime(request, asked.expireAt, asked.expire, now, 'set')
  const old = asked.get ? keys.get(key) : undefined
  if (asked.get) keys.lookedFor(old !== undefined, key)
  const found = asked.get ? old !== undefined : (asked.nx || asked.xx) && keys.has(key)
  const refused = (asked.nx && found) || (asked.xx && !found)
  if (!refused) {
    if (asked.keepTtl) time = keys.timeOf(key) ?? 0
    putOrDelete(caller, key, bytesAt(request, 2), time, asked.expire !== undefined)
  }
  if (asked.get) {
    if (old === undefined) out.null()
    else out.bulk(old)
  } else if (refused) out.null()
  else out.ok()
}

/** What SET does to its key. */
const setKeyFlags = (request: Arguments): string => {
  for (let i = 3; i < request.count; i++) if (isWord(request, i, 'get')) return 'RW access update'
  return 'OW update'
}

const setWithTime =
  (name: string, unit: bigint): Handler =>
  ({ keys, out }, request) => {
    const time = positiveTime(request, 2, { unit, absolute: false }, keys.now(), name)
    keys.put(bytesAt(request, 1), bytesAt(request, 3), time, 'set')
    keys.tell('expire', bytesAt(request, 1))
    out.ok()
  }

const requirePairs = (request: Arguments, name: string): void => {
  if (request.count % 2 === 0) throw new CommandError(wrongArity(name))
}

const putAll = ({ keys }: Caller, request: Arguments): void =>
  keys.together(() => {
    keys.each(request, 2, 'put', i => keys.put(bytesAt(request, i), bytesAt(request, i + 1), 0, 'set'))
  })

const getRange: Handler = ({ keys, out }, request) => {
  let start = numberAt(request, 2)
  let end = numberAt(request, 3)
  const found = keys.get(bytesAt(request, 1))
  keys.lookedFor(found !== undefined, bytesAt(request, 1))
  const value = found ?? NOTHING
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

export const strings: Family = family(
  { group: 'string', afterIn: true },
  {
    get: {
      arity: 2,
      keys: '1 RO access',
      flags: 'readonly fast',
      categories: '@read @string @fast',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Get the value of a key',
      run: ({ keys, out }, request) => keys.answer(out, request, 1),
    },
    set: {
      arity: -3,
      keys: '1 RW access update variable_flags (RW and ACCESS due to the optional `GET` argument)',
      keyFlags: setKeyFlags,
      flags: 'write denyoom',
      categories: '@write @string @slow',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Set the string value of a key',
      run: set,
    },
    setnx: {
      arity: 3,
      keys: '1 OW insert',
      flags: 'write denyoom fast',
      categories: '@write @string @fast',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Set the value of a key, only if the key does not exist',
      run({ keys, out }, request) {
        const key = bytesAt(request, 1)
        const free = !keys.has(key)
        if (free) keys.put(key, bytesAt(request, 2), 0, 'set')
        out.integer(free ? 1 : 0)
      },
    },
    setex: {
      arity: 4,
      keys: '1 OW update',
      flags: 'write denyoom',
      categories: '@write @string @slow',
      since: '2.0.0',
      complexity: 'O(1)',
      summary: 'Set the value and expiration of a key',
      run: setWithTime('setex', 1000n),
    },
    psetex: {
      arity: 4,
      keys: '1 OW update',
      flags: 'write denyoom',
      categories: '@write @string @slow',
      since: '2.6.0',
      complexity: 'O(1)',
      summary: 'Set the value and expiration in milliseconds of a key',
      run: setWithTime('psetex', 1n),
    },
    mget: {
      arity: -2,
      keys: '1..-1 RO access',
      flags: 'readonly fast',
      categories: '@read @string @fast',
      tips: 'request_policy:multi_shard',
      since: '1.0.0',
      complexity: 'O(N) where N is the number of keys to retrieve.',
      summary: 'Get the values of all the given keys',
      run({ keys, out }, request) {
        out.array(request.count - 1)
        keys.each(request, 1, 'read', i => keys.answer(out, request, i))
      },
    },
    mset: {
      arity: -3,
      keys: '1..-1/2 OW update',
      flags: 'write denyoom',
      categories: '@write @string @slow',
      tips: 'request_policy:multi_shard response_policy:all_succeeded',
      since: '1.0.1',
      complexity: 'O(N) where N is the number of keys to set.',
      summary: 'Set multiple keys to multiple values',
      run(caller, request) {
        requirePairs(request, 'mset')
        putAll(caller, request)
        caller.out.ok()
      },
    },
    msetnx: {
      arity: -3,
      keys: '1..-1/2 OW insert',
      flags: 'write denyoom',
      categories: '@write @string @slow',
      tips: 'request_policy:multi_shard response_policy:agg_min',
      since: '1.0.1',
      complexity: 'O(N) where N is the number of keys to set.',
      summary: 'Set multiple keys to multiple values, only if none of the keys exist',
      run(caller, request) {
        requirePairs(request, 'msetnx')
        const { keys, out } = caller
        for (let i = 1; i < request.count; i += 2)
          if (keys.has(bytesAt(request, i))) {
            out.integer(0)
            return
          }
        putAll(caller, request)
        out.integer(1)
      },
    },
    getset: {
      arity: 3,
      keys: '1 RW access update',
      flags: 'write denyoom fast',
      categories: '@write @string @fast',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Set the string value of a key and return its old value',
      run({ keys, out }, request) {
        const key = bytesAt(request, 1)
        const old = keys.get(key)
        keys.lookedFor(old !== undefined, key)
        keys.put(key, bytesAt(request, 2), 0, 'set')
        if (old === undefined) out.null()
        else out.bulk(old)
      },
    },
    getdel: {
      arity: 2,
      keys: '1 RW access delete',
      flags: 'write fast',
      categories: '@write @string @fast',
      since: '6.2.0',
      complexity: 'O(1)',
      summary: 'Get the value of a key and delete the key',
      run({ keys, out }, request) {
        const key = bytesAt(request, 1)
        const old = keys.get(key)
        if (old === undefined) out.null()
        else {
          keys.delete(key)
          out.bulk(old)
        }
        keys.lookedFor(old !== undefined, key)
      },
    },
    getex: {
      arity: -2,
      keys: '1 RW access update (RW and UPDATE because it changes the TTL)',
      flags: 'write fast',
      categories: '@write @string @fast',
      since: '6.2.0',
      complexity: 'O(1)',
      summary: 'Get the value of a key and optionally set its expiration',
      run({ keys, out }, request) {
        const asked = options(request, 2, false)
        const key = bytesAt(request, 1)
        const value = keys.get(key)
        if (value === undefined) {
          keys.lookedFor(false, key)
          out.null()
          return
        }
        const now = keys.now()
        if (asked.expire !== undefined) {
          const time = positiveTime(request, asked.expireAt, asked.expire, now, 'getex')
          if (time <= now) keys.delete(key)
          else keys.changeExpiry(key, time)
        } else if (asked.persist) keys.changeExpiry(key, 0)
        keys.lookedFor(true, key)
        out.bulk(value)
      },
    },
    append: {
      arity: 3,
      keys: '1 RW insert',
      flags: 'write denyoom fast',
      categories: '@write @string @fast',
      since: '2.0.0',
      complexity:
        'O(1). The amortized time complexity is O(1) assuming the appended value is small and the already present value is of any size, since the dynamic string library used by Redis will double the free space available on every reallocation.',
      summary: 'Append a value to a key',
      run({ keys, out }, request) {
        const key = bytesAt(request, 1)
        const more = bytesAt(request, 2)
        const old = keys.get(key) ?? NOTHING
        keys.requireLength(old.length + more.length)
        const time = keys.timeOf(key) ?? 0
        const value = new Uint8Array(old.length + more.length)
        value.set(old)
        value.set(more, old.length)
        keys.put(key, value, time, 'append')
        out.integer(value.length)
      },
    },
    strlen: {
      arity: 2,
      keys: '1 RO',
      flags: 'readonly fast',
      categories: '@read @string @fast',
      since: '2.2.0',
      complexity: 'O(1)',
      summary: 'Get the length of the value stored in a key',
      run({ keys, out }, request) {
        const value = keys.get(bytesAt(request, 1))
        keys.lookedFor(value !== undefined, bytesAt(request, 1))
        out.integer(value?.length ?? 0)
      },
    },
    getrange: {
      arity: 4,
      keys: '1 RO access',
      flags: 'readonly',
      categories: '@read @string @slow',
      since: '2.4.0',
      complexity:
        'O(N) where N is the length of the returned string. The complexity is ultimately determined by the returned length, but because creating a substring from an existing string is very cheap, it can be considered O(1) for small strings.',
      summary: 'Get a substring of the string stored at a key',
      run: getRange,
    },
    substr: {
      arity: 4,
      keys: '1 RO access',
      flags: 'readonly',
      categories: '@read @string @slow',
      since: '1.0.0',
      complexity:
        'O(N) where N is the length of the returned string. The complexity is ultimately determined by the returned length, but because creating a substring from an existing string is very cheap, it can be considered O(1) for small strings.',
      summary: 'Get a substring of the string stored at a key',
      run: getRange,
    },
    lcs: {
      arity: -3,
      keys: '1..2 RO access',
      flags: 'readonly',
      categories: '@read @string @slow',
      since: '7.0.0',
      complexity: 'O(N*M) where N and M are the lengths of s1 and s2, respectively',
      summary: 'Find longest common substring',
      run: lcs,
    },
    setrange: {
      arity: 4,
      keys: '1 RW update',
      flags: 'write denyoom',
      categories: '@write @string @slow',
      since: '2.2.0',
      complexity:
        'O(1), not counting the time taken to copy the new string in place. Usually, this string is very small so the amortized complexity is O(1). Otherwise, complexity is O(M) with M being the length of the value argument.',
      summary: 'Overwrite part of a string at key starting at the specified offset',
      run({ keys, out }, request) {
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
        keys.put(key, value, time, 'setrange')
        out.integer(value.length)
      },
    },
  },
)
