/** Blocks that are read ahead, where reads wait for a disk. */
import { describe, expect, test } from 'vitest'
import { ReadPace } from '../../src/buffer/read-pace.ts'
import { type Database, memoryStorage, type Storage } from '../../src/index.ts'
import { withMemoryDatabase } from '../support/database.ts'

/** Files in memory whose data file takes some time, and tells what is read of it, and read ahead. */
class Disk {
  readonly storage: Storage
  milliseconds = 0
  readonly read: number[] = []
  readonly ahead: number[] = []

  constructor() {
    const inner = memoryStorage()
    this.storage = {
      ...inner,
      open: (path, options) => {
        const file = inner.open(path, options)
        if (!path.endsWith('data')) return file
        const read = file.read.bind(file)
        file.read = (target, offset, length, position) => {
          this.read.push(position / 4096)
          const until = performance.now() + this.milliseconds
          while (performance.now() < until);
          return read(target, offset, length, position)
        }
        file.readAhead = (_length, position) => this.ahead.push(position / 4096)
        return file
      },
    }
  }

  /** Blocks read and read ahead during the work. */
  watch(work: () => void): { read: Set<number>; ahead: number[] } {
    this.read.length = 0
    this.ahead.length = 0
    work()
    return { read: new Set(this.read), ahead: [...this.ahead] }
  }
}

const RECORDS = 60_000
const key = (i: number): string => `key ${((i * 40_503) % 65_536) + 100_000}`
const keys = (from: number, count: number): string[] =>
  Array.from({ length: count }, (_, i) => key((from + i) % RECORDS))

const putAll = (db: Database, from: number, count: number): void => {
  for (let at = from; at < from + count; at += 1000)
    db.batch(Array.from({ length: 1000 }, (_, i) => ({ type: 'put', key: key(at + i), value: 'v'.repeat(100) })))
}

const withDisk = (body: (disk: Disk, db: Database) => void): Promise<void> => {
  const disk = new Disk()
  return withMemoryDatabase({ storage: disk.storage, durability: 'none', cacheBytes: 6 << 20 }, async ({ db }) => {
    putAll(db, 0, RECORDS)
    body(disk, db)
  })
}

/** So many reads that it is known how long they take. */
const warmUp = (db: Database): void => {
  for (const k of keys(0, 300)) db.get(k)
}

describe('blocks are read ahead', () => {
  test('for the keys of getMany, if reads take long, and are read afterwards', () =>
    withDisk((disk, db) => {
      disk.milliseconds = 0.1
      warmUp(db)
      const { read, ahead } = disk.watch(() => expect(db.getMany(keys(5000, 500)).every(Boolean)).toBe(true))
      expect(ahead.length).toBeGreaterThan(200)
      const needless = ahead.filter(block => !read.has(block))
      expect(needless).toEqual([])
    }))

  test('for a batch of new keys: buckets and leaves', () =>
    withDisk((disk, db) => {
      disk.milliseconds = 0.1
      warmUp(db)
      const { read, ahead } = disk.watch(() => putAll(db, RECORDS, 1000))
      expect(ahead.length).toBeGreaterThan(300)
      expect(ahead.filter(block => !read.has(block)).length).toBeLessThan(ahead.length / 20)
    }))

  test('not while reads are short', () =>
    withDisk((disk, db) => {
      warmUp(db)
      const { read, ahead } = disk.watch(() => db.getMany(keys(5000, 500)))
      expect(read.size).toBeGreaterThan(200)
      expect(ahead).toEqual([])
    }))
})

test('the pace of reads: many that wait begin it, and next to none of them end it', () => {
  const pace = new ReadPace()
  for (let i = 0; i < 1000; i++) pace.took(i % 10 === 0 ? 0.5 : 0.003)
  expect(pace.isSlow).toBe(false)
  for (let i = 0; i < 32; i++) pace.took(0.06)
  expect(pace.isSlow).toBe(true)
  // Most are short now, because they were read ahead.
  for (let i = 0; i < 1000; i++) pace.took(i % 10 === 0 ? 0.06 : 0.004)
  expect(pace.isSlow).toBe(true)
  for (let i = 0; i < 200; i++) pace.took(0.004)
  expect(pace.isSlow).toBe(false)
})
