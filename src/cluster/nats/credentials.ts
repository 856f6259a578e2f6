/** How a node reaches NATS, and who it is there: options of xenondb as those of NATS. */
import { readFileSync } from 'node:fs'
import {
  type Authenticator,
  type ConnectionOptions,
  credsAuthenticator,
  nkeyAuthenticator,
  usernamePasswordAuthenticator,
} from '@nats-io/nats-core'
import { InvalidArgumentError, reasonOf } from '../../errors.ts'
import type { NatsCredentials, NatsOptions } from '../services.ts'

/** Silence of a server after which the connection counts as lost: two of these, in milliseconds. */
const PING_INTERVAL_MS = 1_000

/** @throws InvalidArgumentError that says which option is wrong. */
export function connectionOptions(options: NatsOptions, who: NatsCredentials): ConnectionOptions {
  if (options.servers.length === 0) throw new InvalidArgumentError('servers: name at least one (nats://HOST:PORT)')
  for (const url of options.servers)
    if (!/^((nats|tls):\/\/)?[^/\s@]+$/.test(url) || !URL.canParse(`tcp://${url.replace(/^\w+:\/\//, '')}`))
      throw new InvalidArgumentError(
        `servers: ${JSON.stringify(url)} is not of the form nats://HOST:PORT (users and passwords are options of their own)`,
      )
  for (const url of options.monitors ?? [])
    if (!/^https?:\/\//.test(url) || !URL.canParse(url))
      throw new InvalidArgumentError(`monitors: ${JSON.stringify(url)} is not of the form http://HOST:PORT`)
  const authenticator = authenticatorOf(who)
  const { tls } = options
  return {
    servers: [...options.servers],
    name: options.name ?? 'xenondb',
    ...(authenticator === undefined ? {} : { authenticator }),
    ...(tls === undefined ? {} : { tls: given(tls) }),
    // The connection is kept for good: an outage is bridged, and an answer of a server that is starting does not end it.
    reconnect: true,
    maxReconnectAttempts: -1,
    ignoreAuthErrorAbort: true,
    reconnectTimeWait: 200,
    reconnectJitter: 100,
    reconnectJitterTLS: 100,
    timeout: 2_000,
    pingInterval: PING_INTERVAL_MS,
    maxPingOut: 2,
    noAsyncTraces: true,
  }
}

function authenticatorOf(who: NatsCredentials): Authenticator | undefined {
  const ways = [who.user, who.nkeyFile, who.credsFile].filter(way => way !== undefined)
  if (ways.length > 1) throw new InvalidArgumentError('give one of user, nkeyFile and credsFile, not several')
  if (who.user !== undefined) return usernamePasswordAuthenticator(who.user, who.password ?? '')
  if (who.password !== undefined) throw new InvalidArgumentError('password: there is no user that it belongs to')
  if (who.nkeyFile !== undefined) {
    const seed = /^S[A-Z0-9]{50,}$/m.exec(textOf('nkeyFile', who.nkeyFile))?.[0]
    if (seed === undefined) throw new InvalidArgumentError(`nkeyFile: ${who.nkeyFile} has no line with a seed (SU…)`)
    return nkeyAuthenticator(new TextEncoder().encode(seed))
  }
  if (who.credsFile === undefined) return undefined
  const text = textOf('credsFile', who.credsFile)
  if (!/BEGIN NATS USER JWT/.test(text))
    throw new InvalidArgumentError(`credsFile: ${who.credsFile} is no credentials file of NATS (nsc generate creds)`)
  return credsAuthenticator(new TextEncoder().encode(text))
}

function textOf(option: string, file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new InvalidArgumentError(`${option}: ${file} cannot be read: ${reasonOf(cause)}`, { cause })
  }
}

/** Without the fields that are undefined. */
const given = <T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never
