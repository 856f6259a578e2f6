/** The client of a cluster, over nodes without logs: where calls go, and what they do when that changes. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type ClusterClient, connectCluster, slotOf } from '../../src/cluster/index.ts'
import { type FakeCluster, startFakeCluster } from '../server/cluster/fake-cluster.ts'
import { pause } from '../support/child.ts'
import { expectVerified } from '../support/database.ts'
import { expectCodeAsync } from '../support/errors.ts'

describe.each([1, 3])('%i shards', shards => {
  let cluster: FakeCluster
  let client: ClusterClient

  beforeEach(async () => {
    cluster = await startFakeCluster(shards)
    // One node is enough to find the others.
    client = await connectCluster({ nodes: [cluster.addresses[1]!], patience: 3000 })
  })

  afterEach(async () => {
    await client.close()
    for (const { db } of cluster.members) await expectVerified(db)
    await cluster.close()
  })

  const words = Array.from({ length: 300 }, (_, i) => `key ${String(i).padStart(3, '0')}`)

  test('records of all shards', async () => {
    for (const word of words) await client.put(word, `v ${word}`)
    expect(await client.get('key 007')).toBe('v key 007')
    expect(await client.get('nothing')).toBeUndefined()
    expect(await client.getMany(['key 299', 'nothing', 'key 000'])).toEqual(['v key 299', undefined, 'v key 000'])
    expect(await client.has('key 001')).toBe(true)
    expect(await client.delete('key 001')).toBe(true)
    expect(await client.delete('key 001')).toBe(false)
    expect(await client.count()).toBe(299)
    expect(await client.expire('key 002', 100_000)).toBe(true)
    expect(await client.ttl('key 002')).toBeGreaterThan(90_000)
    expect(await client.persist('key 002')).toBe(true)
    for (const { db, shard } of cluster.members) expect(db.count(), `shard ${shard}`).toBeGreaterThan(50)
  })

  test('ranges are in the order of the keys, whatever shard they lie in', async () => {
    await Promise.all(words.map(word => client.put(word, `v ${word}`)))
    expect(await client.keys().toArray()).toEqual(words)
    expect(await client.keys({ reverse: true }).toArray()).toEqual([...words].reverse())
    expect(await client.entries({ gte: 'key 100', lt: 'key 200', limit: 7 }).toArray()).toEqual(
      words.slice(100, 107).map(word => [word, `v ${word}`]),
    )
    expect(await client.keys({ prefix: 'key 1', reverse: true, limit: 3 }).toArray()).toEqual([
      'key 199',
      'key 198',
      'key 197',
    ])
    expect(await client.count('key 1')).toBe(100)
    expect(await client.count({ gt: 'key 290', limit: 3 })).toBe(3)
    const page = await client.page('key 2', 40)
    expect(page.entries.map(([key]) => key)).toEqual(words.slice(200, 240))
    const next = await client.page('key 2', 80, page.cursor)
    expect(next.entries.map(([key]) => key)).toEqual(words.slice(240))
    await client.clear({ gte: 'key 010' })
    expect(await client.keys().toArray()).toEqual(words.slice(0, 10))
    await client.clear()
    expect(await client.count()).toBe(0)
  })

  test('thousands of records come in pages', async () => {
    const many = Array.from({ length: 3000 }, (_, i) => `n${String(i).padStart(4, '0')}`)
    await Promise.all(many.map(key => client.put(key, 'x'.repeat(50))))
    expect(await client.keys().toArray()).toEqual(many)
    expect((await client.values({ reverse: true, limit: 2500 }).toArray()).length).toBe(2500)
  })

  test('a batch of one slot is one transaction, others are refused', async () => {
    await client.batch([
      { type: 'put', key: '{t}a', value: '1' },
      { type: 'put', key: '{t}b', value: '2', ttl: 100_000 },
      { type: 'delete', key: '{t}a' },
    ])
    expect(await client.getMany(['{t}a', '{t}b'])).toEqual([undefined, '2'])
    const several = [
      { type: 'put', key: 'a', value: '1' },
      { type: 'put', key: 'b', value: '1' },
    ] as const
    await expectCodeAsync(() => client.batch(several), 'XENON_NOT_SUPPORTED')
    expect(await client.has('a')).toBe(false)
    await expectCodeAsync(() => client.begin(), 'XENON_NOT_SUPPORTED')
    await expectCodeAsync(() => client.transact(() => 1), 'XENON_NOT_SUPPORTED')
    await expectCodeAsync(() => client.sub('users'), 'XENON_NOT_SUPPORTED')
    await expectCodeAsync(() => client.put('', 'x'), 'XENON_INVALID_ARGUMENT')
  })

  test('a store of one slot has its own records alone', async () => {
    const [a, b] = [client.slot('a'), client.slot('b')]
    await a.batch([
      { type: 'put', key: 'x', value: '1' },
      { type: 'put', key: 'y', value: '2' },
    ])
    await b.put('x', '3')
    await client.put('x', 'outside')
    expect(await a.entries().toArray()).toEqual([
      ['x', '1'],
      ['y', '2'],
    ])
    expect(await b.keys().toArray()).toEqual(['x'])
    expect([await a.count(), await b.count(), await client.count()]).toEqual([2, 1, 4])
    expect(await client.get('{a}y')).toBe('2')
    expect(await a.keys({ gt: 'x' }).toArray()).toEqual(['y'])
    expect(await client.keys('{').toArray()).toEqual(['{a}x', '{a}y', '{b}x'])
    expect(await a.getMany(['y', 'z'])).toEqual(['2', undefined])
  })

  test('when another node leads, calls go there', async () => {
    await client.put('a', '1')
    const { shard } = cluster.members.find(
      ({ server }) => server.cluster!.shardOf(slotOf(Buffer.from('a'))) === server.cluster!.shard,
    )!
    const follower = cluster.members.find(each => each.shard === shard && each.fake.state === 'follow')!
    cluster.lead(follower.node)
    await client.put('a', '2')
    expect(await client.get('a')).toBe('2')
    expect(follower.fake.groups.length).toBe(1)
    expect(await client.keys().toArray()).toEqual(['a'])
  })

  test('while nobody leads, calls wait', async () => {
    const { shard, node } = cluster.members.find(
      ({ server }) => server.cluster!.shardOf(slotOf(Buffer.from('a'))) === server.cluster!.shard,
    )!
    cluster.depose(shard)
    let done = false
    const put = client.put('a', '1').then(() => {
      done = true
    })
    await pause(500)
    expect(done).toBe(false)
    cluster.lead(node)
    await put
    expect(await client.get('a')).toBe('1')
  })
})

test('reads of nodes that follow: not older than maxLag, or with all that this client has written', async () => {
  const cluster = await startFakeCluster(1)
  const [leader, follower] = cluster.members
  const lagging = await connectCluster({ nodes: cluster.addresses, reads: { maxLag: 100 } })
  const own = await connectCluster({ nodes: cluster.addresses, reads: 'own-writes' })
  try {
    await own.put('a', '1')
    follower!.fake.sequence = leader!.fake.sequence
    follower!.fake.behindMs = 10
    const before = [leader!.fake.reads, follower!.fake.reads]
    expect(await lagging.get('a')).toBe('1')
    expect(follower!.fake.reads).toBe(before[1]! + 1)
    // It lies too far behind: the leader answers.
    follower!.fake.behindMs = 5000
    expect(await lagging.get('a')).toBe('1')
    expect(await own.get('a')).toBe('1')
    await own.put('a', '2')
    follower!.fake.sequence = 0
    expect(await own.get('a')).toBe('2')
    await expectCodeAsync(() => connectCluster({ nodes: [], reads: 'leader' }), 'XENON_INVALID_ARGUMENT')
    await expectCodeAsync(() => connectCluster({ nodes: ['x'] }), 'XENON_INVALID_ARGUMENT')
    await expectCodeAsync(() => connectCluster({ nodes: ['127.0.0.1:1'] }), 'XENON_CONNECTION')
  } finally {
    await lagging.close()
    await own.close()
    await cluster.close()
  }
})
