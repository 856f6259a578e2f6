/** The options that say where a server is, as `client` and `repl` take them. */

import { readFileSync } from 'node:fs'
import type { Command } from 'cac'
import { type Argument, type Client, type ConnectOptions, connect } from '../client/index.ts'
import { isBytes } from '../runtime/bytes.ts'
import { flagOption, millisecondsOption, type Options, textOption } from './arguments.ts'
import { CommandError, UsageError } from './errors.ts'

export type ByteClient = Client<Uint8Array, Uint8Array>

/** What Redis calls otherwise. */
const OTHER_NAMES: Readonly<Record<string, string>> = { PUT: 'SET', DELETE: 'DEL' }

export function connectionOptions(command: Command): Command {
  return command
    .option('--password <password>', 'Default: XENONDB_PASSWORD of the environment')
    .option('--socket <path>', 'A Unix socket, in place of host and port')
    .option('--tls', 'Over TLS')
    .option('--cacert <file>', 'Trust this certificate (PEM) in place of the well-known ones')
    .option('--insecure', 'Over TLS, but trust any certificate')
    .option('--request-timeout <ms>', 'How long to wait for an answer (default: for ever)')
    .option('--connect-timeout <ms>', 'How long to wait for a connection (default: 5000)')
}

export function readConnection(options: Options): ConnectOptions<Uint8Array> {
  const found: ConnectOptions<Uint8Array> = {
    valueEncoding: 'binary',
    keyEncoding: 'binary',
    reconnect: false,
    requestTimeout: millisecondsOption(options, 'requestTimeout') ?? Number.POSITIVE_INFINITY,
  }
  const password = textOption(options, 'password') ?? process.env.XENONDB_PASSWORD
  if (password !== undefined && password !== '') found.password = password
  const connectTimeout = millisecondsOption(options, 'connectTimeout')
  if (connectTimeout !== undefined) found.connectTimeout = connectTimeout
  const socket = textOption(options, 'socket')
  if (socket !== undefined) found.socket = socket
  const cacert = textOption(options, 'cacert')
  const insecure = flagOption(options, 'insecure')
  if (flagOption(options, 'tls') || cacert !== undefined || insecure)
    found.tls = {
      ...(cacert === undefined ? {} : { ca: certificate(cacert) }),
      ...(insecure ? { rejectUnauthorized: false } : {}),
    }
  return found
}

/** `HOST:PORT`, `[::1]:PORT`, or one of the two alone. */
export function readPlace(text: string): { host?: string; port?: number } {
  const [, host, port] = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(text) ?? []
  if (host === undefined || (host === '' && port === undefined)) throw new UsageError('--connect takes HOST:PORT')
  return {
    ...(host === '' ? {} : { host: host.replace(/^\[|\]$/g, '') }),
    ...(port === undefined ? {} : { port: portNumber(port) }),
  }
}

export function portNumber(text: string): number {
  const port = Number(text)
  if (!/^\d+$/.test(text) || port < 1 || port > 65535) throw new UsageError('a port is a number from 1 to 65535')
  return port
}

/** Connects, runs `work`, and closes whatever happens. */
export async function withClient<R>(
  options: ConnectOptions<Uint8Array>,
  work: (client: ByteClient) => Promise<R>,
): Promise<R> {
  const client = await connect<Uint8Array, Uint8Array>(options)
  try {
    return await work(client)
  } finally {
    await client.close()
  }
}

/** `PUT` and `DELETE` are `SET` and `DEL`, behind `IN name` too. */
export function commandOf(words: readonly Argument[]): Argument[] {
  const at = placeLength(words)
  const name = OTHER_NAMES[nameOf(words)] ?? words[at] ?? ''
  return [...words.slice(0, at), name, ...words.slice(at + 1)]
}

/** The name of a command, or of what stands behind IN. */
export function nameOf(words: readonly Argument[]): string {
  return wordOf(words[placeLength(words)])
}

function placeLength(words: readonly Argument[]): number {
  let at = 0
  while (at + 2 < words.length && wordOf(words[at]) === 'IN') at += 2
  return at
}

function wordOf(word: Argument = ''): string {
  return (isBytes(word) ? Buffer.from(word).toString() : String(word)).toUpperCase()
}

function certificate(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (error) {
    throw new CommandError(`cannot read ${file}: ${(error as Error).message}`)
  }
}
