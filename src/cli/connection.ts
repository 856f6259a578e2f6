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
    .option('--connect <place>', 'HOST:PORT of the server, or one of the two (default: 127.0.0.1:6399)')
    .option('--host <host>', 'The same, apart')
    .option('--port <port>', 'The same, apart')
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
  Object.assign(found, readPlace(options))
  const cacert = textOption(options, 'cacert')
  const insecure = flagOption(options, 'insecure')
  if (flagOption(options, 'tls') || cacert !== undefined || insecure)
    found.tls = {
      ...(cacert === undefined ? {} : { ca: certificate(cacert) }),
      ...(insecure ? { rejectUnauthorized: false } : {}),
    }
  return found
}

/** A server is named, and not only how to speak with it. */
export function namesServer(options: Options): boolean {
  return ['connect', 'host', 'port', 'socket'].some(name => textOption(options, name) !== undefined)
}

/** `--connect HOST:PORT`, `[::1]:PORT`, or one of the two alone; or `--host` and `--port`. */
function readPlace(options: Options): { host?: string; port?: number } {
  const connect = textOption(options, 'connect')
  const host = textOption(options, 'host')
  const port = textOption(options, 'port')
  if (connect !== undefined && (host !== undefined || port !== undefined))
    throw new UsageError('--connect HOST:PORT, or --host and --port, not both')
  if (connect === undefined)
    return { ...(host !== undefined && { host }), ...(port !== undefined && { port: portNumber(port) }) }
  const [, named, number] = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(connect) ?? []
  if (named === undefined || (named === '' && number === undefined)) throw new UsageError('--connect takes HOST:PORT')
  return {
    ...(named !== '' && { host: named.replace(/^\[|\]$/g, '') }),
    ...(number !== undefined && { port: portNumber(number) }),
  }
}

function portNumber(text: string): number {
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
