/** `xenondb serve`: a database over the network, in the Redis protocol. */
import { readFileSync } from 'node:fs'
import type { CAC } from 'cac'
import { waitForLockAside } from '../../database/lock-wait.ts'
import { type Database, DiskFullError, type Durability, nodeStorage, open } from '../../index.ts'
import type { Server, ServerOptions } from '../../server/index.ts'
import { Log } from '../../server/service/log.ts'
import { resolveServerOptions } from '../../server/service/options.ts'
import {
  argument,
  choiceOption,
  countOption,
  flagOption,
  millisecondsOption,
  type Options,
  textOption,
} from '../arguments.ts'
import { requireClusterName } from '../cluster/create.ts'
import { natsOptions, readNats } from '../cluster/nats.ts'
import { requireOwnRecords } from '../database.ts'
import { EXIT_DONE, UsageError } from '../errors.ts'
import { opening } from '../opening.ts'
import { print } from '../output.ts'
import { recoveryReporter } from '../recovery.ts'

const DURABILITIES: readonly Durability[] = ['power', 'process', 'none']
/** Somebody may look whether the server is there; whoever asks for more than this is a client at work. */
const FEW_COMMANDS = 10
const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const

export function registerServe(cli: CAC): void {
  natsOptions(cli.command('serve <directory>', 'Serve the database to Redis clients; created if it is missing'))
    .option('--host <address>', 'Address to listen on (default 127.0.0.1); others than loopback need a password')
    .option('--port <port>', 'Port (default 6399); 0: any free one')
    .option('--socket <path>', 'Unix socket to listen on, in place of host and port')
    .option('--password <password>', 'Clients must authenticate with it (or XENONDB_PASSWORD)')
    .option('--tls-key <file>', 'Private key (PEM): TLS only')
    .option('--tls-cert <file>', 'Certificate (PEM)')
    .option('--tls-ca <file>', 'Clients must show a certificate that this one has signed (PEM)')
    .option('--durability <level>', 'power (default), process, none')
    .option('--cache-bytes <bytes>', 'Bytes of the buffer pool')
    .option('--databases <count>', 'Numbered databases for SELECT (default 16)')
    .option('--max-clients <count>', 'Clients at a time (default 1024)')
    .option('--max-argument-bytes <bytes>', 'Longest argument and value (default 16 MiB)')
    .option('--max-query-bytes <bytes>', 'Longest request (default 32 MiB)')
    .option('--pause-output-bytes <bytes>', 'Read nothing from a client with so much unsent (default 1 MiB)')
    .option('--max-output-bytes <bytes>', 'Longest reply (default 32 MiB)')
    .option('--max-client-memory <bytes>', 'Requests and replies of all clients; close the largest (default 512 MiB)')
    .option('--auth-timeout <ms>', 'Close clients that have not authenticated for so long (default 10000)')
    .option('--request-timeout <ms>', 'Close clients whose request takes so long to arrive (default 30000)')
    .option('--lock-timeout <ms>', 'Time that a command waits for the lock of a transaction (default 10000)')
    .option('--idle-timeout <ms>', 'Close clients that neither send nor take anything for so long')
    .option('--max-subscriber-output-bytes <bytes>', 'Close subscribers with so much unsent (default 32 MiB)')
    .option('--soft-subscriber-output-bytes <bytes>', 'Close them with so much unsent for some time (default 8 MiB)')
    .option('--soft-subscriber-output-time <ms>', 'That time (default 60000)')
    .option('--slowlog-log-slower-than <us>', 'SLOWLOG keeps commands that take so many microseconds (default 10000)')
    .option('--slowlog-max-len <n>', 'Commands that SLOWLOG keeps (default 128)')
    .option('--latency-monitor-threshold <ms>', 'LATENCY keeps when a command took so long (default 0: never)')
    .option(
      '--notify-keyspace-events <classes>',
      'Publish what happens to keys, by the letters of Redis (default none)',
    )
    .option('--transaction-timeout <ms>', 'Roll back transactions without a command for so long (default 60000)')
    .option('--script-time-limit <ms>', 'Stop scripts (EVAL) that take longer, and undo them (default 5000)')
    .option('--script-memory-bytes <bytes>', 'Memory that Lua may take for scripts (default 67108864)')
    .option('--backup-directory <path>', 'Where BACKUP puts its copies')
    .option('--metrics-port <port>', 'Port on 127.0.0.1 for /metrics and /health')
    .option('--explorer-port <port>', 'Port on 127.0.0.1 for a page that shows the database (0: any free one)')
    .option('--read-only', 'Clients may read, and change nothing')
    .option('--no-warm-up', 'Run no requests in memory to get up to speed before the first client is at work')
    .option('--cluster <name>', 'As a node of this cluster (xenondb cluster create)')
    .option('--shard <number>', 'In a cluster: the shard that it is a node of (default 0)')
    .option('--advertise <address>', 'In a cluster: HOST:PORT that clients reach it at (default: --host and --port)')
    .option('--force', 'Make the database even where other files lie')
    .option('--log-level <level>', 'debug, info (default), warn, error, silent')
    .example(bin => `  $ ${bin} serve students --port 6399`)
    .action((directory: string, options: Options) => serve(argument(directory), options))
}

