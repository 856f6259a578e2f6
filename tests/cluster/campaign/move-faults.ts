/** What goes wrong while slots move: each finds its victim before the move begins, and strikes in the middle of it. */
import { pause } from '../../support/child.ts'
import type { Random } from '../../support/random.ts'
import type { ClusterProcess, RunningCluster } from '../nodes.ts'

export interface MoveRound {
  readonly cluster: RunningCluster
  readonly random: Random
  /** Shards that the slots leave and come to. */
  readonly from: number
  readonly to: number
}

export interface Strike {
  /** Does the damage; the move and its clients then go on. */
  strike(): Promise<void>
  /** Repairs it when the move is made. */
  mend(): Promise<void>
}

export type MoveFault = (round: MoveRound) => Promise<Strike>

/** A node that leads is behind its lease by then: D is 2 s. */
const PAST_THE_LEASE_MS = 4_000

const kill = (cluster: RunningCluster, node: ClusterProcess): Strike => ({
  strike: () => cluster.end(node, 'SIGKILL'),
  mend: () => cluster.start(node),
})

const one = (random: Random, { from, to }: MoveRound): number => (random.chance(0.5) ? from : to)

async function logLeader({ nats, name }: RunningCluster, shard: number): Promise<number> {
  for (let i = 0; i < 600; i++) {
    const server = await nats.leaderOf(`XENON_${name}_${shard}_1`)
    if (server !== undefined && server >= 0) return server
    await pause(50)
  }
  throw new Error(`no nats-server leads the log of shard ${shard}`)
}

export const MOVE_FAULTS: Readonly<Record<string, MoveFault>> = {
  'slots move: the leader of the source is killed': async ({ cluster, from }) =>
    kill(cluster, await cluster.leaderOf(from)),

  'slots move: the leader of the target is killed': async ({ cluster, to }) =>
    kill(cluster, await cluster.leaderOf(to)),

  async 'slots move: a follower is killed'(round) {
    const { cluster, random } = round
    const shard = one(random, round)
    const leader = await cluster.leaderOf(shard)
    return kill(cluster, cluster.nodes.find(each => each.shard === shard && each !== leader)!)
  },

  async 'slots move: the leader of a log is killed'(round) {
    const { cluster, random } = round
    const server = await logLeader(cluster, one(random, round))
    return { strike: () => cluster.nats.kill(server), mend: () => cluster.nats.restart(server) }
  },

  async 'slots move: a leader stands still'(round) {
    const { cluster, random } = round
    const { child } = await cluster.leaderOf(one(random, round))
    return {
      async strike() {
        child!.kill('SIGSTOP')
        await pause(PAST_THE_LEASE_MS)
      },
      async mend() {
        child!.kill('SIGCONT')
      },
    }
  },

  async 'slots move: everything is killed'({ cluster }) {
    const servers = [...cluster.nats.names.keys()]
    return {
      async strike() {
        await Promise.all([
          ...servers.map(server => cluster.nats.kill(server)),
          ...cluster.nodes.map(node => cluster.end(node, 'SIGKILL')),
        ])
        for (const server of servers) await cluster.nats.restart(server)
        await cluster.nats.ready(60)
        await Promise.all(cluster.nodes.map(node => cluster.start(node)))
      },
      async mend() {},
    }
  },
}
