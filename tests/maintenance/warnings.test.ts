/** Warnings: raised at one value, cleared at a lower one, told once, by whatever hook. */
import { setTimeout as wait } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { memoryStorage, type Storage, type Warning } from '../../src/index.ts'
import type { Vitals } from '../../src/maintenance/vitals.ts'
import { advisedBlockSize, type Circumstances, Warnings } from '../../src/maintenance/warnings.ts'
import { withDatabase, withMemoryDatabase } from '../support/database.ts'

const MiB = 1048576

const calm: Vitals = {
  ok: true,
  closed: false,
  failed: undefined,
  oldestTransaction: undefined,
  oldestSnapshot: undefined,
  log: { bytesInUse: 0, limit: 144 * MiB },
  lastCheckpoint: undefined,
  disk: { free: 100 * MiB, full: false },
  fsync: { count: 0, p50: 0, p99: 0 },
  longestStall: undefined,
  largeValues: { count: 0, bytes: 0, blockBytes: 0, wasted: 0 },
}
const usual: Circumstances = {
  holder: undefined,
  snapshots: { bytes: 0, limit: 256 * MiB },
  spare: 90 * MiB,
  blockSize: 4096,
  recovery: { needed: false, milliseconds: 3 },
  age: 1000,
}

/** The codes that hold after each state, and the numbers of their occurrences. */
const course = (...states: { vitals?: Partial<Vitals>; more?: Partial<Circumstances> }[]): string[] => {
  const warnings = new Warnings()
  return states.map(({ vitals, more }) => {
    warnings.judge({ ...calm, ...vitals }, { ...usual, ...more })
    return [...warnings.current].map(({ number, warning }) => `${warning.code} ${number}`).join(', ')
  })
}

test('a database that is well has none', () => {
  expect(course({})).toEqual([''])
})

test('log-held: a transaction of 30 s that half of the log is kept for, until there is less or it ends', () => {
  const holding = (id: number, milliseconds: number, share: number) => ({
    more: { holder: { id, milliseconds, logBytes: share * 144 * MiB } },
  })
  expect(
    course(
      holding(1, 29_000, 0.9),
      holding(1, 31_000, 0.49),
      holding(1, 31_000, 0.51),
      holding(1, 32_000, 0.45),
      holding(2, 40_000, 0.45),
      holding(2, 40_000, 0.6),
      holding(3, 40_000, 0.6),
      {},
    ),
  ).toEqual(['', '', 'log-held 1', 'log-held 1', '', 'log-held 2', 'log-held 3', ''])
})

test('each of the others has one value that raises it and one that clears it', () => {
  const snapshot = (share: number) => ({ more: { snapshots: { bytes: share * 100, limit: 100 } } })
  expect(course(snapshot(0.5), snapshot(0.6), snapshot(0.45), snapshot(0.4), snapshot(0.45))).toEqual([
    '',
    'snapshot-large 1',
    'snapshot-large 1',
    '',
    '',
  ])
  const spare = (mebibytes: number | undefined) => ({ more: { spare: mebibytes && mebibytes * MiB } })
  expect(course(spare(32), spare(31), spare(47), spare(48), spare(undefined), spare(-1))).toEqual([
    '',
    'disk-low 1',
    'disk-low 1',
    '',
    '',
    'disk-low 2',
  ])
  const sync = (count: number, p99: number) => ({ vitals: { fsync: { count, p50: 1, p99 } } })
  expect(course(sync(31, 500), sync(32, 101), sync(33, 60), sync(34, 50))).toEqual([
    '',
    'slow-fsync 1',
    'slow-fsync 1',
    '',
  ])
  const recovery = (milliseconds: number, age: number, needed = true) => ({
    more: { recovery: { needed, milliseconds }, age },
  })
  expect(course(recovery(4999, 0), recovery(5000, 0), recovery(5000, 600_000), recovery(9000, 0, false))).toEqual([
    '',
    'slow-recovery 1',
    '',
    '',
  ])
})

test('block-size: only if there is one in which the values share blocks', () => {
  const values = (count: number, size: number, blockSize = 4096) => {
    const blockBytes = count * Math.ceil(size / (blockSize - 20)) * blockSize
    const bytes = count * size
    return {
      vitals: { largeValues: { count, bytes, blockBytes, wasted: 1 - bytes / blockBytes } },
      more: { blockSize },
    }
  }
  expect(
    course(
      values(99, 2400),
      values(100, 2400),
      values(100, 3900),
      values(100, 2400, 8192),
      values(100, 4200),
      values(100, 70_000, 65536),
    ),
  ).toEqual(['', 'block-size 1', '', '', 'block-size 2', ''])
  expect([1400, 2400, 3900, 20_000, 22_000].map(advisedBlockSize)).toEqual([8192, 8192, 16384, 65536, undefined])
})

test.concurrent('values of 2.4 KB are told of once, with the block size that suits them', () =>
  withMemoryDatabase({}, async subject => {
    const heard: Warning[] = []
    const db = subject.reopen({ onWarning: warning => void heard.push(warning) })
    for (let i = 0; i < 150; i++) db.put(`key ${i}`, 'x'.repeat(2400))
    // Not from inside a call.
    expect(heard).toEqual([])
    expect(db.health().warnings.map(({ code }) => code)).toEqual(['block-size'])
    await wait(1200)
    for (let i = 0; i < 150; i++) db.put(`key ${i}`, 'y'.repeat(2400))
    await wait(1200)
    expect(heard).toHaveLength(1)
    expect(heard[0]!.data).toEqual({ blockSize: 4096, advised: 8192, valueBytes: 2400, wasted: 1 - 2400 / 4096 })
    expect(heard[0]!.message).toContain("'xenondb convert <directory> --block-size 8192'")
    // Sub-databases share it.
    expect(db.stats().largeValues).toMatchObject({ count: 300, bytes: 300 * 2400, blockBytes: 300 * 4096 })
    db.sub('other').put('key', 'z'.repeat(2400))
    expect(db.health().largeValues.count).toBe(301)
  }))

test.concurrent('a disk that fills up is told of in time, and again when it fills up again; a hook that throws harms nobody', () =>
  withDatabase({}, async subject => {
    const real = subject.db
    real.close()
    const { nodeStorage } = await import('../../src/index.ts')
    let free = 1e9
    const storage: Storage = Object.create(nodeStorage, { freeBytes: { value: () => free } })
    const heard: string[] = []
    const db = subject.reopen({
      storage,
      onWarning: ({ code, data }) => {
        heard.push(`${code} ${data.free}`)
        throw new Error('a bug of the caller')
      },
    })
    db.put('a', '1')
    await wait(1100)
    expect(heard).toEqual([])
    for (const next of [20e6, 1e9, 10e6]) {
      free = next
      await wait(1100)
    }
    expect(heard).toEqual(['disk-low 20000000', 'disk-low 10000000'])
    db.put('b', '2')
    expect(db.get('b')).toBe('2')
    db.close()
    free = 1
    await wait(1100)
    expect(heard).toHaveLength(2)
    subject.reopen({ storage: nodeStorage })
  }))

test.concurrent('a hook that rejects ends no process, and one that is no function is refused', () =>
  withMemoryDatabase({ storage: memoryStorage() }, async ({ db, reopen }) => {
    db.put('a', '1')
    expect(() => reopen({ onWarning: 'log' as never })).toThrow('onWarning must be a function')
    const again = reopen({ onWarning: (async () => Promise.reject(new Error('late'))) as never })
    for (let i = 0; i < 150; i++) again.put(`key ${i}`, 'x'.repeat(2400))
    await wait(1100)
  }))
