/** The options of `createServer`: checked, with their defaults. */
import { resolve } from 'node:path'
import type { Database } from '../../database/database.ts'
import { InvalidArgumentError } from '../../errors.ts'
import { milliseconds } from '../../values/checks.ts'
import { CLASS_LETTERS, parseClasses } from './key-events.ts'
import { LOG_LEVELS, type LogLevel } from './log.ts'

/** Opens the database again. */
// biome-ignore lint/suspicious/noExplicitAny: with whatever encodings; a server takes the bytes
export type Reopen = (options: { readOnly: boolean }) => Database<any, any>

/** Where a server listens. */
export type Address = { host: string; port: number } | { socket: string }

/** How `createServer` and `xenondb serve` serve a database. */
export interface ServerOptions {
  /** Default 127.0.0.1. Another address than one of this machine's own needs a password. */
  host?: string | undefined
  /** Default 6399; 0: any free port. */
  port?: number | undefined
  /** Path of a Unix socket, in place of host and port. */
  socket?: string | undefined
  /** Clients may read, and change nothing; nor may they have the server stop, copy or compact. Default false. */
  readOnly?: boolean | undefined
  /** Clients must say AUTH with it. */
  password?: string | undefined
  /** Certificate and key (PEM) for TLS; `ca` makes clients show a certificate signed by it. */
  tls?: { key: string | Uint8Array; cert: string | Uint8Array; ca?: string | Uint8Array } | undefined
  /** Clients at a time. Default 1,024. */
  maxClients?: number | undefined
  /** Numbered databases, which clients SELECT: the first is the root, the others are sub-databases. Default 16. */
  databases?: number | undefined
  /** Bytes of one argument, and of a value. Default 16 MiB. */
  maxArgumentBytes?: number | undefined
  /** Bytes of a request that has not arrived whole. Default 32 MiB. */
  maxQueryBytes?: number | undefined
  /** A client with so much unsent is not read from. Default 1 MiB. */
  pauseOutputBytes?: number | undefined
  /**
   * Bytes of a reply: a longer one is an error in its place. A client with more than this and `pauseOutputBytes` unsent
   * is closed. Default 32 MiB.
   */
  maxOutputBytes?: number | undefined
  /**
   * Bytes that all clients together may hold: requests that have not arrived whole or wait, what MULTI has queued, and
   * replies that were not taken. Above it those that hold the most are closed. Default 512 MiB.
   */
  maxClientMemoryBytes?: number | undefined
  /**
   * Bytes of messages that a subscriber may have unsent before it is closed. Default 32 MiB. Here and in the next two,
   * `Infinity`: no bound.
   */
  maxSubscriberOutputBytes?: number | undefined
  /** With so many bytes of messages unsent for `softSubscriberOutputTime`, a subscriber is closed. Default 8 MiB. */
  softSubscriberOutputBytes?: number | undefined
  /** Milliseconds. Default 60,000. */
  softSubscriberOutputTime?: number | undefined
  /**
   * Which events of keys are published to channels, by the letters of Redis: `KEA` is nearly all of them. Default: none.
   */
  notifyKeyspaceEvents?: string | undefined
  /**
   * Keys that are remembered for the caches of clients (CLIENT TRACKING); with more, clients are told to drop the oldest
   * ones. 0: no bound. Default 1,000,000.
   */
  trackingTableMaxKeys?: number | undefined
  /** Milliseconds to authenticate. Default 10,000. Of all times here, `Infinity`: for ever. */
  authTimeout?: number | undefined
  /** Milliseconds for a request that has begun to arrive whole. Default 30,000. */
  requestTimeout?: number | undefined
  /** Milliseconds after which a client that says nothing is closed. Default `Infinity`. */
  idleTimeout?: number | undefined
  /** Milliseconds that a command waits for the lock of a transaction. Default 10,000. */
  lockTimeout?: number | undefined
  /**
   * Milliseconds after which a transaction (BEGIN) is rolled back whose client has said no command in it; the next one
   * is answered with an error. Default 60,000.
   */
  transactionTimeout?: number | undefined
  /** SLOWLOG keeps commands that take so many microseconds; 0: all, -1: none. Default 10,000. */
  slowlogLogSlowerThan?: number | undefined
  /** Commands that SLOWLOG keeps. Default 128. */
  slowlogMaxLen?: number | undefined
  /** LATENCY keeps when a command took so many milliseconds; 0: never. Default 0. */
  latencyMonitorThreshold?: number | undefined
  /**
   * Milliseconds that a script (EVAL) may take; one that takes longer is stopped, and everything that it has done is
   * taken back. Default 5,000.
   */
  scriptTimeLimit?: number | undefined
  /** Bytes of memory that Lua may take for scripts, 16 MiB at least. Default 64 MiB. */
  scriptMemoryBytes?: number | undefined
  /** Where BACKUP puts its copies; without it BACKUP is refused. */
  backupDirectory?: string | undefined
  /** Port on 127.0.0.1 for /metrics and /health; 0: any free one. Default: none. */
  metricsPort?: number | undefined
  /**
   * Opens the database again when its handle has failed because the disk was full, for reading only where `readOnly`
   * says so; the server closes such a handle itself before it takes another. Without it the server ends.
   */
  reopen?: Reopen | undefined
  /** Default 'silent' for createServer, 'info' for `xenondb serve`. */
  logLevel?: LogLevel | undefined
  /** Takes each line of the log (JSON). Default: stderr. */
  log?: ((line: string) => void) | undefined
}

