/** A whole cluster on loopback: nats-servers and nodes, each a process that can be killed and stopped. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { connectNats } from '../../../src/cluster/load.ts'
import type { NodeStatus } from '../../../src/cluster/node-types.ts'
import type { LogBounds } from '../../../src/cluster/shared-log.ts'
import { pause } from '../../support/child.ts'
import { freePort } from '../../support/ports.ts'
import { type NatsServers, natsOptions, ROOT, startNats } from '../nats-servers.ts'
import { startProxy, type TestProxy } from '../proxy.ts'
import { NodeConnection } from './client.ts'
import { mountTinyDisk } from './tiny-disk.ts'

export interface ClusterSettings {
  readonly nats: 1 | 3
  readonly nodes: number
  /** Bytes of the log, whose nodes take no snapshots by themselves; undefined: without a limit. */
  readonly maxBytes?: number
  /** Each node's database on a disk of its own that can be filled. */
  readonly tinyDisks?: boolean
}

const CLUSTER = 'campaign'
const SCRIPT = join(ROOT, 'build/tests/cluster/campaign/node-process.js')

export class TestCluster {
  readonly servers: NatsServers
  readonly ports: readonly number[]
  readonly log = 'XENON_campaign_0_1'
  readonly #directory: string
  readonly #settings: ClusterSettings
  readonly #children: (ChildProcess | undefined)[] = []
  /** What each node has printed. */
  readonly output: string[]
  readonly #control: NodeConnection[]
  /** Of each node, one to each server. */
  #proxies: TestProxy[][] = []

  private constructor(directory: string, servers: NatsServers, ports: readonly number[], settings: ClusterSettings) {
    this.#settings = settings
    this.#directory = directory
    this.servers = servers
    this.ports = ports
    this.output = ports.map(() => '')
    this.#control = ports.map(port => new NodeConnection(port))
  }

  static async start(directory: string, settings: ClusterSettings): Promise<TestCluster> {
    const servers = await startNats(join(directory, 'nats'), { servers: settings.nats })
    const cluster = new TestCluster(
      directory,
      servers,
      await Promise.all(Array.from({ length: settings.nodes }, freePort)),
      settings,
    )
    try {
      const services = await connectNats(natsOptions(servers))
      await services.createLog(
        { cluster: CLUSTER, shard: 0, generation: 1 },
        { replicas: settings.nats, maxBytes: settings.maxBytes ?? -1 },
      )
      await services.close()
      for (const node of cluster.ports.keys())
        if (settings.tinyDisks) mountTinyDisk(cluster.diskOf(node))
        else mkdirSync(cluster.diskOf(node), { recursive: true })
      for (const _ of cluster.ports)
        cluster.#proxies.push(await Promise.all(servers.urls.map(url => startProxy(Number(new URL(url).port)))))
      for (const node of cluster.ports.keys()) cluster.startNode(node)
      await cluster.leader(20_000)
    } catch (error) {
      await cluster.close()
      throw error
    }
    return cluster
  }

  startNode(node: number): void {
    const urls = this.#proxies[node]!.map(({ address }) => `nats://${address}`)
    const snapshots = this.#settings.maxBytes === undefined
    const options = JSON.stringify({
      cluster: CLUSTER,
      snapshots,
      nats: { ...natsOptions(this.servers), servers: urls },
    })
    const child = spawn(
      process.execPath,
      [SCRIPT, this.databaseOf(node), `${node + 1}`, `${this.ports[node]}`, options],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    )
    this.#children[node] = child
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.output[node] += text
      })
    const killIt = (): void => void child.kill('SIGKILL')
    process.once('exit', killIt)
    child.once('exit', (status, signal) => {
      process.off('exit', killIt)
      this.output[node] += `--- ended: ${status ?? signal}\n`
      if (this.#children[node] === child) this.#children[node] = undefined
    })
  }

  async killNode(node: number): Promise<void> {
    const child = this.#children[node]
    if (child === undefined) return
    const ended = new Promise(resolve => child.once('exit', resolve))
    child.kill('SIGKILL')
    await ended
    this.#control[node]!.close()
  }

  databaseOf(node: number): string {
    return join(this.diskOf(node), 'db')
  }

  diskOf(node: number): string {
    return join(this.#directory, `node${node}`)
  }

  /** Of a node that was killed: it begins with nothing. */
  deleteDatabase(node: number): void {
    rmSync(this.databaseOf(node), { recursive: true, force: true })
  }

  stopNode(node: number): void {
    this.#children[node]?.kill('SIGSTOP')
  }

  resumeNode(node: number): void {
    this.#children[node]?.kill('SIGCONT')
  }

  async ask<T>(node: number, op: 'entries' | 'status' | 'transfer' | 'snapshot', value = ''): Promise<T> {
    return await this.#control[node]!.ask<T>({ op, value }, 20_000)
  }

  async status(node: number): Promise<NodeStatus | undefined> {
    try {
      return await this.#control[node]!.ask<NodeStatus>({ op: 'status' }, 1_000)
    } catch {
      return undefined
    }
  }

  /** The node that leads, once one does. @throws Error with what the nodes say, after `ms` */
  async leader(ms = 60_000): Promise<number> {
    const deadline = performance.now() + ms
    while (performance.now() < deadline) {
      for (const node of this.ports.keys()) {
        const status = await this.status(node)
        if (status?.state === 'lead' && status.leaseLeft > 0) return node
      }
      await pause(20)
    }
    throw new Error(`no node leads after ${ms} ms:\n${this.report()}`)
  }

  /** Resolves when all nodes follow or lead, and have what the log has. @throws Error after `ms` */
  async untilSteady(ms = 60_000): Promise<void> {
    const deadline = performance.now() + ms
    while (performance.now() < deadline) {
      const states = await Promise.all([...this.ports.keys()].map(node => this.status(node)))
      const isSteady = states.every(status => status !== undefined && ['lead', 'follow'].includes(status.state))
      if (isSteady && states.some(status => status?.state === 'lead')) return
      await pause(50)
    }
    throw new Error(`not all nodes follow after ${ms} ms:\n${this.report()}`)
  }

  async bounds(): Promise<LogBounds> {
    const services = await connectNats(natsOptions(this.servers))
    try {
      return await (await services.openLog({ cluster: CLUSTER, shard: 0, generation: 1 })).bounds()
    } finally {
      await services.close()
    }
  }

  /** Resolves when every server has the whole log again. */
  async untilReplicated(): Promise<void> {
    const services = await connectNats(natsOptions(this.servers))
    const log = await services.openLog({ cluster: CLUSTER, shard: 0, generation: 1 })
    for (;;) {
      const { replicas } = await log.info().catch(() => ({ replicas: [] }))
      if (replicas.length > 0 && replicas.every(({ current }) => current)) break
      await pause(100)
    }
    await services.close()
  }

  /** Nothing passes between a node and NATS any more, in either direction; clients still reach it. */
  cutOff(node: number): void {
    for (const proxy of this.#proxies[node]!) proxy.hold()
  }

  reconnect(node: number): void {
    for (const proxy of this.#proxies[node]!) proxy.cut()
  }

  report(): string {
    return this.output.map((text, node) => `node ${node}:\n${text.split('\n').slice(-15).join('\n')}`).join('\n')
  }

  async close(): Promise<void> {
    await Promise.all(this.ports.map((_, node) => this.killNode(node)))
    for (const connection of this.#control) connection.close()
    for (const proxy of this.#proxies.flat()) proxy.close()
    await this.servers.close()
  }
}
