/** Servers that are the nodes of a cluster, without logs: all nodes of a shard have one database. */
import type { MapNode, ShardMap } from '../../../src/cluster/shard-map.ts'
import { SLOTS } from '../../../src/cluster/shard-map.ts'
import type { Database } from '../../../src/database/database.ts'
import { memoryStorage, open } from '../../../src/index.ts'
import { Server } from '../../../src/server/server.ts'
import { Cluster } from '../../../src/server/service/cluster.ts'
import { pause } from '../../support/child.ts'
import { freePort } from '../../support/ports.ts'
import { FakeNode, MemoryMap } from './fake-shard.ts'

export interface FakeMember extends MapNode {
  readonly node: number
  readonly fake: FakeNode
  readonly server: Server
  readonly cluster: Cluster
  readonly db: Database<Uint8Array, Uint8Array>
}

export interface FakeCluster {
  readonly members: readonly FakeMember[]
  readonly addresses: readonly string[]
  /** From now on this node leads its shard. */
  lead(node: number): void
  /** Nobody leads a shard. */
  depose(shard: number): void
  close(): Promise<void>
}

/** Shards with a leader and a node that follows each; slots in equal parts. */
export async function startFakeCluster(
  shards: number,
  nodesPerShard: number = 2,
  { lockTimeout = 10_000, ordered = true }: { lockTimeout?: number; ordered?: boolean } = {},
): Promise<FakeCluster> {
  const nodes: MapNode[] = []
  for (let shard = 0; shard < shards; shard++)
    for (let i = 0; i < nodesPerShard; i++)
      nodes.push({ node: nodes.length + 1, shard, address: `127.0.0.1:${await freePort()}` })
  const map: ShardMap = {
    nodes,
    shards: Array.from({ length: shards }, (_, shard) => ({
      shard,
      generation: 1,
      slots: [{ from: Math.floor((shard * SLOTS) / shards), to: Math.floor(((shard + 1) * SLOTS) / shards) - 1 }],
      leader: shard * nodesPerShard + 1,
    })),
  }
  const store = new MemoryMap(map)
  const dbs = Array.from({ length: shards }, (_, shard) =>
    open<Uint8Array, Uint8Array>(`db${shard}`, {
      keyEncoding: 'binary',
      valueEncoding: 'binary',
      storage: memoryStorage(),
      ordered,
    }),
  )
  const members: FakeMember[] = []
  for (const self of nodes) {
    const db = dbs[self.shard]!
    const fake = new FakeNode(db as unknown as Database<unknown, unknown>, self)
    const peers = { ask: async () => [], answer: () => () => {} }
    const cluster = new Cluster({ name: 'fake', ...self, map: store, peers })
    const port = Number(self.address.split(':')[1])
    const server = new Server(db as unknown as Database<unknown, unknown>, { port, lockTimeout }, false, cluster)
    members.push({ ...self, fake, server, cluster, db })
  }
  const changed = (): void => {
    for (const { cluster, fake } of members)
      cluster.onEvent({ kind: 'state', from: 'follow', to: fake.state, reason: 'as the test says' })
  }
  const lead = (node: number): void => {
    const leader = members.find(each => each.node === node)!
    for (const { fake, shard, node: other } of members) {
      if (shard !== leader.shard) continue
      fake.state = other === node ? 'lead' : 'follow'
      fake.leader = { node, address: leader.address, epoch: (fake.leader?.epoch ?? 0) + 1 }
    }
    changed()
    for (const { fake } of members) fake.release()
  }
  for (const member of members) await member.cluster.begin(member.fake)
  for (let shard = 0; shard < shards; shard++) lead(shard * nodesPerShard + 1)
  for (const { server } of members) await server.listen()
  return {
    members,
    addresses: nodes.map(({ address }) => address),
    lead,
    depose(shard) {
      for (const { fake, shard: other } of members) {
        if (other !== shard) continue
        fake.state = 'candidate'
        fake.leader = undefined
      }
      changed()
    },
    async close() {
      for (let i = 0; i < 6000 && members.some(({ server }) => server.sessions.size > 0); i++) await pause(10)
      for (const { server, cluster } of members) {
        cluster.close()
        await server.close()
      }
      for (const db of dbs) db.close()
    },
  }
}
