/** Commands on keys as such. */

import { type Arguments, bytesAt, isWord } from '../protocol/request.ts'
import { databaseAt, integerAt, numberAt, requireDatabase } from './arguments.ts'
import type { Caller, Handler } from './caller.ts'
import { type Family, family } from './command.ts'
import { CommandError, NO_SUCH_KEY, notInCluster, SYNTAX } from './errors.ts'
import { type Keyspace, keyName } from './keyspace.ts'
import { listKeys, scan } from './scan.ts'

const remove: Handler = ({ keys, out }, request) => {
  if (request.count === 2) {
    out.integer(keys.delete(bytesAt(request, 1)) ? 1 : 0)
    return
  }
  const removed = keys.together(() => {
    let count = 0
    keys.each(request, 1, 'remove', i => {
      if (keys.delete(bytesAt(request, i))) count++
    })
    return count
  })
  out.integer(removed)
}

const countFound: Handler = ({ keys, out }, request) => {
  let found = 0
  keys.each(request, 1, 'read', i => {
    const isThere = keys.hasAt(request, i)
    keys.lookedFor(isThere, bytesAt(request, i))
    if (isThere) found++
  })
  out.integer(found)
}

/** Puts the record of one key under another one, with its time of expiry; `target`: in another database. */
const copyTo = ({ keys }: Caller, from: Uint8Array, to: Uint8Array, target: Keyspace = keys): boolean => {
  const value = keys.get(from)
  const time = keys.timeOf(from)
  if (value === undefined || time === undefined) return false
  target.put(to, value, time, false)
  return true
}

const move = (caller: Caller, request: Arguments): void => {
  const from = bytesAt(request, 1)
  const to = bytesAt(request, 2)
  const { keys } = caller
  keys.together(() => {
    copyTo(caller, from, to)
    keys.delete(from, 'rename_from')
    keys.tell('rename_to', to)
  })
}

/** MOVE key db */
const moveToDatabase: Handler = (caller, request) => {
  const { keys, out, server } = caller
  if (server.cluster !== undefined) throw notInCluster('MOVE')
  const target = server.databases.at(databaseAt(request, 2, server.databases))
  if (target === keys) throw new CommandError(SAME_OBJECTS)
  const key = bytesAt(request, 1)
  const isThere = keys.has(key)
  keys.lookedFor(isThere, key)
  const free = isThere && !target.has(key)
  if (free)
    keys.together(() => {
      copyTo(caller, key, key, target)
      keys.delete(key, 'move_from')
      target.tell('move_to', key)
    })
  out.integer(free ? 1 : 0)
}

const SAME_OBJECTS = 'ERR source and destination objects are the same'

const sameKeys = (request: Arguments): boolean => keyName(bytesAt(request, 1)) === keyName(bytesAt(request, 2))

const flush = ({ keys, out, server, isWithin }: Caller, request: Arguments, all: boolean): void => {
  if (request.count > 2 || (request.count === 2 && !isWord(request, 1, 'async') && !isWord(request, 1, 'sync')))
    throw new CommandError(SYNTAX)
  if (request.count === 2 && isWord(request, 1, 'async')) (all && !isWithin ? server.keys : keys).requireQuiet(all)
  if (!all) keys.clear()
  else if (isWithin) keys.clearAll()
  else server.databases.clear()
  out.ok()
}

