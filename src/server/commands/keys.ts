/** Commands on keys as such. */

import type { Session } from '../connection/session.ts'
import { type Arguments, bytesAt, isWord } from '../protocol/request.ts'
import { requireDatabase } from './arguments.ts'
import { CommandError, NO_SUCH_KEY, SYNTAX } from './errors.ts'
import { keyName } from './keyspace.ts'
import type { Handler, Handlers } from './types.ts'

const del: Handler = ({ server, out }, request) => {
  const { keys } = server
  if (request.count === 2) {
    out.integer(keys.delete(bytesAt(request, 1)) ? 1 : 0)
    return
  }
  const removed = keys.together(() => {
    let count = 0
    for (let i = 1; i < request.count; i++) if (keys.delete(bytesAt(request, i))) count++
    return count
  })
  out.integer(removed)
}

const countFound: Handler = ({ server, out }, request) => {
  let found = 0
  for (let i = 1; i < request.count; i++) if (server.keys.has(bytesAt(request, i))) found++
  out.integer(found)
}

/** Puts the record of one key under another one, with its time of expiry. */
const copyTo = ({ server }: Session, from: Uint8Array, to: Uint8Array): boolean => {
  const { keys } = server
  const value = keys.get(from)
  const time = keys.timeOf(from)
  if (value === undefined || time === undefined) return false
  keys.put(to, value, time)
  return true
}

const move = (session: Session, request: Arguments): void => {
  const from = bytesAt(request, 1)
  const to = bytesAt(request, 2)
  const { keys } = session.server
  keys.together(() => {
    copyTo(session, from, to)
    keys.delete(from)
  })
}

const sameKeys = (request: Arguments): boolean =>
  keyName(bytesAt(request, 1)) === keyName(bytesAt(request, 2))

const rename: Handler = (session, request) => {
  if (!session.server.keys.has(bytesAt(request, 1))) throw new CommandError(NO_SUCH_KEY)
  if (!sameKeys(request)) move(session, request)
  session.out.ok()
}

const renamenx: Handler = (session, request) => {
  if (!session.server.keys.has(bytesAt(request, 1))) throw new CommandError(NO_SUCH_KEY)
  const free = !sameKeys(request) && !session.server.keys.has(bytesAt(request, 2))
  if (free) move(session, request)
  session.out.integer(free ? 1 : 0)
}

const copy: Handler = (session, request) => {
  let replace = false
  for (let i = 3; i < request.count; i++) {
    if (isWord(request, i, 'replace')) replace = true
    else if (isWord(request, i, 'db') && i + 1 < request.count) {
      requireDatabase(request, ++i)
    } else throw new CommandError(SYNTAX)
  }
  if (sameKeys(request)) throw new CommandError('ERR source and destination objects are the same')
  const { keys } = session.server
  const to = bytesAt(request, 2)
  const from = bytesAt(request, 1)
  if (!keys.has(from) || (keys.has(to) && !replace)) session.out.integer(0)
  else session.out.integer(copyTo(session, from, to) ? 1 : 0)
}

const flush: Handler = ({ server, out }, request) => {
  if (
    request.count > 2 ||
    (request.count === 2 && !isWord(request, 1, 'async') && !isWord(request, 1, 'sync'))
  )
    throw new CommandError(SYNTAX)
  server.keys.clear()
  out.ok()
}

export const keyCommands: Handlers = {
  del,
  unlink: del,
  exists: countFound,
  touch: countFound,
  type: ({ server, out }, request) => out.simple(server.keys.has(bytesAt(request, 1)) ? 'string' : 'none'),
  randomkey: ({ server, out }) => {
    const key = server.keys.records.random()
    if (key === undefined) out.null()
    else out.bulk(key)
  },
  rename,
  renamenx,
  copy,
  dbsize: ({ server, out }) => out.integer(server.keys.transaction?.count() ?? server.keys.records.count()),
  flushdb: flush,
  flushall: flush,
}
