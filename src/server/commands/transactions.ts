/** MULTI, EXEC, DISCARD, WATCH, UNWATCH. */

import { LockConflictError } from '../../errors.ts'
import { callQueued } from '../connection/calls.ts'
import type { Session } from '../connection/session.ts'
import { bytesAt } from '../protocol/request.ts'
import { CommandError } from './errors.ts'
import { keyName } from './keyspace.ts'
import type { Handler, Handlers } from './types.ts'

const multi: Handler = (session: Session) => {
  if (session.queue !== undefined) throw new CommandError('ERR MULTI calls can not be nested')
  session.queue = { calls: [], bytes: 0, failed: false }
  session.out.ok()
}

const exec: Handler = session => {
  const { queue, out, server } = session
  if (queue === undefined) throw new CommandError('ERR EXEC without MULTI')
  if (queue.failed) {
    discardQueue(session)
    throw new CommandError('EXECABORT Transaction discarded because of previous errors.')
  }
  if (session.dirty || hasExpired(session)) {
    discardQueue(session)
    out.nullArray()
    return
  }
  // What is locked by a transaction makes all of them be tried again: the queue stays until they have run.
  session.queue = undefined
  try {
    server.keys.together(() => {
      out.array(queue.calls.length)
      for (const each of queue.calls) callQueued(session, each)
    })
  } catch (error) {
    if (error instanceof LockConflictError && error.conflict !== undefined) session.queue = queue
    else session.unwatchAll()
    throw error
  }
  session.unwatchAll()
}

/** A watched record that has expired since is a change too. */
const hasExpired = ({ watched, server }: Session): boolean => {
  for (const [key, wasThere] of watched)
    if (wasThere && !server.keys.has(Buffer.from(key, 'latin1'))) return true
  return false
}

export const discardQueue = (session: Session): void => {
  session.queue = undefined
  session.unwatchAll()
}

const watch: Handler = (session, request) => {
  if (session.queue !== undefined) throw new CommandError('ERR WATCH inside MULTI is not allowed')
  const { keys } = session.server
  for (let i = 1; i < request.count; i++) {
    const key = bytesAt(request, i)
    const name = keyName(key)
    if (session.watched.has(name)) continue
    session.watched.set(name, keys.has(key))
    keys.watch(name, session)
  }
  session.out.ok()
}

export const transactions: Handlers = {
  multi,
  exec,
  discard: session => {
    if (session.queue === undefined) throw new CommandError('ERR DISCARD without MULTI')
    discardQueue(session)
    session.out.ok()
  },
  watch,
  unwatch: session => {
    session.unwatchAll()
    session.out.ok()
  },
}
