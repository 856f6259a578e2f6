/** PING, HELLO, AUTH and other commands about the connection. */

import type { Session } from '../connection/session.ts'
import { type Arguments, bytesAt, isWord, textAt } from '../protocol/request.ts'
import { integerAt, requireDatabase } from './arguments.ts'
import { requireClientName } from './client.ts'
import { CommandError } from './errors.ts'
import { VERSION } from './info.ts'
import { discardQueue } from './transactions.ts'
import type { Handler, Handlers } from './types.ts'

const WRONG_PASSWORD = 'WRONGPASS invalid username-password pair or user is disabled.'

const ping: Handler = ({ out, subscription, resp3 }, request) => {
  if (request.count > 2) throw new CommandError("ERR wrong number of arguments for 'ping' command")
  if (subscription !== undefined && !resp3) {
    out.array(2)
    out.text('pong')
    out.text(request.count === 2 ? textAt(request, 1) : '')
  } else if (request.count === 1) out.simple('PONG')
  else out.bulk(bytesAt(request, 1))
}

/** The only user is `default`; without a password it takes any. */
const authenticate = (session: Session, user: string, password: Uint8Array): void => {
  const known = session.server.password
  const right = known === undefined || known.is(password)
  if (user !== 'default' || !right) {
    session.server.log.warn('wrong password', { client: session.id, address: session.address })
    throw new CommandError(WRONG_PASSWORD)
  }
  session.authenticate()
}

const auth: Handler = (session, request) => {
  if (request.count > 3) throw new CommandError('ERR syntax error')
  if (request.count === 2 && session.server.password === undefined)
    throw new CommandError(
      'ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?',
    )
  const user = request.count === 3 ? textAt(request, 1) : 'default'
  authenticate(session, user, bytesAt(request, request.count - 1))
  session.out.ok()
}

const hello: Handler = (session, request) => {
  let version = session.resp3 ? 3 : 2
  if (request.count > 1) {
    version = Number(integerAt(request, 1, 'ERR Protocol version is not an integer or out of range'))
    if (version !== 2 && version !== 3) throw new CommandError('NOPROTO unsupported protocol version')
  }
  const { user, password, name } = helloOptions(request)
  if (user !== undefined && password !== undefined) authenticate(session, user, password)
  if (!session.authenticated)
    throw new CommandError(
      'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time',
    )
  if (name !== undefined) session.name = requireClientName(name)
  session.resp3 = version === 3
  const { out } = session
  out.resp3 = session.resp3
  out.map(7)
  out.text('server')
  out.text('redis')
  out.text('version')
  out.text(VERSION)
  out.text('proto')
  out.integer(version)
  out.text('id')
  out.integer(session.id)
  out.text('mode')
  out.text('standalone')
  out.text('role')
  out.text('master')
  out.text('modules')
  out.array(0)
}

const helloOptions = (
  request: Arguments,
): { user: string | undefined; password: Uint8Array | undefined; name: string | undefined } => {
  let user: string | undefined
  let password: Uint8Array | undefined
  let name: string | undefined
  for (let i = 2; i < request.count; i++) {
    const more = request.count - 1 - i
    if (isWord(request, i, 'auth') && more >= 2) {
      user = textAt(request, ++i)
      password = bytesAt(request, ++i)
    } else if (isWord(request, i, 'setname') && more >= 1) name = textAt(request, ++i)
    else throw new CommandError(`ERR Syntax error in HELLO option '${textAt(request, i)}'`)
  }
  return { user, password, name }
}

const reset: Handler = session => {
  discardQueue(session)
  session.interactive?.abandon()
  session.interactive = undefined
  session.server.lockWaits.wake()
  session.subscription?.end()
  session.subscription = undefined
  session.name = ''
  session.resp3 = false
  session.out.resp3 = false
  session.authenticated = session.server.password === undefined
  session.parser.trusted = session.authenticated
  session.out.simple('RESET')
}

export const connection: Handlers = {
  ping,
  echo: ({ out }, request) => out.bulk(bytesAt(request, 1)),
  auth,
  hello,
  reset,
  select: ({ out }, request) => {
    requireDatabase(request, 1)
    out.ok()
  },
  quit: session => {
    session.out.ok()
    session.endSoon()
  },
}
