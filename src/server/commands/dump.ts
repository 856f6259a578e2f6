/** DUMP and RESTORE: a value with its type, as bytes that Redis understands and makes as well. */

import { decodeDump, encodeDump } from '../protocol/dump.ts'
import { type Arguments, bytesAt, isWord } from '../protocol/request.ts'
import { clampedTime, integerAt } from './arguments.ts'
import { type Family, family } from './command.ts'
import { CommandError, SYNTAX } from './errors.ts'

interface RestoreOptions {
  readonly replace: boolean
  readonly absolute: boolean
}

/** How recently and how often a key was used is checked, and nobody keeps it: nothing is evicted. */
const restoreOptions = (request: Arguments): RestoreOptions => {
  const found = { replace: false, absolute: false }
  let use: 'idletime' | 'freq' | undefined
  for (let i = 4; i < request.count; i++) {
    const hasMore = i + 1 < request.count
    if (isWord(request, i, 'replace')) found.replace = true
    else if (isWord(request, i, 'absttl')) found.absolute = true
    else if (isWord(request, i, 'idletime') && hasMore && use !== 'freq') {
      use = 'idletime'
      if (integerAt(request, ++i) < 0n) throw new CommandError('ERR Invalid IDLETIME value, must be >= 0')
    } else if (isWord(request, i, 'freq') && hasMore && use !== 'idletime') {
      use = 'freq'
      const frequency = integerAt(request, ++i)
      if (frequency < 0n || frequency > 255n) throw new CommandError('ERR Invalid FREQ value, must be >= 0 and <= 255')
    } else throw new CommandError(SYNTAX)
  }
  return found
}

const restoredFrom = (dump: Uint8Array, most: number): Uint8Array => {
  const value = decodeDump(dump, most)
  if (value === 'too long') throw new CommandError('ERR string exceeds maximum allowed size (proto-max-bulk-len)')
  if (value === 'footer') throw new CommandError('ERR DUMP payload version or checksum are wrong')
  if (value === 'data') throw new CommandError('ERR Bad data format')
  return value
}

export const dump: Family = family(
  { group: 'generic', afterIn: true },
  {
    dump: {
      arity: 2,
      keys: '1 RO access',
      flags: 'readonly',
      categories: '@keyspace @read @slow',
      tips: 'nondeterministic_output',
      since: '2.6.0',
      complexity:
        'O(1) to access the key and additional O(N*M) to serialize it, where N is the number of Redis objects composing the value and M their average size. For small string values the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1).',
      summary: 'Return a serialized version of the value stored at the specified key.',
      run({ keys, out }, request) {
        const key = bytesAt(request, 1)
        const value = keys.get(key)
        keys.lookedFor(value !== undefined, key)
        if (value === undefined) out.null()
        else out.bulk(encodeDump(value))
      },
    },
    restore: {
      arity: -4,
      keys: '1 OW update',
      flags: 'write denyoom',
      categories: '@keyspace @write @slow @dangerous',
      since: '2.6.0',
      complexity:
        'O(1) to create the new key and additional O(N*M) to reconstruct the serialized value, where N is the number of Redis objects composing the value and M their average size. For small string values the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1). However for sorted set values the complexity is O(N*M*log(N)) because inserting values into sorted sets is O(log(N)).',
      summary: 'Create a key using the provided serialized value, previously obtained using DUMP.',
      run({ keys, out }, request) {
        const { replace, absolute } = restoreOptions(request)
        const key = bytesAt(request, 1)
        if (!replace && keys.has(key)) throw new CommandError('BUSYKEY Target key name already exists.')
        const ttl = integerAt(request, 2)
        if (ttl < 0n) throw new CommandError('ERR Invalid TTL value, must be >= 0')
        const value = restoredFrom(bytesAt(request, 3), keys.maxValueBytes)
        const now = keys.now()
        const time = ttl === 0n ? 0 : clampedTime(absolute ? ttl : ttl + BigInt(now))
        if (time !== 0 && time <= now) keys.delete(key)
        else {
          keys.put(key, value, time, false)
          keys.tell('restore', key)
        }
        out.ok()
      },
    },
  },
)
