/** The options of `connect`, checked. */

import type { ConnectionOptions } from 'node:tls'
import { InvalidArgumentError } from '../errors.ts'
import type { KeyEncoding, SubEncodings, ValueEncoding } from '../types.ts'
import { milliseconds } from '../values/checks.ts'
import { type LoadedEncoding, loadEncoding } from '../values/encoding.ts'
import { type KeyCodec, keyCodec } from '../values/key-codec.ts'
import type { LinkOptions } from './link-options.ts'

/** How `connect` reaches a server, and what its keys and values are. */
export interface ConnectOptions<V = string> {
  /** Default `'127.0.0.1'`. */
  host?: string | undefined
  /** Default 6399. */
  port?: number | undefined
  /** Path of a Unix socket, in place of `host` and `port`. */
  socket?: string | undefined
  /** True, or options of `node:tls`. Default false. */
  tls?: boolean | ConnectionOptions | undefined
  /** Default `'default'`, the only one that xenondb knows. */
  username?: string | undefined
  /** Default: none, for a server that asks for none. */
  password?: string | undefined
  /** Name of the connection, for `CLIENT LIST`. */
  name?: string | undefined
  /** Default `'utf8'`. */
  valueEncoding?: ValueEncoding<V> | undefined
  /** What keys are: text, bytes, or tuples; as for `open`. Default `'utf8'`. */
  keyEncoding?: KeyEncoding | undefined
  /** Milliseconds that a request waits for its answer once it is sent. Default 30,000; `Infinity`: for ever. */
  requestTimeout?: number | undefined
  /**
   * Milliseconds for a connection to be made and greeted. While there is none, a request waits so long for one, but not
   * longer: it rejects with `XENON_CONNECTION`. Default 5,000; `Infinity`: for ever.
   */
  connectTimeout?: number | undefined
  /** Connect again when the connection is lost. Default true. */
  reconnect?: boolean | undefined
  /** Requests wait for a connection while there is none. With false they reject at once. Default true. */
  offlineQueue?: boolean | undefined
  /** Connections that transactions may have, besides the one of everything else. Default 8. */
  transactionConnections?: number | undefined
}

export interface ResolvedConnectOptions<V> extends Encodings<V> {
  link: LinkOptions
  transactionConnections: number
}

export function resolveConnectOptions<V>(given: ConnectOptions<V>): ResolvedConnectOptions<V> {
  if (given === null || typeof given !== 'object')
    throw new InvalidArgumentError('the options of connect() must be an object')
  const {
    host = '127.0.0.1',
    port = 6399,
    socket,
    tls = false,
    username = 'default',
    password,
    name,
    valueEncoding = 'utf8' as ValueEncoding<V>,
    keyEncoding = 'utf8',
    requestTimeout = 30_000,
    connectTimeout = 5_000,
    reconnect = true,
    offlineQueue = true,
    transactionConnections = 8,
    ...others
  } = given
  const unknown = Object.keys(others)[0]
  if (unknown !== undefined) throw new InvalidArgumentError(`connect() has no option '${unknown}'`)
  text('host', host)
  text('username', username)
  for (const [option, value] of Object.entries({ socket, password, name })) if (value !== undefined) text(option, value)
  if (!Number.isInteger(port) || port < 1 || port > 65535)
    throw new InvalidArgumentError(`port must be a number from 1 to 65535, not ${String(port)}`)
  const encodings = checkedEncodings({ valueEncoding, keyEncoding })
  for (const [option, value] of Object.entries({ reconnect, offlineQueue }))
    if (typeof value !== 'boolean') throw new InvalidArgumentError(`${option} must be true or false`)
  if (!Number.isInteger(transactionConnections) || transactionConnections < 1)
    throw new InvalidArgumentError('transactionConnections must be a whole number above 0')
  for (const [option, value] of Object.entries({ requestTimeout, connectTimeout })) positive(option, value)
  const pushesLockWaits = true
  const place = { host, port, socket, tls, username, password, name }
  const link = { ...place, requestTimeout, connectTimeout, reconnect, offlineQueue, pushesLockWaits }
  return { link, ...encodings, transactionConnections }
}

export interface Encodings<V> {
  valueEncoding: LoadedEncoding<V>
  keys: KeyCodec
}

/** @throws InvalidArgumentError */
export function checkedEncodings<V>(given: SubEncodings<V>): Encodings<V> {
  if (given === null || typeof given !== 'object')
    throw new InvalidArgumentError("the options of a sub-database must be an object, such as { valueEncoding: 'json' }")
  const { valueEncoding = 'utf8', keyEncoding = 'utf8', ...others } = given
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) throw new InvalidArgumentError(`there is no option '${unknown}' of a sub-database here`)
  return { valueEncoding: loadEncoding<V>(valueEncoding), keys: keyCodec(keyEncoding) }
}

function text(name: string, value: unknown): void {
  if (typeof value !== 'string' || value === '')
    throw new InvalidArgumentError(`${name} must be a string with something in it`)
}

function positive(name: string, value: number): void {
  if (milliseconds(name, value) === 0) throw new InvalidArgumentError(`${name} must be above 0`)
}
