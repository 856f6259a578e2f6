/** health(): what holds what, how long things took, and that it never throws. */
import { setTimeout as wait } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { memoryStorage, nodeStorage, open, type Storage } from '../../src/index.ts'
import { SyncTimes } from '../../src/log/sync-times.ts'
import { closeQuietly, withDatabase, withMemoryDatabase } from '../support/database.ts'
import { withDirectory } from '../support/directory.ts'
import { expectCode } from '../support/errors.ts'

test('a fresh database is well, and holds nothing', () =>
  withDatabase({}, ({ db }) => {
    const { disk, log, ...health } = db.health()
    expect(health).toEqual({
      ok: true,
      closed: false,
      failed: undefined,
      oldestTransaction: undefined,
      oldestSnapshot: undefined,
      lastCheckpoint: undefined,
      fsync: { count: 0, p50: 0, p99: 0 },
      longestStall: undefined,
      largeValues: { count: 0, bytes: 0, blockBytes: 0, wasted: 0 },
      warnings: [],
    })
    expect(disk.full).toBe(false)
    expect(disk.free).toBeGreaterThan(0)
    expect(log).toEqual({ bytesInUse: 0, limit: 2.25 * 64 * 1048576 })
  }))

test('the oldest transaction and the oldest snapshot say how old they are and what they hold', () =>
  withMemoryDatabase({}, async ({ db }) => {
    for (let i = 0; i < 2000; i++) db.put(`key ${i}`, 'x'.repeat(100))
    const snapshot = db.snapshot()
    const second = db.snapshot()
    const tx = db.begin()
    tx.put('a', '1')
    tx.put('b', '2')
    const other = db.begin()
    other.get('c')
    await wait(30)
    for (let i = 0; i < 2000; i++) db.put(`key ${i}`, 'y'.repeat(100))
    const { oldestTransaction, oldestSnapshot } = db.health()
    expect(oldestTransaction).toMatchObject({ locks: 2 })
    expect(oldestTransaction!.milliseconds).toBeGreaterThan(25)
    expect(oldestTransaction!.logBytes).toBeGreaterThan(2000 * 100)
    expect(oldestSnapshot!.milliseconds).toBeGreaterThan(25)
    const { snapshots, transactions } = db.stats()
    expect(oldestSnapshot!.bytes).toBe(snapshots.bytes)
    expect(oldestSnapshot!.bytes).toBeGreaterThan(50 * 4096)
    expect(transactions.oldest!.logBytes).toBe(oldestTransaction!.logBytes)
    tx.rollback()
    expect(db.health().oldestTransaction).toMatchObject({ locks: 1, logBytes: 0 })
    other.rollback()
    snapshot.close()
    second.close()
    expect(db.health()).toMatchObject({ oldestTransaction: undefined, oldestSnapshot: undefined })
  }))

test('an iterator counts from when it keeps something', () =>
  withMemoryDatabase({}, async ({ db }) => {
    for (let i = 0; i < 2000; i++) db.put(`key ${i}`, 'x'.repeat(100))
    const keys = db.keys()
    keys.next()
    db.put('key 1', 'changed')
    await wait(30)
    expect(db.health().oldestSnapshot!.milliseconds).toBeGreaterThan(25)
    keys.return?.()
    expect(db.health().oldestSnapshot).toBeUndefined()
  }))

test('slow syncs show, and so does the longest one that held up the event loop', () =>
  withDirectory(async parent => {
    const storage: Storage = Object.create(nodeStorage, {
      open: {
        value(path: string, options: Parameters<Storage['open']>[1]) {
          const file = nodeStorage.open(path, options)
          const sync = file.sync.bind(file)
          file.sync = () => {
            Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)
            sync()
          }
          return file
        },
      },
    })
    const db = open(`${parent}/db`, { storage })
    const before = Date.now()
    for (let i = 0; i < 3; i++) db.put(`key ${i}`, 'value')
    const { fsync, longestStall } = db.health()
    expect(fsync.count).toBe(3)
    expect(fsync.p50).toBeGreaterThan(15)
    expect(fsync.p99).toBeGreaterThanOrEqual(fsync.p50)
    expect(longestStall).toMatchObject({ cause: 'sync' })
    expect(longestStall!.milliseconds).toBeGreaterThanOrEqual(fsync.p99)
    expect(longestStall!.at).toBeGreaterThanOrEqual(before)
    await db.checkpoint()
    const { lastCheckpoint, log } = db.health()
    expect(lastCheckpoint!.at).toBeGreaterThanOrEqual(before)
    expect(lastCheckpoint!.milliseconds).toBeGreaterThan(0)
    expect(log.bytesInUse).toBe(0)
    expect((await db.verify()).ok).toBe(true)
    db.close()
  }))

test('of 512 syncs the quantiles are those of a sorted list, and older ones are forgotten', () => {
  const times = new SyncTimes()
  expect(times.quantiles()).toEqual({ p50: 0, p99: 0 })
  times.add(7)
  expect(times.quantiles()).toEqual({ p50: 7, p99: 7 })
  for (let i = 1000; i > 0; i--) times.add(i)
  expect(times.count).toBe(1001)
  // 512 to 1.
  expect(times.quantiles()).toEqual({ p50: 256, p99: 507 })
})

test('of a handle that has failed, and of a closed one, it tells so and does not throw', () =>
  withDirectory(parent => {
    let fails = false
    const storage: Storage = Object.create(nodeStorage, {
      open: {
        value(path: string, options: Parameters<Storage['open']>[1]) {
          const file = nodeStorage.open(path, options)
          const sync = file.sync.bind(file)
          file.sync = () => {
            if (fails) throw new Error('the disk is gone')
            sync()
          }
          return file
        },
      },
      freeBytes: {
        value() {
          if (fails) throw new Error('the disk is gone')
          return 1e9
        },
      },
    })
    const db = open(`${parent}/db`, { storage })
    db.put('a', '1')
    fails = true
    expect(() => db.put('b', '2')).toThrow('the disk is gone')
    const health = db.health()
    expect(health).toMatchObject({ ok: false, closed: false, disk: { free: undefined } })
    expect(health.failed!.message).toContain('the disk is gone')
    expectCode(() => db.stats(), 'XENON_FAILED')
    closeQuietly(db)
    expect(db.health()).toMatchObject({ ok: false, closed: true, warnings: [] })
    fails = false
    const again = open(`${parent}/db`)
    expect(again.get('a')).toBe('1')
    again.close()
    expect(again.health()).toMatchObject({ ok: false, closed: true, failed: undefined })
  }))

test('of a database that is open for reading alone', () =>
  withMemoryDatabase({ storage: memoryStorage() }, ({ db, reopen }) => {
    db.put('a', '1')
    expect(reopen({ readOnly: true }).health()).toMatchObject({ ok: true, warnings: [] })
  }))