async function serve(directory: string, options: Options): Promise<number> {
  const settings = serverOptions(options)
  if (options.cluster !== undefined) return serveCluster(directory, settings, options)
  const cacheBytes = countOption(options, 'cacheBytes')
  const explorerPort = countOption(options, 'explorerPort')
  const durability = choiceOption(options, 'durability', DURABILITIES) ?? 'power'
  const { lockWait, takeover } = opening()
  const log = new Log(settings.logLevel ?? 'info', line => void process.stderr.write(`${line}\n`))
  const force = flagOption(options, 'force')
  const reopen = ({ readOnly }: { readOnly: boolean }): Database<Uint8Array, Uint8Array> =>
    open<Uint8Array>(directory, {
      keyEncoding: 'binary',
      valueEncoding: 'binary',
      storedEncoding: 'ignore',
      durability,
      takeover,
      force,
      onRecovery: recoveryReporter(directory),
      readOnly,
      onWarning: ({ code, message, data }) => log.warn('warning', { code, message, ...data }),
      ...(cacheBytes === undefined ? {} : { cacheBytes }),
    })
  const db = await waitForLockAside(lockWait, () => openForServing(reopen))
  requireOwnRecords(db)
  let server: Server | undefined
  let explored: Explored | undefined
  let warmedUp: Promise<void> | undefined
  let isClosing = false
  try {
    // Only here: no other command should wait until all of the server is loaded.
    const { createServer } = await import('../../server/index.ts')
    const { warmUp } = await import('../warm-up.ts')
    server = createServer(db, { ...settings, reopen })
    const address = await server.listen()
    const stop = (): void => {
      isClosing = true
      void server?.close()
    }
    // A second Ctrl-C ends the process the hard way; a service manager may say SIGTERM twice.
    process.on('SIGTERM', stop)
    process.once('SIGINT', stop)
    // The terminal was closed, or the session has ended.
    process.on('SIGHUP', stop)
    if (explorerPort !== undefined) explored = await exploreAt(explorerPort, directory, db)
    await print(`listening on ${'socket' in address ? address.socket : `${address.host}:${address.port}`}\n`)
    if (options.warmUp !== false) warmedUp = warmUp(() => !isClosing && (server?.commandsProcessed ?? 0) < FEW_COMMANDS)
    await server.done
    return EXIT_DONE
  } finally {
    isClosing = true
    await warmedUp
    await explored?.close()
    // It listens still if something else could not: the port of the explorer, or that of the metrics, was taken.
    await server?.close()
    // On a full disk another handle may have taken the place of the first.
    const { db: last } = server ?? { db }
    last.close()
  }
}

interface Explored {
  close(): Promise<void>
}

/** The page only looks, at what the server has open; its address goes to stderr, since stdout has one line. */
async function exploreAt(port: number, directory: string, db: Database<Uint8Array, Uint8Array>): Promise<Explored> {
  const { Explorer } = await import('../../explorer/api.ts')
  const { serveExplorer } = await import('../../explorer/http.ts')
  const explorer = new Explorer({ directory, storage: nodeStorage, db, writable: false })
  const page = await serveExplorer(explorer, port)
  process.stderr.write(`explorer: ${page.url}\n`)
  return {
    close: async () => {
      await page.close()
      await explorer.close()
    },
  }
}

