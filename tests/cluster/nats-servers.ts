/**
 * Real nats-servers on loopback: one (R1) or three (R3), each a process with a store of its own, with the options that
 * docs/cluster.md asks for. They can be killed, stopped for a while, started again, and robbed of their stores.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { appendFileSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Authenticator, connect, type NatsConnection, type TlsOptions } from '@nats-io/transport-node'
import type { NatsOptions as ClusterNatsOptions } from '../../src/cluster/services.ts'
import { pause } from '../support/child.ts'
import { freePort } from '../support/ports.ts'

/** The checkout: these files also run from `build/`. */
export const ROOT: string = fileURLToPath(new URL('../..', import.meta.url)).replace(/[/\\]build[/\\]$/, '/')

/** The program that `scripts/nats-server.mjs` finds or gets; undefined where there is none. */
export const natsProgram: string | undefined = find()
export const NO_NATS = 'skipped: there is no nats-server here (node scripts/nats-server.mjs says why)'

/** The user whose account has JetStream, and the one of the system account, who may ask each server how it is. */
export const USER = { user: 'xenon', pass: 'xenon' }
export const SYSTEM_USER = { user: 'system', pass: 'system' }

export interface NatsOptions {
  /** How many servers; 3 if not given. */
  servers?: 1 | 3
  /** `sync_interval`; `always` if not given. */
  sync?: string
  /** Bytes of JetStream's files on each server; 1 GiB if not given. */
  maxFile?: number
  /** More users of the account with JetStream, each with a comma before it. */
  users?: string
  /** How `connect` and `ready` connect, if by TLS. */
  tls?: TlsOptions
  /** The accounts and who is in them, in place of `USER` and `SYSTEM_USER`, and as whom `ready` connects. */
  accounts?: { readonly lines: string; readonly authenticator: Authenticator }
  /** More lines of the configuration of each server. */
  more?: string
}

export interface NatsServers {
  readonly urls: readonly string[]
  /** Where each server shows its figures over HTTP. */
  readonly monitors: readonly string[]
  /** Names as JetStream tells them: `n0` … */
  readonly names: readonly string[]
  /** `kill -9`. */
  kill(server: number): Promise<void>
  /** SIGSTOP and SIGCONT. */
  stop(server: number): void
  resume(server: number): void
  /** Starts it again, with the store that it had. */
  restart(server: number): Promise<void>
  /** Removes the store of a server that was killed. */
  deleteStore(server: number): void
  /** The server that leads the stream now; undefined while none does. */
  leaderOf(stream: string): Promise<number | undefined>
  /** Resolves when JetStream takes requests. @throws Error after `seconds`. */
  ready(seconds?: number): Promise<void>
  connect(user?: { user: string; pass: string }): Promise<NatsConnection>
  /** What a server wrote, for whoever looks for the reason of a failure. */
  logOf(server: number): string
  close(): Promise<void>
}

