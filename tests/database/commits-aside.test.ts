/** Commits whose log is synced aside: the event loop goes on meanwhile, and nobody is told too early. */

import { describe, expect, test } from 'vitest'
import { openOn } from '../../src/database/open.ts'
import { type Database, open } from '../../src/index.ts'
import { nodeStorage } from '../../src/storage/node.ts'
import { crashPolicies, FaultDisk } from '../../src/testing/fault.ts'
import { Random } from '../../src/testing/random.ts'
import { expectVerified } from '../support/database.ts'
import { expectCode, failureOf } from '../support/errors.ts'
import { Gate, turns } from '../support/gate.ts'
import { readImage, storageOf } from '../support/image.ts'

const SEEDS = Number(process.env.XENON_SEEDS ?? 8)
const KEYS = 300

const opened = (gate: Gate, options: object = {}): Database => open('db', { storage: gate.storage, ...options })

/** The name of each promise, in the order in which they resolve. */
const order = (promises: Record<string, Promise<unknown>>): string[] => {
  const resolved: string[] = []
  for (const [name, promise] of Object.entries(promises))
    promise.then(
      () => resolved.push(name),
      () => resolved.push(`${name} failed`),
    )
  return resolved
}

test('a commit resolves when its sync has ended, and those that arrive meanwhile share the next one', async () => {
  const gate = new Gate()
  const db = opened(gate)
  const first = db.async.put('a', '1')
  await turns()
  expect(gate.waiting()).toBe(1)
  const others = [db.async.put('b', '2'), db.async.batch([{ type: 'put', key: 'c', value: '3' }])]
  const resolved = order({ first, b: others[0]!, c: others[1]! })
  await turns()
  expect([resolved, gate.waiting(), db.get('c')]).toEqual([[], 1, '3'])
  gate.letGo()
  await first
  await turns()
  expect([resolved, gate.waiting()]).toEqual([['first'], 1])
  gate.letGo()
  await turns()
  expect(resolved).toEqual(['first', 'b', 'c'])
  await expectVerified(db, 3)
  db.close()
})

test('64 writers over a disk that syncs in 10 ms leave a timer its ticks', async () => {
  const wait = new Int32Array(new SharedArrayBuffer(4))
  const inner = new Gate().storage
  const storage = {
    ...inner,
    monotonic: undefined,
    open: (path: string, options: Parameters<typeof inner.open>[1]) =>
      Object.assign(inner.open(path, options), {
        sync: () => void Atomics.wait(wait, 0, 0, 10),
        syncAsync: () => {
          syncs++
          return new Promise<void>(resolve => setTimeout(resolve, 10))
        },
      }),
  }
  let syncs = 0
  const db = open('db', { storage })
  let ticks = 0
  const timer = setInterval(() => ticks++, 1)
  const until = performance.now() + 500
  let commits = 0
  const writer = async (name: number): Promise<void> => {
    for (let i = 0; performance.now() < until; i++, commits++) await db.async.put(`${name} ${i}`, 'value')
  }
  await Promise.all(Array.from({ length: 64 }, (_, i) => writer(i)))
  clearInterval(timer)
  // In line there would be one between two syncs.
  expect(ticks).toBeGreaterThan(3 * syncs)
  expect(syncs).toBeGreaterThan(10)
  expect(commits).toBeGreaterThan(64 * (syncs - 2))
  db.close()
})

test('where syncs are short they are done in line', async () => {
  const gate = new Gate(undefined, 0.1)
  const db = opened(gate)
  db.put('a', '1')
  for (let i = 0; i < 5; i++) await db.async.put('b', `${i}`)
  expect(gate.waiting()).toBe(0)
  db.close()
})