/** In a cluster the log says what is durable, and who may write: what a single server decides for itself is refused. */
async function serveCluster(directory: string, settings: ServerOptions, options: Options): Promise<number> {
  for (const name of ['durability', 'databases', 'readOnly', 'socket', 'explorerPort'])
    if (options[name] !== undefined && options[name] !== false)
      throw new UsageError(
        `--${name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)} is not for a node of a cluster`,
      )
  const { host = '127.0.0.1', port = 6399 } = settings
  const address = textOption(options, 'advertise') ?? `${host.includes(':') ? `[${host}]` : host}:${port}`
  const isEverywhere = /^(0\.0\.0\.0|\[[0:]+\]):/.test(address)
  if (isEverywhere || !/^(\[[^\]]+\]|[^:]+):[1-9]\d{0,4}$/.test(address) || !URL.canParse(`tcp://${address}`))
    throw new UsageError(`--advertise takes the HOST:PORT that clients reach this node at, not "${address}"`)
  const { serveNode } = await import('../cluster/serve.ts')
  const node = {
    cluster: requireClusterName(textOption(options, 'cluster') ?? ''),
    shard: countOption(options, 'shard') ?? 0,
    address,
    nats: readNats(options),
    cacheBytes: countOption(options, 'cacheBytes'),
    force: flagOption(options, 'force'),
  }
  return serveNode(directory, node, settings)
}

/** On a disk so full that it cannot be opened for writing, it is served for reading until there is room. */
function openForServing(
  reopen: (options: { readOnly: boolean }) => Database<Uint8Array, Uint8Array>,
): Database<Uint8Array, Uint8Array> {
  try {
    return reopen({ readOnly: false })
  } catch (error) {
    if (!(error instanceof DiskFullError)) throw error
    try {
      return reopen({ readOnly: true })
    } catch {
      throw error
    }
  }
}

function serverOptions(options: Options): ServerOptions {
  const file = (name: string): string | undefined => {
    const path = textOption(options, name)
    return path === undefined ? undefined : readFileSync(path, 'utf8')
  }
  const key = file('tlsKey')
  const cert = file('tlsCert')
  const ca = file('tlsCa')
  if ((key === undefined) !== (cert === undefined)) throw new UsageError('--tls-key and --tls-cert belong together')
  if (ca !== undefined && key === undefined) throw new UsageError('--tls-ca needs --tls-key and --tls-cert')
  const found = {
    host: textOption(options, 'host'),
    port: countOption(options, 'port'),
    socket: textOption(options, 'socket'),
    password: textOption(options, 'password') ?? process.env.XENONDB_PASSWORD,
    tls: key === undefined || cert === undefined ? undefined : { key, cert, ...(ca === undefined ? {} : { ca }) },
    databases: countOption(options, 'databases'),
    maxClients: countOption(options, 'maxClients'),
    maxArgumentBytes: countOption(options, 'maxArgumentBytes'),
    maxQueryBytes: countOption(options, 'maxQueryBytes'),
    pauseOutputBytes: countOption(options, 'pauseOutputBytes'),
    maxOutputBytes: countOption(options, 'maxOutputBytes'),
    maxClientMemoryBytes: countOption(options, 'maxClientMemory'),
    authTimeout: millisecondsOption(options, 'authTimeout'),
    requestTimeout: millisecondsOption(options, 'requestTimeout'),
    lockTimeout: millisecondsOption(options, 'lockTimeout'),
    idleTimeout: millisecondsOption(options, 'idleTimeout'),
    maxSubscriberOutputBytes: countOption(options, 'maxSubscriberOutputBytes'),
    notifyKeyspaceEvents: textOption(options, 'notifyKeyspaceEvents'),
    softSubscriberOutputBytes: countOption(options, 'softSubscriberOutputBytes'),
    softSubscriberOutputTime: millisecondsOption(options, 'softSubscriberOutputTime'),
    slowlogLogSlowerThan: countOption(options, 'slowlogLogSlowerThan'),
    slowlogMaxLen: countOption(options, 'slowlogMaxLen'),
    latencyMonitorThreshold: countOption(options, 'latencyMonitorThreshold'),
    transactionTimeout: millisecondsOption(options, 'transactionTimeout'),
    scriptTimeLimit: millisecondsOption(options, 'scriptTimeLimit'),
    scriptMemoryBytes: countOption(options, 'scriptMemoryBytes'),
    backupDirectory: textOption(options, 'backupDirectory'),
    metricsPort: countOption(options, 'metricsPort'),
    readOnly: flagOption(options, 'readOnly'),
    logLevel: choiceOption(options, 'logLevel', LOG_LEVELS) ?? 'info',
  }
  const given = Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined)) as ServerOptions
  try {
    resolveServerOptions(given)
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
  return given
}
