/** Nodes of a real cluster as processes of their own, over real nats-servers. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { WireConnection } from '../redis/wire.ts'
import { pause } from '../support/child.ts'
import { freePort } from '../support/ports.ts'
import { type NatsServers, ROOT, SYSTEM_USER, startNats, USER } from './nats-servers.ts'

const MAIN = `${ROOT}dist/cli/main.js`

export interface ClusterProcess {
  readonly node: number
  readonly shard: number
  readonly port: number
  readonly directory: string
  /** Undefined: it does not run. */
  child: ChildProcess | undefined
}

export interface RunningCluster {
  readonly name: string
  readonly nats: NatsServers
  readonly nodes: readonly ClusterProcess[]
  readonly addresses: readonly string[]
  /** Runs `xenondb cluster …`; resolves with what it prints. */
  cli(...words: string[]): Promise<string>
  start(node: ClusterProcess): Promise<void>
  /** Resolves once it has ended. */
  end(node: ClusterProcess, signal: NodeJS.Signals): Promise<void>
  leaderOf(shard: number): Promise<ClusterProcess>
  /** Resolves once a node of the shard that runs has written to its log, from now on, what matches. */
  logged(shard: number, what: RegExp): Promise<void>
  /** What a node has written to its log. */
  logOf(node: ClusterProcess): string
  /** Resolves once all nodes of a shard that run have applied the same message. */
  settled(shard: number): Promise<void>
  close(): Promise<void>
}

/** One nats-server, and so many shards of so many nodes, each shard with a leader. */
export async function startCluster(
  directory: string,
  { shards = 1, nodesPerShard = 2, servers = 1 }: { shards?: number; nodesPerShard?: number; servers?: 1 | 3 } = {},
): Promise<RunningCluster> {
  const nats = await startNats(directory, { servers })
  const name = 'test'
  const access = [
    ...['--nats', nats.urls.join(','), '--nats-user', USER.user, '--nats-password', USER.pass],
    ...['--nats-system-user', SYSTEM_USER.user, '--nats-system-password', SYSTEM_USER.pass],
  ]
  const nodes: ClusterProcess[] = []
  for (let shard = 0; shard < shards; shard++)
    for (let i = 0; i < nodesPerShard; i++) {
      const node = nodes.length + 1
      nodes.push({ node, shard, port: await freePort(), directory: join(directory, `node${node}`), child: undefined })
    }
  const logFile = ({ directory: path }: ClusterProcess): string => `${path}.log`

  const ask = async ({ port, child }: ClusterProcess): Promise<Record<string, string> | undefined> => {
    if (child === undefined) return undefined
    try {
      const connection = await WireConnection.open(port)
      try {
        const [reply] = await connection.send([['INFO', 'cluster']], 2000)
        return Object.fromEntries(reply!.text!.split('\r\n').map(line => line.split(/:(.*)/).slice(0, 2)))
      } finally {
        connection.close()
      }
    } catch {
      return undefined
    }
  }

  const cluster: RunningCluster = {
    name,
    nats,
    nodes,
    addresses: nodes.map(({ port }) => `127.0.0.1:${port}`),
    async cli(action, ...words) {
      const { stdout } = await promisify(execFile)(process.execPath, [
        MAIN,
        'cluster',
        action!,
        name,
        ...access,
        ...words,
      ])
      return stdout
    },
    async start(node) {
      const output = openSync(logFile(node), 'a')
      const words = ['serve', node.directory, '--cluster', name, '--shard', `${node.shard}`, '--port', `${node.port}`]
      const child = spawn(process.execPath, [MAIN, ...words, ...access], { stdio: ['ignore', output, output] })
      closeSync(output)
      const killIt = (): void => void child.kill('SIGKILL')
      process.once('exit', killIt)
      child.once('exit', () => {
        process.off('exit', killIt)
        if (node.child === child) node.child = undefined
      })
      node.child = child
      for (let i = 0; i < 800; i++) {
        const state = (await ask(node))?.cluster_node_state
        if (state === 'follow' || state === 'lead' || state === 'candidate') return
        if (node.child === undefined) break
        await pause(25)
      }
      throw new Error(`node ${node.node} does not follow:\n${cluster.logOf(node)}`)
    },
    async end({ child }, signal) {
      if (child === undefined) return
      const ended = new Promise(resolve => child.once('exit', resolve))
      child.kill(signal)
      await ended
    },
    async leaderOf(shard) {
      for (let i = 0; i < 800; i++) {
        for (const node of nodes)
          if (node.shard === shard && (await ask(node))?.cluster_node_state === 'lead') return node
        await pause(25)
      }
      throw new Error(`nobody leads shard ${shard}`)
    },
    async logged(shard, what) {
      const texts = (): string[] => nodes.filter(each => each.shard === shard).map(node => cluster.logOf(node))
      const before = texts()
      for (let i = 0; i < 1200; i++) {
        if (texts().some((text, at) => what.test(text.slice(before[at]!.length)))) return
        await pause(25)
      }
      throw new Error(`no node of shard ${shard} has written ${what} to its log`)
    },
    logOf: node => readFileSync(logFile(node), 'utf8'),
    async settled(shard) {
      for (let i = 0; i < 400; i++) {
        const found = await Promise.all(nodes.filter(each => each.shard === shard && each.child !== undefined).map(ask))
        const at = new Set(found.map(each => each?.cluster_sequence))
        // A heartbeat may come between two answers.
        if (at.size === 1 && found.every(each => each?.cluster_lag === '0')) return
        await pause(25)
      }
      throw new Error(`the nodes of shard ${shard} do not become equal`)
    },
    async close() {
      await Promise.all(nodes.map(node => cluster.end(node, 'SIGKILL')))
      await nats.close()
    },
  }
  try {
    await cluster.cli('create', '--shards', `${shards}`, '--log-bytes', `${64 * 1024 * 1024}`)
    // One after the other, so that their numbers are those in the list.
    for (const node of nodes) await cluster.start(node)
    for (let shard = 0; shard < shards; shard++) await cluster.leaderOf(shard)
  } catch (error) {
    await cluster.close()
    throw error
  }
  return cluster
}
