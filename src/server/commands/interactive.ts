/**
 * BEGIN, SAVEPOINT, COMMIT, ROLLBACK, LOCKTIMEOUT, LOCKWAIT: transactions that stay open between the commands of a
 * connection, which Redis lacks.
 */

import type { AsyncTransactionOptions, IsolationLevel } from '../../types.ts'
import { type Arguments, isWord, textAt } from '../protocol/request.ts'
import { numberAt } from './arguments.ts'
import type { Caller } from './caller.ts'
import { type Family, family } from './command.ts'
import { CommandError, SYNTAX } from './errors.ts'

const LEVELS: readonly IsolationLevel[] = [
  'read-uncommitted',
  'read-committed',
  'repeatable-read',
  'snapshot',
  'serializable',
]

/** BEGIN [ISOLATION level] [READONLY] [LOCKTIMEOUT ms], the level in one word with hyphens, or in two. */
const optionsOf = (request: Arguments): AsyncTransactionOptions => {
  const options: AsyncTransactionOptions = {}
  for (let i = 1; i < request.count; i++) {
    const more = request.count - i - 1
    if (isWord(request, i, 'readonly')) options.readOnly = true
    else if (isWord(request, i, 'locktimeout') && more > 0) options.lockTimeout = timeoutAt(request, ++i)
    else if (isWord(request, i, 'isolation') && more > 0) {
      const word = textAt(request, ++i).toLowerCase()
      const second = more > 1 ? `${word}-${textAt(request, i + 1).toLowerCase()}` : word
      const level = LEVELS.find(each => each === word) ?? LEVELS.find(each => each === second)
      if (level === undefined) throw new CommandError(`ERR isolation is one of ${LEVELS.join(', ')}`)
      if (level !== word) i++
      options.isolation = level
    } else throw new CommandError(SYNTAX)
  }
  return options
}

const LONGEST_TIMEOUT = 2 ** 31 - 1

const timeoutAt = (request: Arguments, index: number): number => {
  const timeout = numberAt(request, index)
  if (timeout >= 0 && timeout <= LONGEST_TIMEOUT) return timeout
  throw new CommandError('ERR timeout is out of range')
}

const requireBegin = ({ inTransaction }: Caller, name: string): void => {
  if (!inTransaction) throw new CommandError(`ERR ${name} without BEGIN`)
}

export const interactive: Family = family(
  { group: 'transactions', afterBegin: 'ends' },
  {
    begin: {
      arity: -1,
      flags: 'noscript',
      categories: '@transaction',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Begin an interactive transaction (xenondb)',
      afterMulti: 'refused',
      afterBegin: 'refused',
      run(caller, request) {
        const options = optionsOf(request)
        const { cluster } = caller.server
        if (cluster?.hasLease === false)
          throw new CommandError('READONLY this node does not lead its shard at the moment')
        if (caller.watched.size > 0) throw new CommandError('ERR WATCH and BEGIN do not go together; UNWATCH first')
        caller.begin(options)
        caller.out.ok()
      },
    },
    commit: {
      arity: 1,
      flags: 'noscript',
      categories: '@transaction',
      since: '1.0.0',
      complexity: 'O(N) where N is the number of locks',
      summary: 'Commit the interactive transaction (xenondb)',
      afterMulti: 'refused',
      run(caller) {
        requireBegin(caller, 'COMMIT')
        caller.commit()
      },
    },
    rollback: {
      arity: -1,
      flags: 'noscript',
      categories: '@transaction',
      since: '1.0.0',
      complexity: 'O(N) where N is the number of changes',
      summary: 'Take back the interactive transaction, or what came after a savepoint (xenondb)',
      afterMulti: 'refused',
      run(caller, request) {
        requireBegin(caller, 'ROLLBACK')
        if (request.count === 1) {
          caller.rollback()
          caller.out.ok()
        } else if (request.count === 3 && isWord(request, 1, 'to')) caller.rollbackTo(numberAt(request, 2))
        else throw new CommandError(SYNTAX)
      },
    },
    savepoint: {
      arity: 1,
      flags: 'noscript',
      categories: '@transaction',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'A number for ROLLBACK TO (xenondb)',
      afterMulti: 'refused',
      run(caller) {
        requireBegin(caller, 'SAVEPOINT')
        caller.savepoint()
      },
    },
    locktimeout: {
      arity: 2,
      flags: 'noscript fast',
      categories: '@fast @connection',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Milliseconds that the next command may wait for a lock (xenondb)',
      afterMulti: 'runs',
      afterBegin: 'apart',
      run(caller, request) {
        caller.lockTimeout = timeoutAt(request, 1)
        caller.out.ok()
      },
    },
    lockwait: {
      arity: -2,
      flags: 'noscript fast',
      categories: '@fast @connection',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Answer commands that meet a lock by a push, later (xenondb)',
      afterMulti: 'refused',
      afterBegin: 'apart',
      run(caller, request) {
        if (request.count === 2 && isWord(request, 1, 'push')) {
          if (!caller.resp3) throw new CommandError('ERR LOCKWAIT PUSH needs RESP3; say HELLO 3')
          if (caller.server.cluster !== undefined)
            throw new CommandError('ERR LOCKWAIT PUSH is not for a node of a cluster: commands wait for locks there')
          caller.pushesLockWaits = true
          caller.out.ok()
        } else if (request.count === 3 && isWord(request, 1, 'cancel'))
          caller.out.integer(caller.cancelLockWait(numberAt(request, 2)) ? 1 : 0)
        else throw new CommandError(SYNTAX)
      },
    },
  },
)