/** Every option is there. */
type Given<T> = { [N in keyof T]-?: Exclude<T[N], undefined> }

export interface Settings
  extends Given<Omit<ServerOptions, 'socket' | 'password' | 'tls' | 'backupDirectory' | 'metricsPort' | 'reopen'>> {
  reopen: Reopen | undefined
  socket: string | undefined
  password: string | undefined
  tls: ServerOptions['tls'] | undefined
  backupDirectory: string | undefined
  metricsPort: number | undefined
}

const MiB = 1048576
/** macOS takes 103 bytes, Linux 107. */
const MOST_SOCKET_BYTES = 103
/** Of all clients together, in bytes. */
export const LEAST_CLIENT_MEMORY: number = MiB
/** The engine's largest value. */
const LARGEST_ARGUMENT = 256 * MiB

export const resolveServerOptions = (given: ServerOptions = {}): Settings => {
  if (given === null || typeof given !== 'object') throw invalid('the options of a server must be an object')
  const defaults = {
    host: '127.0.0.1',
    port: 6399,
    socket: undefined,
    readOnly: false,
    password: undefined,
    tls: undefined,
    maxClients: 1024,
    databases: 16,
    maxArgumentBytes: 16 * MiB,
    maxQueryBytes: 32 * MiB,
    pauseOutputBytes: MiB,
    maxOutputBytes: 32 * MiB,
    maxClientMemoryBytes: 512 * MiB,
    maxSubscriberOutputBytes: 32 * MiB,
    softSubscriberOutputBytes: 8 * MiB,
    softSubscriberOutputTime: 60_000,
    notifyKeyspaceEvents: '',
    trackingTableMaxKeys: 1_000_000,
    authTimeout: 10_000,
    requestTimeout: 30_000,
    idleTimeout: Number.POSITIVE_INFINITY,
    lockTimeout: 10_000,
    transactionTimeout: 60_000,
    slowlogLogSlowerThan: 10_000,
    slowlogMaxLen: 128,
    latencyMonitorThreshold: 0,
    scriptTimeLimit: 5000,
    scriptMemoryBytes: 64 * MiB,
    backupDirectory: undefined,
    metricsPort: undefined,
    reopen: undefined,
    logLevel: 'silent' as LogLevel,
    log: (line: string): void => void process.stderr.write(`${line}\n`),
  }
  for (const name of Object.keys(given)) if (!(name in defaults)) throw invalid(`there is no server option '${name}'`)
  const known = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  const settings: Settings = { ...defaults, ...known }
  const whole = (name: keyof Settings, least: number, most: number): void => {
    const value = settings[name]
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least || value > most)
      throw invalid(`${name} must be a whole number from ${least} to ${most}, not ${String(value)}`)
  }
  whole('port', 0, 65535)
  whole('maxClients', 1, 1_000_000)
  whole('databases', 1, 1_000_000)
  whole('maxArgumentBytes', 1024, LARGEST_ARGUMENT)
  whole('maxQueryBytes', 1024, 1024 * MiB)
  whole('pauseOutputBytes', 1024, 1024 * MiB)
  whole('maxOutputBytes', 1024, 1024 * MiB)
  whole('maxClientMemoryBytes', LEAST_CLIENT_MEMORY, Number.MAX_SAFE_INTEGER)
  for (const name of ['maxSubscriberOutputBytes', 'softSubscriberOutputBytes'] as const)
    if (settings[name] !== Number.POSITIVE_INFINITY) whole(name, 1024, Number.MAX_SAFE_INTEGER)
  whole('trackingTableMaxKeys', 0, Number.MAX_SAFE_INTEGER)
  if (typeof settings.notifyKeyspaceEvents !== 'string' || parseClasses(settings.notifyKeyspaceEvents) === undefined)
    throw invalid(
      `notifyKeyspaceEvents must be letters of ${CLASS_LETTERS}, not ${String(settings.notifyKeyspaceEvents)}`,
    )
  milliseconds('softSubscriberOutputTime', settings.softSubscriberOutputTime)
  whole('slowlogLogSlowerThan', -1, Number.MAX_SAFE_INTEGER)
  whole('slowlogMaxLen', 0, 1_000_000)
  whole('latencyMonitorThreshold', 0, Number.MAX_SAFE_INTEGER)
  whole('scriptMemoryBytes', 16 * MiB, 1024 * MiB)
  for (const name of [
    'authTimeout',
    'requestTimeout',
    'lockTimeout',
    'idleTimeout',
    'transactionTimeout',
    'scriptTimeLimit',
  ] as const)
    if (milliseconds(name, settings[name]) === 0) throw invalid(`${name} must be above 0`)
  if (typeof settings.readOnly !== 'boolean') throw invalid('readOnly must be true or false')
  if (settings.metricsPort !== undefined) whole('metricsPort', 0, 65535)
  if (!LOG_LEVELS.includes(settings.logLevel)) throw invalid(`logLevel must be one of ${LOG_LEVELS.join(', ')}`)
  if (settings.reopen !== undefined && typeof settings.reopen !== 'function')
    throw invalid('reopen must be a function that opens the database')
  if (typeof settings.host !== 'string' || settings.host === '') throw invalid('host must be an address')
  if (settings.password !== undefined && (typeof settings.password !== 'string' || settings.password === ''))
    throw invalid('password must be a string that is not empty')
  const open = settings.socket === undefined && !isLoopback(settings.host)
  if (open && settings.password === undefined)
    throw invalid(`${settings.host} can be reached from other machines, so it needs a password; or listen on 127.0.0.1`)
  // They mean the same after a chdir: the socket is removed by its name when the server closes.
  if (typeof settings.backupDirectory === 'string') settings.backupDirectory = resolve(settings.backupDirectory)
  if (typeof settings.socket === 'string') settings.socket = absoluteSocket(settings.socket)
  return settings
}

/** The system takes only so many bytes of a socket's path: one that is short enough only as it is given stays so. */
const absoluteSocket = (path: string): string => {
  const absolute = resolve(path)
  return path.startsWith('\0') || new TextEncoder().encode(absolute).length > MOST_SOCKET_BYTES ? path : absolute
}

export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host)

const invalid = (message: string): InvalidArgumentError => new InvalidArgumentError(message)
