/** What has expired is removed by the leader, and nobody else. */
import { expect, test } from 'vitest'
import { ExpirySweep } from '../../src/cluster/expiry-sweep.ts'
import { replicaOf } from '../../src/database/replica.ts'
import { memoryStorage } from '../../src/index.ts'
import { withDatabase } from '../support/database.ts'

test('the leader removes what has expired by commands of groups, a follower nothing', () =>
  withDatabase<string>({ storage: memoryStorage() }, async ({ db }) => {
    let now = 1_800_000_000_000
    const replica = replicaOf(db, { clock: () => now })
    let number = 0
    const node = {
      state: 'follow',
      groups: 0,
      execute: async <T>(command: () => T): Promise<T> => {
        const group = replica.begin()
        const result = group.run(command)
        group.commit(Uint8Array.of(++number))
        node.groups++
        return result
      },
    }
    await node.execute(() => {
      for (let i = 0; i < 700; i++) db.put(`key ${i}`, 'v', { ttl: i < 600 ? 1000 : 9000 })
      db.sub('s').put('in', 'v', { ttl: 1000 })
    })
    const sweep = new ExpirySweep(node, replica)
    node.state = 'lead'
    expect([replica.hasExpired, await sweep.once(), node.groups]).toEqual([false, 0, 1])
    now += 2000
    node.state = 'follow'
    expect([replica.hasExpired, await sweep.once(), db.count(), db.stats().records]).toEqual([true, 0, 100, 700])
    node.state = 'lead'
    expect([await sweep.once(), await sweep.once(), await sweep.once()]).toEqual([500, 101, 0])
    expect([db.stats().records, node.groups, replica.hasExpired]).toEqual([100, 3, false])
    sweep.begin()
    now += 9000
    for (let i = 0; i < 100 && replica.hasExpired; i++) await new Promise(resolve => setTimeout(resolve, 50))
    sweep.stop()
    expect([db.stats().records, node.groups]).toEqual([0, 4])
  }))