/** Starts them below `directory`, and waits until JetStream takes requests. */
export async function startNats(directory: string, options: NatsOptions = {}): Promise<NatsServers> {
  const count = options.servers ?? 3
  const ports = await Promise.all(Array.from({ length: count * 3 }, freePort))
  const [clients, routes, monitors] = [ports.slice(0, count), ports.slice(count, 2 * count), ports.slice(2 * count)]
  const names = clients.map((_, server) => `n${server}`)
  const folders = names.map(name => join(directory, name))
  const children: (ChildProcess | undefined)[] = []
  const ownAccounts = `accounts {
  SYSTEM { users: [{ user: ${SYSTEM_USER.user}, password: ${SYSTEM_USER.pass} }] }
  XENON { jetstream: enabled, users: [{ user: ${USER.user}, password: ${USER.pass} }${options.users ?? ''}] }
}
system_account: SYSTEM`
  for (const [server, folder] of folders.entries()) {
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'server.conf'), configurationOf(server))
  }

  function configurationOf(server: number): string {
    const cluster = `cluster {
  name: test
  listen: "127.0.0.1:${routes[server]}"
  no_advertise: true
  routes: [${routes.map(port => `"nats://127.0.0.1:${port}"`).join(', ')}]
}`
    return `server_name: ${names[server]}
listen: "127.0.0.1:${clients[server]}"
http: "127.0.0.1:${monitors[server]}"
ping_interval: "1s"
ping_max: 2
write_deadline: "2s"
max_payload: 8MB
jetstream {
  store_dir: "${join(folders[server]!, 'store')}"
  sync_interval: ${options.sync ?? 'always'}
  max_memory_store: 64MB
  max_file_store: ${options.maxFile ?? 1024 ** 3}
}
${options.accounts?.lines ?? ownAccounts}
${count > 1 ? cluster : ''}
${options.more ?? ''}
`
  }

  const start = (server: number): void => {
    const folder = folders[server]!
    const output = openSync(join(folder, 'output'), 'a')
    const child = spawn(natsProgram!, ['-c', join(folder, 'server.conf')], { stdio: ['ignore', output, output] })
    children[server] = child
    // A test that fails in the middle leaves none behind.
    const killIt = (): void => void child.kill('SIGKILL')
    process.once('exit', killIt)
    child.once('exit', () => process.off('exit', killIt))
  }

  const kill = async (server: number): Promise<void> => {
    const child = children[server]
    children[server] = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise(resolve => child.once('exit', resolve))
    child.kill('SIGKILL')
    await ended
  }

  const connectAs = (user = USER): Promise<NatsConnection> =>
    connect({
      ...{ servers: servers.urls.slice(), timeout: 2_000, reconnect: false, maxReconnectAttempts: 0 },
      ...(options.accounts === undefined ? user : { authenticator: options.accounts.authenticator }),
      ...(options.tls === undefined ? {} : { tls: options.tls }),
    })

  const servers: NatsServers = {
    urls: clients.map(port => `nats://127.0.0.1:${port}`),
    monitors: monitors.map(port => `http://127.0.0.1:${port}`),
    names,
    kill,
    stop: server => void children[server]?.kill('SIGSTOP'),
    resume: server => void children[server]?.kill('SIGCONT'),
    async restart(server) {
      await kill(server)
      appendFileSync(join(folders[server]!, 'output'), '--- started again\n')
      start(server)
    },
    deleteStore: server => rmSync(join(folders[server]!, 'store'), { recursive: true, force: true }),
    async leaderOf(stream) {
      for (const [server, monitor] of servers.monitors.entries()) {
        if (children[server] === undefined) continue
        const leader = await streamLeader(monitor, stream)
        if (leader !== undefined) return count === 1 ? 0 : names.indexOf(leader)
      }
      return undefined
    },
    ready: async (seconds = 20) => {
      const deadline = performance.now() + seconds * 1000
      let problem: unknown
      while (performance.now() < deadline) {
        try {
          const connection = await connectAs()
          try {
            const reply = await connection.request('$JS.API.INFO', '', { timeout: 1_000 })
            const { error } = reply.json<{ error?: { description: string } }>()
            if (error === undefined) return
            problem = new Error(error.description)
          } finally {
            await connection.close()
          }
        } catch (error) {
          problem = error
        }
        await pause(50)
      }
      throw new Error(`nats-server does not take requests after ${seconds} s`, { cause: problem })
    },
    connect: connectAs,
    logOf: server => readFileSync(join(folders[server]!, 'output'), 'utf8'),
    async close() {
      await Promise.all(children.map((_, server) => kill(server)))
    },
  }

  for (const server of names.keys()) start(server)
  try {
    await servers.ready()
  } catch (error) {
    await servers.close()
    throw error
  }
  return servers
}

/** Runs `body` with servers that are gone afterwards. */
export async function withNats<T>(
  directory: string,
  options: NatsOptions,
  body: (servers: NatsServers) => Promise<T>,
): Promise<T> {
  const servers = await startNats(directory, options)
  try {
    return await body(servers)
  } finally {
    await servers.close()
  }
}

/** How the user of the tests reaches them, the system account included. */
export const natsOptions = ({ urls }: NatsServers): ClusterNatsOptions => ({
  servers: urls,
  user: USER.user,
  password: USER.pass,
  system: { user: SYSTEM_USER.user, password: SYSTEM_USER.pass },
})

interface Jsz {
  account_details?: { stream_detail?: { name: string; cluster?: { leader?: string } }[] }[]
}

async function streamLeader(monitor: string, stream: string): Promise<string | undefined> {
  try {
    const reply = await fetch(`${monitor}/jsz?streams=true&accounts=true`, { signal: AbortSignal.timeout(1_000) })
    const { account_details: accounts = [] } = (await reply.json()) as Jsz
    const found = accounts.flatMap(account => account.stream_detail ?? []).find(({ name }) => name === stream)
    return found === undefined ? undefined : (found.cluster?.leader ?? 'n0')
  } catch {
    return undefined
  }
}

function find(): string | undefined {
  const script = join(ROOT, 'scripts/nats-server.mjs')
  const { stdout, status } = spawnSync(process.execPath, [script, '--here'], { encoding: 'utf8', timeout: 30_000 })
  return status === 0 ? stdout.trim() : undefined
}
