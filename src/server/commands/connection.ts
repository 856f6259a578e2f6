/** PING, HELLO, AUTH and other commands about the connection. */

import { type Arguments, bytesAt, isWord, textAt } from '../protocol/request.ts'
import { databaseAt, integerAt, numberAt } from './arguments.ts'
import type { Caller, Handler } from './caller.ts'
import { requireClientName } from './client.ts'
import { type Family, family } from './command.ts'
import { CommandError, notInCluster } from './errors.ts'
import { VERSION } from './info.ts'
import { isHelloPassword, isPassword } from './traits.ts'

const WRONG_PASSWORD = 'WRONGPASS invalid username-password pair or user is disabled.'

const ping: Handler = ({ out, isSubscribed, resp3 }, request) => {
  if (request.count > 2) throw new CommandError("ERR wrong number of arguments for 'ping' command")
  if (isSubscribed && !resp3) {
    out.array(2)
    out.text('pong')
    out.text(request.count === 2 ? textAt(request, 1) : '')
  } else if (request.count === 1) out.simple('PONG')
  else out.bulk(bytesAt(request, 1))
}

/** The only user is `default`; without a password it takes any. */
const authenticate = (caller: Caller, user: string, password: Uint8Array): void => {
  const known = caller.server.password
  const right = known === undefined || known.is(password)
  if (user !== 'default' || !right) {
    caller.server.log.warn('wrong password', { client: caller.id, address: caller.address })
    throw new CommandError(WRONG_PASSWORD)
  }
  caller.authenticate()
}

const auth: Handler = (caller, request) => {
  if (request.count > 3) throw new CommandError('ERR syntax error')
  if (request.count === 2 && caller.server.password === undefined)
    throw new CommandError(
      'ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?',
    )
  const user = request.count === 3 ? textAt(request, 1) : 'default'
  authenticate(caller, user, bytesAt(request, request.count - 1))
  caller.out.ok()
}

const hello: Handler = (caller, request) => {
  let version = caller.resp3 ? 3 : 2
  if (request.count > 1) {
    version = Number(integerAt(request, 1, 'ERR Protocol version is not an integer or out of range'))
    if (version !== 2 && version !== 3) throw new CommandError('NOPROTO unsupported protocol version')
  }
  const { user, password, name } = helloOptions(request)
  if (user !== undefined && password !== undefined) authenticate(caller, user, password)
  if (!caller.authenticated)
    throw new CommandError(
      'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time',
    )
  if (name !== undefined) caller.name = requireClientName(name)
  caller.speak(version === 3)
  const { out } = caller
  out.map(7)
  out.text('server')
  out.text('redis')
  out.text('version')
  out.text(VERSION)
  out.text('proto')
  out.integer(version)
  out.text('id')
  out.integer(caller.id)
  out.text('mode')
  const { cluster } = caller.server
  out.text(cluster === undefined ? 'standalone' : 'cluster')
  out.text('role')
  out.text(cluster === undefined || cluster.isLeader ? 'master' : 'replica')
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

export const connection: Family = family(
  { group: 'connection', afterBegin: 'apart' },
  {
    ping: {
      arity: -1,
      flags: 'fast',
      categories: '@fast @connection',
      tips: 'request_policy:all_shards response_policy:all_succeeded',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Ping the server',
      whileSubscribed: true,
      run: ping,
    },
    echo: {
      arity: 2,
      flags: 'loading stale fast',
      categories: '@fast @connection',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Echo the given string',
      run: ({ out }, request) => out.bulk(bytesAt(request, 1)),
    },
    hello: {
      arity: -1,
      flags: 'noscript loading stale fast no_auth allow_busy',
      categories: '@fast @connection',
      since: '6.0.0',
      complexity: 'O(1)',
      summary: 'Handshake with Redis',
      isSecret: isHelloPassword,
      run: hello,
    },
    auth: {
      arity: -2,
      flags: 'noscript loading stale fast no_auth allow_busy',
      categories: '@fast @connection',
      since: '1.0.0',
      complexity: 'O(N) where N is the number of passwords defined for the user',
      summary: 'Authenticate to the server',
      isSecret: isPassword,
      run: auth,
    },
    select: {
      arity: 2,
      flags: 'loading stale fast',
      categories: '@fast @connection',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Change the selected database for the current connection',
      run(caller, request) {
        const { databases, cluster } = caller.server
        if (cluster === undefined) caller.select(databaseAt(request, 1, databases))
        else if (numberAt(request, 1) !== 0) throw notInCluster('SELECT')
        caller.out.ok()
      },
    },
    quit: {
      arity: -1,
      flags: 'noscript loading stale fast no_auth allow_busy',
      categories: '@fast @connection',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Close the connection',
      afterMulti: 'runs',
      whileSubscribed: true,
      run(caller) {
        caller.out.ok()
        caller.endSoon()
      },
    },
    reset: {
      arity: 1,
      flags: 'noscript loading stale fast no_auth allow_busy',
      categories: '@fast @connection',
      since: '6.2.0',
      complexity: 'O(1)',
      summary: 'Reset the connection',
      afterMulti: 'runs',
      whileSubscribed: true,
      run(caller) {
        caller.reset()
        caller.out.simple('RESET')
      },
    },
  },
)