export const keys: Family = family(
  { group: 'generic', afterIn: true },
  {
    del: {
      arity: -2,
      keys: '1..-1 RM delete',
      flags: 'write',
      categories: '@keyspace @write @slow',
      tips: 'request_policy:multi_shard response_policy:agg_sum',
      since: '1.0.0',
      complexity:
        'O(N) where N is the number of keys that will be removed. When a key to remove holds a value other than a string, the individual complexity for this key is O(M) where M is the number of elements in the list, set, sorted set or hash. Removing a single key that holds a string value is O(1).',
      summary: 'Delete a key',
      run: remove,
    },
    unlink: {
      arity: -2,
      keys: '1..-1 RM delete',
      flags: 'write fast',
      categories: '@keyspace @write @fast',
      tips: 'request_policy:multi_shard response_policy:agg_sum',
      since: '4.0.0',
      complexity:
        'O(1) for each key removed regardless of its size. Then the command does O(N) work in a different thread in order to reclaim memory, where N is the number of allocations the deleted objects where composed of.',
      summary: 'Delete a key asynchronously in another thread. Otherwise it is just as DEL, but non blocking.',
      run: remove,
    },
    exists: {
      arity: -2,
      keys: '1..-1 RO',
      flags: 'readonly fast',
      categories: '@keyspace @read @fast',
      tips: 'request_policy:multi_shard response_policy:agg_sum',
      since: '1.0.0',
      complexity: 'O(N) where N is the number of keys to check.',
      summary: 'Determine if a key exists',
      run: countFound,
    },
    type: {
      arity: 2,
      keys: '1 RO',
      flags: 'readonly fast',
      categories: '@keyspace @read @fast',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Determine the type stored at key',
      run({ keys, out }, request) {
        const isThere = keys.has(bytesAt(request, 1))
        keys.lookedFor(isThere, bytesAt(request, 1))
        out.simple(isThere ? 'string' : 'none')
      },
    },
    keys: {
      arity: 2,
      flags: 'readonly',
      categories: '@keyspace @read @slow @dangerous',
      tips: 'request_policy:all_shards nondeterministic_output_order',
      since: '1.0.0',
      complexity:
        'O(N) with N being the number of keys in the database, under the assumption that the key names in the database and the given pattern have limited length.',
      summary: 'Find all keys matching the given pattern',
      run: listKeys,
    },
    scan: {
      arity: -2,
      flags: 'readonly',
      categories: '@keyspace @read @slow',
      tips: 'nondeterministic_output request_policy:special',
      since: '2.8.0',
      complexity:
        'O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection.',
      summary: 'Incrementally iterate the keys space',
      afterBegin: 'refused',
      run: scan,
    },
    randomkey: {
      arity: 1,
      flags: 'readonly',
      categories: '@keyspace @read @slow',
      tips: 'request_policy:all_shards nondeterministic_output',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Return a random key from the keyspace',
      afterBegin: 'refused',
      run({ keys, out }) {
        const key = keys.records.random()
        if (key === undefined) out.null()
        else out.bulk(key)
      },
    },
    rename: {
      arity: 3,
      keys: ['1 RW access delete', '2 OW update'],
      flags: 'write',
      categories: '@keyspace @write @slow',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Rename a key',
      run(caller, request) {
        if (!caller.keys.has(bytesAt(request, 1))) throw new CommandError(NO_SUCH_KEY)
        if (!sameKeys(request)) move(caller, request)
        caller.out.ok()
      },
    },
    renamenx: {
      arity: 3,
      keys: ['1 RW access delete', '2 OW insert'],
      flags: 'write fast',
      categories: '@keyspace @write @fast',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Rename a key, only if the new key does not exist',
      run(caller, request) {
        if (!caller.keys.has(bytesAt(request, 1))) throw new CommandError(NO_SUCH_KEY)
        const free = !sameKeys(request) && !caller.keys.has(bytesAt(request, 2))
        if (free) move(caller, request)
        caller.out.integer(free ? 1 : 0)
      },
    },
    copy: {
      arity: -3,
      keys: ['1 RO access', '2 OW update'],
      flags: 'write denyoom',
      categories: '@keyspace @write @slow',
      since: '6.2.0',
      complexity: 'O(N) worst case for collections, where N is the number of nested items. O(1) for string values.',
      summary: 'Copy a key',
      run(caller, request) {
        const { keys, out, server } = caller
        let replace = false
        let target = keys
        for (let i = 3; i < request.count; i++) {
          if (isWord(request, i, 'replace')) replace = true
          else if (isWord(request, i, 'db') && i + 1 < request.count) {
            if (server.cluster !== undefined && numberAt(request, i + 1) !== 0)
              throw notInCluster('Copying to another database')
            target = server.databases.at(databaseAt(request, ++i, server.databases))
          } else throw new CommandError(SYNTAX)
        }
        if (target === keys && sameKeys(request)) throw new CommandError(SAME_OBJECTS)
        const to = bytesAt(request, 2)
        const from = bytesAt(request, 1)
        const isThere = keys.has(from)
        keys.lookedFor(isThere, from)
        const copied = isThere && (replace || !target.has(to)) && copyTo(caller, from, to, target)
        if (copied) target.tell('copy_to', to)
        out.integer(copied ? 1 : 0)
      },
    },
    move: {
      arity: 3,
      keys: '1 RW access update',
      flags: 'write fast',
      categories: '@keyspace @write @fast',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Move a key to another database',
      afterIn: false,
      run: moveToDatabase,
    },
    swapdb: {
      arity: 3,
      flags: 'write fast',
      categories: '@keyspace @write @fast @dangerous',
      group: 'server',
      since: '4.0.0',
      complexity: 'O(N) where N is the count of clients watching or blocking on keys from both databases.',
      summary: 'Swaps two Redis databases',
      afterBegin: 'refused',
      afterIn: false,
      run({ out, server }, request) {
        if (server.cluster !== undefined) throw notInCluster('SWAPDB')
        const { databases, sessions } = server
        const first = integerAt(request, 1, 'ERR invalid first DB index')
        const second = integerAt(request, 2, 'ERR invalid second DB index')
        const { count } = databases
        databases.swap(requireDatabase(first, count), requireDatabase(second, count), sessions.values())
        out.ok()
      },
    },
    touch: {
      arity: -2,
      keys: '1..-1 RO',
      flags: 'readonly fast',
      categories: '@keyspace @read @fast',
      tips: 'request_policy:multi_shard response_policy:agg_sum',
      since: '3.2.1',
      complexity: 'O(N) where N is the number of keys that will be touched.',
      summary: 'Alters the last access time of a key(s). Returns the number of existing keys specified.',
      run: countFound,
    },
    dbsize: {
      arity: 1,
      flags: 'readonly fast',
      categories: '@keyspace @read @fast',
      tips: 'request_policy:all_shards response_policy:agg_sum',
      group: 'server',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Return the number of keys in the selected database',
      run: ({ keys, out }) => out.integer(keys.count()),
    },
    flushdb: {
      arity: -1,
      flags: 'write',
      categories: '@keyspace @write @slow @dangerous',
      tips: 'request_policy:all_shards response_policy:all_succeeded',
      group: 'server',
      since: '1.0.0',
      complexity: 'O(N) where N is the number of keys in the selected database',
      summary: 'Remove all keys from the current database',
      run: (caller, request) => flush(caller, request, false),
    },
    flushall: {
      arity: -1,
      flags: 'write',
      categories: '@keyspace @write @slow @dangerous',
      tips: 'request_policy:all_shards response_policy:all_succeeded',
      group: 'server',
      since: '1.0.0',
      complexity: 'O(N) where N is the total number of keys in all databases',
      summary: 'Remove all keys from all databases',
      run: (caller, request) => flush(caller, request, true),
    },
  },
)
