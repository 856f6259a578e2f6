/** What goes wrong in a campaign: each does it, sees the cluster go on if it can, and mends it. */
import { pause } from '../../support/child.ts'
import { Refusal } from './client.ts'
import type { TestCluster } from './cluster.ts'
import type { Load } from './load.ts'
import { fillDisk, freeDisk } from './tiny-disk.ts'

export interface Round {
  readonly cluster: TestCluster
  readonly load: Load
  /** Resolves when the cluster takes writes again. */
  goOn(): Promise<void>
}

export type Fault = (round: Round) => Promise<void>

/** A node that leads is behind its lease by then: D is 2 s. */
const PAST_THE_LEASE_MS = 4_000

const all = (cluster: TestCluster): number[] => [...cluster.ports.keys()]
const follower = async (cluster: TestCluster): Promise<number> => ((await cluster.leader()) + 1) % cluster.ports.length

async function logLeader({ servers, log }: TestCluster): Promise<number> {
  for (;;) {
    const server = await servers.leaderOf(log)
    if (server !== undefined) return server
    await pause(50)
  }
}

export const FAULTS: Readonly<Record<string, Fault>> = {
  async 'the leader is killed'({ cluster, goOn }) {
    const node = await cluster.leader()
    await cluster.killNode(node)
    await goOn()
    cluster.startNode(node)
  },

  async 'a follower is killed'({ cluster, goOn }) {
    const node = await follower(cluster)
    await cluster.killNode(node)
    await goOn()
    cluster.startNode(node)
  },

  async 'a node loses its database'({ cluster, goOn }) {
    const node = await cluster.leader()
    await cluster.killNode(node)
    cluster.deleteDatabase(node)
    await goOn()
    cluster.startNode(node)
  },

  async 'all nodes are killed'({ cluster }) {
    await Promise.all(all(cluster).map(node => cluster.killNode(node)))
    for (const node of all(cluster)) cluster.startNode(node)
  },

  async 'the leader of the log is killed'({ cluster, goOn }) {
    const server = await logLeader(cluster)
    await cluster.servers.kill(server)
    await goOn()
    await cluster.servers.restart(server)
  },

  async 'all nats-servers are killed'({ cluster }) {
    await Promise.all(cluster.servers.names.map((_, server) => cluster.servers.kill(server)))
    for (const server of cluster.servers.names.keys()) await cluster.servers.restart(server)
  },

  async 'everything is killed'({ cluster }) {
    await Promise.all([
      ...cluster.servers.names.map((_, server) => cluster.servers.kill(server)),
      ...all(cluster).map(node => cluster.killNode(node)),
    ])
    for (const server of cluster.servers.names.keys()) await cluster.servers.restart(server)
    await cluster.servers.ready()
    for (const node of all(cluster)) cluster.startNode(node)
  },

  async 'the leader stands still'({ cluster, goOn }) {
    const node = await cluster.leader()
    cluster.stopNode(node)
    await pause(PAST_THE_LEASE_MS)
    await goOn()
    cluster.resumeNode(node)
  },

  async 'the leader stands still for less than its lease'({ cluster }) {
    const node = await cluster.leader()
    cluster.stopNode(node)
    await pause(1_000)
    cluster.resumeNode(node)
  },

  async 'the leader of the log stands still'({ cluster, goOn }) {
    const server = await logLeader(cluster)
    cluster.servers.stop(server)
    await goOn()
    cluster.servers.resume(server)
  },

  async 'a nats-server loses its store'({ cluster, goOn }) {
    const server = ((await logLeader(cluster)) + 1) % cluster.servers.names.length
    await cluster.servers.kill(server)
    cluster.servers.deleteStore(server)
    await goOn()
    await cluster.servers.restart(server)
    await cluster.untilReplicated()
  },

  async 'the leader is cut off from the log'({ cluster, goOn }) {
    const node = await cluster.leader()
    cluster.cutOff(node)
    await pause(PAST_THE_LEASE_MS)
    await goOn()
    cluster.reconnect(node)
  },

  async 'the leader hands over'({ cluster }) {
    for (;;) {
      const node = await cluster.leader()
      const next = (node + 1) % cluster.ports.length
      try {
        await cluster.ask(node, 'transfer', `${next + 1}`)
        return
      } catch (error) {
        // The other one lags, or another one leads by now.
        if (!(error instanceof Refusal)) throw error
        await pause(100)
      }
    }
  },
}

/** Of clusters whose log is small, and whose nodes take snapshots only when they are asked. */
export const SMALL_LOG_FAULTS: Readonly<Record<string, Fault>> = {
  async 'the log is full'({ cluster, load }) {
    const before = load.full
    while (load.full === before) await pause(20)
    // Nobody can renew a lease by then: any node makes room.
    await cluster.ask(0, 'snapshot')
    await cluster.ask(0, 'snapshot')
  },

  async 'a node is behind what was purged'({ cluster, load, goOn }) {
    const node = await follower(cluster)
    await cluster.killNode(node)
    const { sequence } = (await cluster.status(await cluster.leader()))!
    await goOn()
    await cluster.ask(await cluster.leader(), 'snapshot')
    await goOn()
    // The log is purged below the older one of two.
    await cluster.ask(await cluster.leader(), 'snapshot')
    const { first } = await cluster.bounds()
    if (first <= sequence + 1) throw new Error(`the log begins at ${first}: nothing was purged behind ${sequence}`)
    const restored = cluster.output[node]!.split('state restore').length
    cluster.startNode(node)
    await load.progress(1)
    await cluster.untilSteady()
    if (cluster.output[node]!.split('state restore').length === restored) throw new Error('it was not restored')
  },
}

/** Of clusters whose databases lie on disks of their own. */
export const TINY_DISK_FAULTS: Readonly<Record<string, Fault>> = {
  async 'the disk of a follower is full'({ cluster, goOn }) {
    const node = await follower(cluster)
    fillDisk(cluster.diskOf(node))
    await goOn()
    await pause(1_000)
    await goOn()
    freeDisk(cluster.diskOf(node))
  },

  async 'the disk of the leader is full'({ cluster }) {
    const node = await cluster.leader()
    fillDisk(cluster.diskOf(node))
    await pause(3_000)
    freeDisk(cluster.diskOf(node))
  },
}