test('a failed sync aside stops the handle and rejects the commits that wait, those for the next one too', async () => {
  const gate = new Gate()
  const db = opened(gate)
  const waiting = [db.async.put('a', '1'), db.async.put('b', '2')]
  await turns()
  waiting.push(db.async.put('c', '3'))
  const errors = waiting.map(promise => failureOf(() => promise))
  const flushed = failureOf(() => db.flush())
  gate.letGo(Object.assign(new Error('EIO'), { code: 'EIO' }))
  for (const error of [...(await Promise.all(errors)), await flushed])
    expect(String((error as Error).cause ?? error)).toContain('EIO')
  expectCode(() => db.put('d', '4'), 'XENON_FAILED')
  expectCode(() => db.get('a'), 'XENON_FAILED')
  db.close()
})

test('a synchronous put during one is durable when it returns, and what waits is told later', async () => {
  const disk = new FaultDisk({ crc32: nodeStorage.crc32 })
  const gate = new Gate(disk.storage)
  const db = opened(gate)
  const first = db.async.put('a', '1')
  const resolved = order({ first })
  await turns()
  db.put('b', '2')
  const after = openOn('db', {}, disk.crash('none').storage)
  expect([after.get('a'), after.get('b')]).toEqual(['1', '2'])
  after.close()
  await turns()
  expect(resolved).toEqual([])
  gate.letGo()
  await first
  await expectVerified(db, 2)
  db.close()
})

test('close during one makes all of it durable, and tells', async () => {
  const gate = new Gate()
  const db = opened(gate)
  const promises = [db.async.put('a', '1')]
  await turns()
  promises.push(db.async.put('b', '2'), db.flush())
  db.close()
  await promises[0]
  await promises[1]
  gate.letGo()
  await Promise.all(promises)
  await turns()
  const again = open('db', { storage: storageOf(readImage('db', gate.storage)) })
  expect(again.stats().recovery.needed).toBe(false)
  await expectVerified(again, 2)
  again.close()
})

describe('a watch', () => {
  test('sees each change once its sync has ended, in commit order', async () => {
    const gate = new Gate()
    const db = opened(gate)
    const seen: string[] = []
    const watcher = db.watch()
    const watching = (async () => {
      for await (const { key } of watcher) seen.push(key)
    })()
    const commits = [db.async.put('a', '1')]
    await turns()
    commits.push(db.async.put('b', '2'))
    await turns()
    expect(seen).toEqual([])
    gate.letGo()
    await turns()
    expect(seen).toEqual(['a'])
    gate.letGo()
    await turns()
    expect(seen).toEqual(['a', 'b'])
    commits.push(db.async.put('c', '3'))
    await turns()
    db.put('d', '4')
    await turns()
    expect(seen).toEqual(['a', 'b', 'c', 'd'])
    gate.letGo()
    await Promise.all(commits)
    db.close()
    await watching
  })

  test('is not told of a commit that is not synced by a sweep that runs meanwhile', async () => {
    const gate = new Gate()
    let now = 1_000_000
    const db = opened(gate, { storage: { ...gate.storage, now: () => now } })
    const seen: string[] = []
    const watcher = db.watch()
    const watching = (async () => {
      for await (const { key, type } of watcher) seen.push(`${type} ${key}`)
    })()
    db.put('expires', 'x', { ttl: 10 })
    const commit = db.async.put('a', '1')
    await turns()
    now += 100
    while (db.stats().expired === 0) await new Promise(resolve => setTimeout(resolve, 5))
    await turns()
    expect(seen).toEqual(['put expires'])
    gate.letGo()
    await commit
    await turns()
    expect(seen).toEqual(['put expires', 'put a'])
    // The sweep's own change is synced as well, for those who watch.
    gate.letGo()
    await turns()
    expect(seen).toEqual(['put expires', 'put a', 'delete expires'])
    db.close()
    await watching
  })
})

