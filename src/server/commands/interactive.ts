/** BEGIN, COMMIT, ROLLBACK: transactions that stay open between the commands of a connection, which Redis lacks. */

import type { IsolationLevel } from '../../types.ts'
import { type Arguments, isWord, textAt } from '../protocol/request.ts'
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

/** BEGIN [ISOLATION level], the level in one word with hyphens, or in two. */
const isolationOf = (request: Arguments): IsolationLevel => {
  if (request.count === 1) return 'serializable'
  if (!isWord(request, 1, 'isolation') || request.count < 3 || request.count > 4)
    throw new CommandError(SYNTAX)
  const words = request.count === 3 ? [textAt(request, 2)] : [textAt(request, 2), textAt(request, 3)]
  const name = words.join('-').toLowerCase()
  const level = LEVELS.find(each => each === name)
  if (level === undefined) throw new CommandError(`ERR isolation is one of ${LEVELS.join(', ')}`)
  return level
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
        const isolation = isolationOf(request)
        if (caller.watched.size > 0)
          throw new CommandError('ERR WATCH and BEGIN do not go together; UNWATCH first')
        caller.begin(isolation)
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
      arity: 1,
      flags: 'noscript',
      categories: '@transaction',
      since: '1.0.0',
      complexity: 'O(N) where N is the number of changes',
      summary: 'Take back the interactive transaction (xenondb)',
      afterMulti: 'refused',
      run(caller) {
        requireBegin(caller, 'ROLLBACK')
        caller.rollback()
        caller.out.ok()
      },
    },
  },
)
