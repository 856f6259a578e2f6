/** The contract of `AsyncStore`, kept by a store of one slot of a cluster, over nodes without logs. */
import { connectCluster } from '../../src/cluster/index.ts'
import { placed } from '../../src/cluster/slots.ts'
import { startFakeCluster } from '../server/cluster/fake-cluster.ts'
import { pause } from '../support/child.ts'
import { contract } from './async-store.ts'
import { type Implementation, remainsOf, type StoreOptions } from './implementation.ts'

const implementation: Implementation = {
  name: 'xenondb/cluster, a slot',
  isOneSlot: true,
  async open({ lockTimeout = 10_000, ordered = true, written = {}, ...encodings }: StoreOptions) {
    const cluster = await startFakeCluster(2, 1, { lockTimeout, ordered })
    const client = await connectCluster<'utf8', 'utf8'>({ nodes: cluster.addresses, ...encodings } as never)
    const store = client.slot('contract')
    for (const [key, value] of Object.entries(written)) {
      const bytes = placed(Buffer.from(`{contract}${key}`))
      for (const { db, cluster: known, shard } of cluster.members)
        if (known.shardOf((bytes[0]! << 8) | bytes[1]!) === shard) db.put(bytes, Buffer.from(value))
    }
    return {
      store: store as never,
      async finish() {
        await client.close()
        const { members } = cluster
        for (let i = 0; i < 6000 && members.some(({ server }) => server.sessions.size > 0); i++) await pause(10)
        const remains = await Promise.all(members.map(({ db }) => remainsOf(db)))
        await cluster.close()
        return {
          problems: remains.flatMap(({ problems }) => problems),
          transactions: remains.reduce((sum, { transactions }) => sum + transactions, 0),
          snapshots: remains.reduce((sum, { snapshots }) => sum + snapshots, 0),
        }
      },
    }
  },
}

contract(implementation)