describe('flush', () => {
  test.each(['power', 'process', 'none'] as const)(
    'lets others go on and resolves when all that was committed is durable, durability %s',
    async durability => {
      const disk = new FaultDisk({ crc32: nodeStorage.crc32 })
      const gate = new Gate(disk.storage)
      const db = opened(gate, { durability })
      const commit = db.async.put('a', '1')
      const flushed = db.flush()
      const resolved = order({ flushed })
      await turns()
      expect(resolved).toEqual([])
      expect(db.get('a')).toBe('1')
      gate.letGo()
      await flushed
      const after = openOn('db', {}, disk.crash('none').storage)
      expect(after.get('a')).toBe('1')
      after.close()
      gate.letGo()
      await commit
      db.close()
    },
  )
})

test('a loss of power with syncs in flight, those of checkpoints too, keeps what was acknowledged, and a prefix of the rest', async () => {
  let crashes = 0
  let checkpoints = 0
  let evictions = 0
  for (let seed = 1; seed <= SEEDS; seed++) {
    const random = new Random(seed)
    const disk = new FaultDisk({ seed, crc32: nodeStorage.crc32 })
    const gate = new Gate(disk.storage)
    const cacheBytes = random.chance(0.5) ? 1 << 20 : 24 * 4096
    const options = { logSegmentBytes: 131_072, checkpointBytes: 65_536, cacheBytes }
    const db = opened(gate, options)
    const keyOf = (commit: number): string => `key ${(commit * 7919) % KEYS}`
    const textOf = (commit: number): string => `${commit} `.repeat(1 + ((commit * 37) % 100))
    let committed = 0
    let acknowledged = 0
    const next = (): { type: 'put'; key: string; value: string }[] => {
      committed++
      return [
        { type: 'put', key: 'last', value: `${committed}` },
        { type: 'put', key: keyOf(committed), value: textOf(committed) },
      ]
    }
    const acknowledge = (commit: number): void => {
      acknowledged = Math.max(acknowledged, commit)
    }
    const check = async (): Promise<void> => {
      const policy = random.pick(crashPolicies)
      const where = `seed ${seed}, commit ${committed}, policy ${policy}`
      const crashed = disk.crash(policy, random).storage
      let after: ReturnType<typeof opened>
      try {
        after = openOn('db', options, crashed)
      } catch (error) {
        throw new Error(where, { cause: error })
      }
      const last = Number(after.get('last') ?? 0)
      expect(last, where).toBeGreaterThanOrEqual(acknowledged)
      expect(last, where).toBeLessThanOrEqual(committed)
      for (let commit = Math.max(1, last - KEYS + 1); commit <= last; commit++)
        if (after.get(keyOf(commit)) !== textOf(commit)) expect.fail(`${where}: ${keyOf(commit)}`)
      if (random.chance(0.2)) await expectVerified(after)
      after.close()
      crashes++
    }
    for (let commit = 0; commit < KEYS; commit++) db.batch(next())
    acknowledge(committed)
    for (let step = 0; step < 250; step++) {
      const roll = random.below(100)
      if (roll < 50) {
        const operations = next()
        const commit = committed
        void db.async.batch(operations).then(() => acknowledge(commit))
      } else if (roll < 55) {
        db.batch(next())
        acknowledge(committed)
      } else if (roll < 58) void db.flush()
      else if (roll < 60) void db.checkpoint()
      else if (roll < 80) gate.letGoSome(() => random.chance(0.5))
      else await turns()
      if (random.chance(0.12)) await check()
    }
    for (let i = 0; acknowledged < committed || i < 4; i++) {
      gate.letGo()
      await turns()
    }
    const checkpoint = db.checkpoint()
    for (let isOver = false; !isOver; ) {
      gate.letGo()
      isOver = await Promise.race([checkpoint.then(() => true), turns().then(() => false)])
    }
    await check()
    await expectVerified(db)
    checkpoints += db.stats().checkpoints
    evictions += db.stats().cache.evictions
    db.close()
  }
  expect(crashes).toBeGreaterThan(SEEDS * 15)
  expect(checkpoints).toBeGreaterThan(SEEDS * 2)
  expect(evictions).toBeGreaterThan(0)
})
