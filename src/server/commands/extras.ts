/** What Redis lacks: interactive transactions, ranges, the change feed, backup and compaction. */

import { join } from 'node:path'
import type { IsolationLevel, Range } from '../../types.ts'
import { Interactive } from '../connection/interactive.ts'
import type { Session } from '../connection/session.ts'
import { Subscription } from '../connection/subscription.ts'
import { type Arguments, bytesAt, isWord, textAt } from '../protocol/request.ts'
import { integerAt } from './arguments.ts'
import { CommandError, replyFor, SYNTAX } from './errors.ts'
import type { Handler, Handlers } from './types.ts'

const LEVELS: readonly IsolationLevel[] = [
  'read-uncommitted',
  'read-committed',
  'repeatable-read',
  'snapshot',
  'serializable',
]

/** BEGIN [ISOLATION level], the level in one word with hyphens, or in two. */
const begin: Handler = (session, request) => {
  let isolation: IsolationLevel = 'serializable'
  if (request.count > 1) {
    if (!isWord(request, 1, 'isolation') || request.count < 3 || request.count > 4)
      throw new CommandError(SYNTAX)
    const words = request.count === 3 ? [textAt(request, 2)] : [textAt(request, 2), textAt(request, 3)]
    const name = words.join('-').toLowerCase()
    const level = LEVELS.find(each => each === name)
    if (level === undefined) throw new CommandError(`ERR isolation is one of ${LEVELS.join(', ')}`)
    isolation = level
  }
  if (session.watched.size > 0)
    throw new CommandError('ERR WATCH and BEGIN do not go together; UNWATCH first')
  const ended = new AbortController()
  const { db, settings } = session.server
  const { lockTimeout } = settings
  const transaction = db.beginAsync({ isolation, lockTimeout, signal: ended.signal })
  session.interactive = new Interactive(transaction, ended)
  session.out.ok()
}

const requireInteractive = ({ interactive }: Session, name: string): Interactive => {
  if (interactive === undefined) throw new CommandError(`ERR ${name} without BEGIN`)
  return interactive
}

const OPEN = 40
const BRACKET = 91

/** `-`, `+`, `[key` (included), `(key` (excluded), as ZRANGEBYLEX has them. */
const rangeOf = (request: Arguments): Range => {
  const lower = bytesAt(request, 1)
  const upper = bytesAt(request, 2)
  const range: Range = {}
  if (lower[0] === BRACKET) range.gte = lower.slice(1)
  else if (lower[0] === OPEN) range.gt = lower.slice(1)
  else if (textAt(request, 1) !== '-') throw badBound()
  if (upper[0] === BRACKET) range.lte = upper.slice(1)
  else if (upper[0] === OPEN) range.lt = upper.slice(1)
  else if (textAt(request, 2) !== '+') throw badBound()
  return range
}

const badBound = (): CommandError => new CommandError('ERR min or max not valid string range item')

/** RANGE lo hi [LIMIT n] [REV] [KEYS]: keys and values in turn, in the order of the keys. */
const range: Handler = ({ out, server }, request) => {
  const asked = rangeOf(request)
  let keysOnly = false
  for (let i = 3; i < request.count; i++) {
    if (isWord(request, i, 'rev')) asked.reverse = true
    else if (isWord(request, i, 'keys')) keysOnly = true
    else if (isWord(request, i, 'limit') && i + 1 < request.count) {
      const limit = integerAt(request, ++i)
      if (limit < 0n) throw new CommandError('ERR LIMIT must not be negative')
      asked.limit = Number(limit > 2n ** 52n ? 2n ** 52n : limit)
    } else throw new CommandError(SYNTAX)
  }
  const source = server.keys.transaction ?? server.db
  if (keysOnly) {
    const keys = [...source.keys(asked)]
    out.array(keys.length)
    for (const key of keys) out.bulk(key as unknown as Uint8Array)
    return
  }
  const entries = [...source.entries(asked)]
  out.array(2 * entries.length)
  for (const [key, value] of entries) {
    out.bulk(key as unknown as Uint8Array)
    out.bulk(value)
  }
}

const watchRange: Handler = (session, request) => {
  if (session.subscription !== undefined)
    throw new CommandError('ERR this connection watches a range already')
  session.subscription = new Subscription(session, session.server.db.watch(rangeOf(request)))
  session.out.ok()
}

/** Answers with what the work gives, as a map; other clients go on meanwhile. */
const answerLater = (session: Session, work: () => Promise<Record<string, string | number>>): void =>
  session.later(async () => {
    try {
      const report = Object.entries(await work())
      session.answer(out => {
        out.map(report.length)
        for (const [name, value] of report) {
          out.text(name)
          if (typeof value === 'number') out.integer(value)
          else out.text(value)
        }
      })
    } catch (error) {
      session.answer(out => out.error(replyFor(error)))
    }
  })

const backup: Handler = session => {
  const { backupDirectory } = session.server.settings
  if (backupDirectory === undefined)
    throw new CommandError('ERR this server was started without a directory for backups')
  const name = `backup-${new Date().toISOString().replace(/[:.]/g, '-')}-${session.server.commandsProcessed}`
  answerLater(session, async () => {
    const { bytes, records } = await session.server.db.backup(join(backupDirectory, name))
    return { name, bytes, records }
  })
}

const compact: Handler = session =>
  answerLater(session, async () => {
    const { blocksBefore, blocksAfter, bytesBefore, bytesAfter } = await session.server.db.compact()
    return { blocksBefore, blocksAfter, bytesBefore, bytesAfter }
  })

export const extras: Handlers = {
  begin,
  commit: session => requireInteractive(session, 'COMMIT').commit(session),
  rollback: session => requireInteractive(session, 'ROLLBACK').rollback(session),
  range,
  watchrange: watchRange,
  backup,
  compact,
}
