/** The map of the cluster says who leads in the end, also if the lease had ended, or NATS was away, when it came to be so. */
import { expect, test } from 'vitest'
import { withShard } from './fake-shard.ts'

test('a leader tells the map until it is written', () =>
  withShard(async ({ map, node, changed }) => {
    const { shards, nodes } = map.stored.map
    await map.write({ shards: shards.map(shard => ({ ...shard, leader: 2 })), nodes }, map.stored.revision)
    const isTold = new Promise<void>(resolve => {
      map.watch(({ map: told }) => told.shards[0]!.leader === 1 && resolve())
    })
    const [read, write] = [map.read.bind(map), map.write.bind(map)]
    const attempts: string[] = []
    map.read = () => {
      node.hasLease = attempts.length > 0
      attempts.push(node.hasLease ? 'with a lease' : 'without a lease')
      return read()
    }
    let writes = 0
    map.write = (...given) => (writes++ === 0 ? Promise.reject(new Error('NATS does not answer')) : write(...given))
    changed()
    await isTold
    expect(attempts).toEqual(['without a lease', 'with a lease', 'with a lease'])
    expect(writes).toBe(2)
  }))
