/** MULTI, EXEC, DISCARD, WATCH, UNWATCH. */

import { bytesAt } from '../protocol/request.ts'
import type { Caller } from './caller.ts'
import { type Family, family } from './command.ts'
import { CommandError } from './errors.ts'
import { keyName } from './keyspace.ts'

/** A watched record that has expired since is a change too. */
const hasExpired = ({ watched }: Caller): boolean => {
  for (const [keys, names] of watched)
    for (const [key, wasThere] of names) if (wasThere && !keys.has(Buffer.from(key, 'latin1'))) return true
  return false
}

export const transactions: Family = family(
  { group: 'transactions' },
  {
    multi: {
      arity: 1,
      flags: 'noscript loading stale fast allow_busy',
      categories: '@fast @transaction',
      since: '1.2.0',
      complexity: 'O(1)',
      summary: 'Mark the start of a transaction block',
      afterMulti: 'runs',
      afterBegin: 'refused',
      run(caller) {
        if (caller.queue !== undefined) throw new CommandError('ERR MULTI calls can not be nested')
        caller.startQueue()
        caller.out.ok()
      },
    },
    exec: {
      arity: 1,
      flags: 'noscript loading stale skip_slowlog',
      categories: '@slow @transaction',
      since: '1.2.0',
      complexity: 'Depends on commands in the transaction',
      summary: 'Execute all commands issued after MULTI',
      afterMulti: 'runs',
      afterBegin: 'refused',
      run(caller) {
        const { queue } = caller
        if (queue === undefined) throw new CommandError('ERR EXEC without MULTI')
        if (queue.failed) {
          caller.discardQueue()
          throw new CommandError('EXECABORT Transaction discarded because of previous errors.')
        }
        if (caller.dirty || hasExpired(caller)) {
          caller.discardQueue()
          caller.out.nullArray()
        } else caller.runQueue()
      },
    },
    discard: {
      arity: 1,
      flags: 'noscript loading stale fast allow_busy',
      categories: '@fast @transaction',
      since: '2.0.0',
      complexity: 'O(N), when N is the number of queued commands',
      summary: 'Discard all commands issued after MULTI',
      afterMulti: 'runs',
      afterBegin: 'refused',
      run(caller) {
        if (caller.queue === undefined) throw new CommandError('ERR DISCARD without MULTI')
        caller.discardQueue()
        caller.out.ok()
      },
    },
    watch: {
      arity: -2,
      keys: '1..-1 RO',
      flags: 'noscript loading stale fast allow_busy',
      categories: '@fast @transaction',
      since: '2.2.0',
      complexity: 'O(1) for every key.',
      summary: 'Watch the given keys to determine execution of the MULTI/EXEC block',
      afterIn: true,
      afterMulti: 'runs',
      afterBegin: 'refused',
      run(caller, request) {
        if (caller.queue !== undefined) throw new CommandError('ERR WATCH inside MULTI is not allowed')
        const { keys } = caller
        const watched = caller.watched.get(keys) ?? new Map<string, boolean>()
        caller.watched.set(keys, watched)
        for (let i = 1; i < request.count; i++) {
          const key = bytesAt(request, i)
          const name = keyName(key)
          if (watched.has(name)) continue
          watched.set(name, keys.has(key))
          keys.watch(name, caller)
        }
        caller.out.ok()
      },
    },
    unwatch: {
      arity: 1,
      flags: 'noscript loading stale fast allow_busy',
      categories: '@fast @transaction',
      since: '2.2.0',
      complexity: 'O(1)',
      summary: 'Forget about all watched keys',
      afterBegin: 'apart',
      run(caller) {
        caller.unwatchAll()
        caller.out.ok()
      },
    },
  },
)
