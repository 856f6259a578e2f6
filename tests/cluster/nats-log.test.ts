/** The shared log on three real nats-servers. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectNats } from '../../src/cluster/load.ts'
import type { ClusterServices, NatsOptions } from '../../src/cluster/services.ts'
import type { AppendOutcome, SharedLog } from '../../src/cluster/shared-log.ts'
import { pause } from '../support/child.ts'
import { natsOfFile } from './nats-of-file.ts'
import { NO_NATS, natsOptions, natsProgram } from './nats-servers.ts'
import { bytesOf, collect, textOf } from './shared-logs.ts'

describe.skipIf(natsProgram === undefined)(`a log on three nats-servers (else ${NO_NATS})`, () => {
  const file = natsOfFile()
  let nats: ClusterServices

  beforeAll(async () => {
    nats = await connectNats(natsOptions(file.servers))
  })
  afterAll(() => nats?.close())

  let generation = 0
  const newLog = (maxBytes = -1): Promise<SharedLog> =>
    nats.createLog({ cluster: 'test', shard: 0, generation: ++generation }, { replicas: 3, maxBytes })

  test('stores by compare-and-set, and counts from 1', async () => {
    const log = await newLog()
    expect(await log.bounds()).toEqual({ first: 1, last: 0 })
    expect(await log.append([bytesOf('a')], 1)).toMatchObject({ kind: 'refused', reason: 'wrong last' })
    expect(await log.append([bytesOf('a')], 0)).toEqual({ kind: 'stored', sequence: 1 })
    expect(await log.append([bytesOf('a')], 0)).toMatchObject({ kind: 'refused', reason: 'wrong last' })
    expect(await log.append([bytesOf('b')], 1)).toEqual({ kind: 'stored', sequence: 2 })
    expect(textOf(await log.read(1))).toBe('a')
    expect(textOf(await log.read(2))).toBe('b')
    expect(await log.read(0)).toBeUndefined()
    expect(await log.read(3)).toBeUndefined()
    expect(await log.bounds()).toEqual({ first: 1, last: 2 })
    expect(await log.info()).toMatchObject({ first: 1, last: 2, messages: 2, hasQuorum: true })
  })

  test('is made once, and is not opened before it is made', async () => {
    const log = await newLog()
    const place = { cluster: 'test', shard: 0, generation }
    await expect(nats.createLog(place, { replicas: 3, maxBytes: -1 })).rejects.toMatchObject({ code: 'XENON_EXISTS' })
    await expect(nats.openLog({ ...place, shard: 9 })).rejects.toMatchObject({ code: 'XENON_NOT_FOUND' })
    await expect(nats.openLog({ ...place, cluster: 'a.b' })).rejects.toMatchObject({ code: 'XENON_INVALID_ARGUMENT' })
    expect((await nats.openLog(place)).name).toBe(log.name)
  })

  test('stores several messages all or none', async () => {
    const log = await newLog()
    const parts = ['a', 'b', 'c'].map(bytesOf)
    // Before nats-server 2.12, which would store them one by one.
    if (log.limits.batch === 1) {
      expect(await log.append(parts, 0)).toMatchObject({ kind: 'refused', reason: 'too large' })
      expect(await log.bounds()).toEqual({ first: 1, last: 0 })
      return
    }
    expect(await log.append(parts, 1)).toMatchObject({ kind: 'refused', reason: 'wrong last' })
    expect(await log.bounds()).toEqual({ first: 1, last: 0 })
    expect(await log.append(parts, 0)).toEqual({ kind: 'stored', sequence: 3 })
    expect(await log.append(parts, 0)).toMatchObject({ kind: 'refused', reason: 'wrong last' })
    expect(textOf(await log.read(2))).toBe('b')
    expect(await log.append([bytesOf('d')], 3)).toEqual({ kind: 'stored', sequence: 4 })
  })

  test('refuses what is too large, and takes what is just not', async () => {
    const log = await newLog()
    const { messageBytes, batch } = log.limits
    expect(messageBytes).toBeGreaterThan(8_000_000)
    const large = await log.append([new Uint8Array(messageBytes + 1)], 0)
    expect(large).toMatchObject({ kind: 'refused', reason: 'too large' })
    expect((large as { message: string }).message).toContain(`${messageBytes + 1} bytes`)
    const many = Array.from({ length: batch + 1 }, () => bytesOf('x'))
    expect(await log.append(many, 0)).toMatchObject({ kind: 'refused', reason: 'too large' })
    expect(await log.append([new Uint8Array(messageBytes).fill(7)], 0)).toEqual({ kind: 'stored', sequence: 1 })
    expect((await log.read(1))?.length).toBe(messageBytes)
  })

  test('that is full refuses, keeps what it has, and takes more once it was purged', async () => {
    const log = await newLog(100_000)
    let last = 0
    let outcome: AppendOutcome
    do {
      outcome = await log.append([new Uint8Array(10_000)], last)
      if (outcome.kind === 'stored') last = outcome.sequence
    } while (outcome.kind === 'stored' && last < 20)
    expect(outcome).toMatchObject({ kind: 'refused', reason: 'full' })
    expect(last).toBeGreaterThan(5)
    expect(await log.bounds()).toEqual({ first: 1, last })
    await log.purge(last)
    expect(await log.bounds()).toEqual({ first: last, last })
    expect(await log.append([new Uint8Array(10_000)], last)).toEqual({ kind: 'stored', sequence: last + 1 })
  })

  test('feeds what is stored and what comes, in order', async () => {
    const log = await newLog()
    for (let i = 0; i < 5; i++) await log.append([bytesOf(`${i}`)], i)
    const all = collect(log, 1)
    const some = collect(log, 4)
    await all.until(5)
    for (let i = 5; i < 400; i++) await log.append([bytesOf(`${i}`)], i)
    await all.until(400)
    await some.until(397)
    expect(all.texts).toEqual(Array.from({ length: 400 }, (_, i) => `${i}`))
    expect(some.texts).toEqual(all.texts.slice(3))
    all.close()
    await log.append([bytesOf('more')], 400)
    await some.until(398)
    expect(all.texts.length).toBe(400)
    some.close()
  })

  test('waits for a receiver that is slow, and ends the feed of one that throws', async () => {
    const log = await newLog()
    for (let i = 0; i < 3; i++) await log.append([bytesOf(`${i}`)], i)
    let busy = 0
    const seen: number[] = []
    const ended = new Promise<unknown>((onEnd, reject) =>
      log.feed(1, {
        async onMessage({ sequence }) {
          expect(++busy).toBe(1)
          seen.push(sequence)
          await pause(20)
          busy--
          if (sequence === 3) throw new Error('enough')
        },
        onGap: reject,
        onEnd,
      }),
    )
    expect(await ended).toMatchObject({ message: 'enough' })
    expect(seen).toEqual([1, 2, 3])
  })

  test('tells a feed that begins before the purge where the log begins, even an empty one', async () => {
    const log = await newLog()
    for (let i = 0; i < 4; i++) await log.append([bytesOf(`${i}`)], i)
    const gapFrom = (from: number): Promise<number> =>
      new Promise((onGap, onEnd) => log.feed(from, { onMessage: () => onEnd(new Error('a message')), onGap, onEnd }))
    await log.purge(3)
    expect(await gapFrom(1)).toBe(3)
    await log.purge(5)
    expect(await log.bounds()).toEqual({ first: 5, last: 4 })
    expect(await gapFrom(3)).toBe(5)
  })

  test('is checked: every server by the system account, or by its monitor, or on trust', async () => {
    const log = await newLog()
    const names = [...file.servers.names]
    const bySystem = await log.check()
    expect(bySystem.problems).toEqual([])
    expect(bySystem.servers.map(({ name }) => name).sort()).toEqual(names)
    expect(bySystem.servers.every(({ syncsAlways }) => syncsAlways)).toBe(true)

    const check = async (changes: Partial<NatsOptions>) => {
      const other = await connectNats({ ...natsOptions(file.servers), system: undefined, ...changes })
      try {
        return await (await other.openLog({ cluster: 'test', shard: 0, generation })).check()
      } finally {
        await other.close()
      }
    }
    const byMonitors = await check({ monitors: file.servers.monitors })
    expect(byMonitors.problems).toEqual([])
    expect(byMonitors.servers.map(({ name }) => name).sort()).toEqual(names)
    const some = await check({ monitors: [file.servers.monitors[0]!, 'http://127.0.0.1:1'] })
    expect(some.problems.length).toBe(2)
    expect(some.problems.join()).toContain('has not told how it is configured')
    expect(some.warnings.join()).toContain('http://127.0.0.1:1 does not answer')
    await expect(check({})).rejects.toMatchObject({ code: 'XENON_NOT_SUPPORTED' })
    const onTrust = await check({ trustServers: true })
    expect(onTrust.problems).toEqual([])
    expect(onTrust.warnings.join()).toContain('on trust')
  })

  test('keeps snapshots, and lists those that are whole', async () => {
    const { snapshots } = await newLog()
    const content = Uint8Array.from({ length: 1_500_000 }, (_, i) => i * 7)
    const parts = async function* () {
      for (let i = 0; i < content.length; i += 100_000) yield content.subarray(i, i + 100_000)
    }
    const broken = async function* () {
      yield content.subarray(0, 1_000_000)
      throw new Error('the disk')
    }
    expect(await snapshots.list()).toEqual([])
    const old = await snapshots.put(bytesOf('mark 1'), 1, parts())
    await expect(snapshots.put(bytesOf('mark 2'), 2, broken())).rejects.toThrow('the disk')
    const young = await snapshots.put(bytesOf('mark 10'), 10, parts())
    expect((await snapshots.list()).map(({ name }) => name)).toEqual([young.name, old.name])
    await snapshots.setVerified(old.name)
    const [first, second] = await snapshots.list()
    expect(first).toMatchObject({ sequence: 10, isVerified: false, bytes: content.length })
    expect(second).toMatchObject({ sequence: 1, isVerified: true, bytes: content.length, time: old.time })
    expect(textOf(second!.mark)).toBe('mark 1')
    const chunks: Uint8Array[] = []
    for await (const chunk of snapshots.get(old.name)) chunks.push(chunk)
    expect(Buffer.concat(chunks).equals(content)).toBe(true)
    await snapshots.remove(old.name)
    expect((await snapshots.list()).map(({ name }) => name)).toEqual([young.name])
    const gone = async () => {
      for await (const _ of snapshots.get(old.name));
    }
    await expect(gone()).rejects.toMatchObject({ code: 'XENON_NOT_FOUND' })
  })

  test('keeps the map of the cluster, which changes by compare-and-set', async () => {
    const store = nats.shardMap('test')
    const map = (address: string) => ({
      shards: [{ shard: 0, generation: 1, slots: [{ from: 0, to: 16_383 }] }],
      nodes: [{ node: 1, shard: 0, address }],
    })
    expect(await store.read()).toBeUndefined()
    const seen: string[] = []
    const stop = store.watch(({ map }) => seen.push(map.nodes[0]!.address))
    const first = (await store.write(map('a:1'), 0))!
    expect(await store.write(map('b:1'), 0)).toBeUndefined()
    const second = (await store.write(map('c:1'), first))!
    expect(await store.write(map('d:1'), first)).toBeUndefined()
    expect(await store.read()).toEqual({ map: map('c:1'), revision: second })
    while (!seen.includes('c:1')) await pause(10)
    stop()
    await store.write(map('e:1'), second)
    await pause(100)
    expect(seen.at(-1)).toBe('c:1')
  })

  test('carries what peers ask, and leaves out what a node says to itself', async () => {
    const report = (node: number) => ({
      ...{ node, address: `n:${node}`, shard: 0, state: 'follow' as const },
      ...{ sequence: node, epoch: 1, leaseLeft: 0, lag: 0 },
    })
    const [a, b, other] = [nats.peers('test', 0, 1), nats.peers('test', 0, 2), nats.peers('test', 1, 3)]
    expect(await a.ask(100)).toEqual([])
    const stops = [a.answer(() => report(1)), b.answer(() => report(2)), other.answer(() => report(3))]
    expect(await a.ask(200)).toEqual([report(2)])
    expect(await b.ask(200)).toEqual([report(1)])
    // Nobody else is waited for once all have answered whom the map names.
    const knowing = nats.peers('test', 0, 1, () => [1, 2])
    const began = performance.now()
    expect(await knowing.ask(30_000)).toEqual([report(2)])
    expect(performance.now() - began).toBeLessThan(20_000)
    for (const stop of stops) stop()
    expect(await a.ask(100)).toEqual([])
  })
})
