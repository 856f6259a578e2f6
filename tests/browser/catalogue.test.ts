/** The catalogue of handles outlives torn writes, and brings back what was removed until it was flushed. */
import { describe, expect, test } from 'vitest'
import type { SyncHandle } from '../../src/browser/handles.ts'
import { open } from '../../src/browser/index.ts'
import { storageIn } from '../../src/browser/opfs.ts'
import { DiskFullError, type Storage } from '../../src/index.ts'
import { expectVerified } from '../support/database.ts'
import { expectCode, expectCodeAsync } from '../support/errors.ts'
import { Held, MemoryHandles } from '../support/handles.ts'
import { firstSeed, Random, runs } from '../support/random.ts'

/** Handles whose writes that were not flushed may be lost, or torn, in any order, when the power goes. */
class Power extends MemoryHandles {
  private readonly before: Map<Held, { bytes: Uint8Array; size: number }> = new Map()
  private readonly unflushed: Map<Held, { at: number; bytes: Uint8Array }[]> = new Map()

  protected override handleOf(held: Held): SyncHandle {
    const handle = super.handleOf(held)
    const keep = (): void => {
      this.before.set(held, { bytes: held.bytes.slice(), size: held.size })
      this.unflushed.set(held, [])
    }
    if (!this.before.has(held)) keep()
    return {
      ...handle,
      write: (source, { at }) => {
        this.unflushed.get(held)!.push({ at, bytes: source.slice() })
        return handle.write(source, { at })
      },
      truncate: size => {
        handle.truncate(size)
        keep()
      },
      flush: keep,
    }
  }

  /** The worker is terminated: what it has written stays, flushed or not, until the power goes. */
  terminate(): void {
    for (const held of this.files.values()) held.open = false
  }

  /** What is there when it comes back: of the writes since the last flush some, the last of them perhaps in part. */
  afterLoss(random: Random): MemoryHandles {
    const handles = new MemoryHandles()
    for (const [name, held] of this.files) {
      const { bytes, size } = this.before.get(held)!
      const copy = new Held()
      copy.bytes = bytes.slice()
      copy.size = size
      handles.files.set(name, copy)
      for (const write of this.unflushed.get(held)!) {
        if (random.chance(0.5)) continue
        const length = random.chance(0.5) ? write.bytes.length : random.below(write.bytes.length + 1)
        const end = Math.max(copy.size, write.at + length)
        const grown = new Uint8Array(Math.max(end, copy.bytes.length))
        grown.set(copy.bytes)
        grown.set(write.bytes.subarray(0, length), write.at)
        copy.bytes = grown
        copy.size = end
      }
    }
    return handles
  }
}

describe('after a loss of power', () => {
  test('every database is what was durable, whatever became of the writes that were not flushed', async () => {
    const first = firstSeed()
    for (let seed = first; seed < first + 40 * runs; seed++) {
      const random = new Random(seed)
      const power = new Power()
      const options = { logSegmentBytes: 131072, checkpointBytes: 131072, cacheBytes: 262144 }
      let storage: Storage = await storageIn(power, 'db', { handles: 12 })
      let db = open('db', { storage, ...options })
      const model = new Map<string, string>()
      const steps = random.between(1, 150)
      for (let i = 0; i < steps; i++) {
        const key = `k${random.below(50)}`
        const value = `${i}`.repeat(random.between(1, 400))
        db.put(key, value)
        model.set(key, value)
        if (random.chance(0.05)) await db.checkpoint()
        if (random.chance(0.02)) await db.compact()
        if (random.chance(0.02)) {
          power.terminate()
          storage = await storageIn(power, 'db', { handles: 12 })
          db = open('db', { storage, ...options })
        }
      }
      const again = await storageIn(power.afterLoss(random), 'db', { handles: 12 })
      const recovered = open('db', { storage: again, ...options })
      expect(new Map(recovered.entries()), `seed ${seed}`).toEqual(
        new Map([...model].sort(([a], [b]) => (a < b ? -1 : 1))),
      )
      await expectVerified(recovered)
      recovered.close()
      db.close()
    }
  }, 60_000)
})

test('what a worker had not flushed when it was terminated is durable before the next one builds on it', async () => {
  for (let seed = 0; seed < 30; seed++) {
    const power = new Power()
    const storage = await storageIn(power, 'db')
    storage.makeDirectory('db')
    for (const [path, content] of [
      ['db/a', 'old'],
      ['db/b', 'new'],
    ] as const) {
      const file = storage.open(path, { create: true })
      file.write(Buffer.from(content), 0, content.length, 0)
      file.sync()
      file.close()
      storage.syncDirectory('db')
    }
    storage.rename('db/b', 'db/a')
    power.terminate()
    // It empties the handle of the old file, and writes a catalogue of its own.
    const next = await storageIn(power, 'db')
    if (seed % 2 === 0) next.makeDirectory('db/c')
    const last = await storageIn(power.afterLoss(new Random(seed)), 'db')
    expect([last.list('db').filter(name => name !== 'c'), contentOf(last, 'db/a')], `seed ${seed}`).toEqual([
      ['a'],
      'new',
    ])
  }
})

test('when no handle is left a file is refused, and one that was removed makes room', async () => {
  const storage = await storageIn(new MemoryHandles(), 'db', { handles: 5 })
  storage.makeDirectory('db')
  for (let i = 0; i < 4; i++) storage.open(`db/${i}`, { create: true }).close()
  expect(() => storage.open('db/4', { create: true })).toThrow(DiskFullError)
  storage.remove('db/0')
  storage.open('db/4', { create: true })
  expect(storage.list('db').sort()).toEqual(['1', '2', '3', '4'])
})

test('a quota that is used up is told as a full disk, and reads go on', async () => {
  const handles = new MemoryHandles()
  const storage = await storageIn(handles, 'db')
  const db = open('db', { storage })
  db.put('a', '1')
  handles.quota = [...handles.files.values()].reduce((sum, { size }) => sum + size, 0)
  const failure = ((): unknown => {
    try {
      for (let i = 0; ; i++) db.put(`k${i}`, 'x'.repeat(5000))
    } catch (error) {
      return error
    }
  })()
  expect((failure as { code: string }).code).toMatch(/^XENON_(FULL|IO|FAILED)$/)
  db.close()
  handles.quota = Number.POSITIVE_INFINITY
  storage.dispose()
  const again = open('db', { storage: await storageIn(handles, 'db') })
  expect(again.get('a')).toBe('1')
  await expectVerified(again)
  again.close()
})

test('one at a time has the handles', async () => {
  const handles = new MemoryHandles()
  const storage = await storageIn(handles, 'db')
  await expectCodeAsync(() => storageIn(handles, 'db'), 'XENON_LOCKED')
  storage.dispose()
  ;(await storageIn(handles, 'db')).dispose()
  expectCode(() => open('db', {} as never), 'XENON_INVALID_ARGUMENT')
})

/** Handles of which the catalogue can be told to write half, and then refuse. */
class Torn extends MemoryHandles {
  isFull = false

  override async open(name: string): Promise<SyncHandle> {
    const handle = await super.open(name)
    if (name !== '0') return handle
    return {
      ...handle,
      write: (source, options) => {
        if (!this.isFull) return handle.write(source, options)
        handle.write(source.subarray(0, source.length / 2), options)
        throw Object.assign(new Error('no capacity available'), { name: 'QuotaExceededError' })
      },
    }
  }
}

const writeTo = (storage: Storage, path: string, content: string): void => {
  const file = storage.open(path, { create: true })
  file.write(Buffer.from(content), 0, content.length, 0)
  file.close()
}

const contentOf = (storage: Storage, path: string): string => {
  const file = storage.open(path)
  const bytes = Buffer.alloc(file.size())
  file.read(bytes, 0, bytes.length, 0)
  file.close()
  return bytes.toString()
}

test('a catalogue that could only be written in part changes nothing, and leaves what was flushed', async () => {
  const handles = new Torn()
  const storage = await storageIn(handles, 'db')
  storage.makeDirectory('db')
  writeTo(storage, 'db/a', 'a')
  storage.syncDirectory('db')
  writeTo(storage, 'db/b', 'b')
  handles.isFull = true
  expectCode(() => writeTo(storage, 'db/c', 'c'), 'XENON_IO')
  expectCode(() => storage.rename('db/a', 'db/c'), 'XENON_IO')
  expectCode(() => storage.remove('db/a'), 'XENON_IO')
  expect(storage.list('db').sort()).toEqual(['a', 'b'])
  expectCode(() => storage.syncDirectory('db'), 'XENON_IO')
  for (const held of handles.files.values()) held.open = false
  const older = await storageIn(handles, 'db')
  expect(older.list('db')).toEqual(['a'])
  expect(contentOf(older, 'db/a')).toBe('a')
  for (const held of handles.files.values()) held.open = false
  handles.isFull = false
  storage.syncDirectory('db')
  const newer = await storageIn(handles, 'db')
  expect(newer.list('db').sort()).toEqual(['a', 'b'])
})

test('a catalogue without a sound slot is told, and nothing is emptied', async () => {
  const handles = new MemoryHandles()
  const storage = await storageIn(handles, 'db')
  const db = open('db', { storage })
  db.put('a', '1')
  db.close()
  storage.dispose()
  const sizes = (): number[] => [...handles.files.values()].map(({ size }) => size)
  const before = sizes()
  const { bytes } = handles.files.get('0')!
  for (const at of [20, 65536 + 20]) bytes[at]! ^= 1
  for (let i = 0; i < 2; i++) await expectCodeAsync(() => storageIn(handles, 'db'), 'XENON_CORRUPT')
  expect(sizes()).toEqual(before)
  bytes[20]! ^= 1
  bytes[65536 + 20]! ^= 1
  const again = open('db', { storage: await storageIn(handles, 'db') })
  expect(again.get('a')).toBe('1')
  await expectVerified(again)
  again.close()
})

test('a file that was removed lives on for whoever has it open, and its handle is used again after that', async () => {
  const storage = await storageIn(new MemoryHandles(), 'db', { handles: 5 })
  storage.makeDirectory('db')
  for (let i = 0; i < 4; i++) writeTo(storage, `db/${i}`, `file ${i}`)
  const file = storage.open('db/0')
  storage.remove('db/0')
  storage.syncDirectory('db')
  expect(file.size()).toBe(6)
  expectCode(() => writeTo(storage, 'db/4', ''), 'XENON_FULL')
  file.close()
  file.close()
  writeTo(storage, 'db/4', '')
  expect(contentOf(storage, 'db/4')).toBe('')
})

test('the handles are given back when no database is open; then the storage is closed', async () => {
  const handles = new MemoryHandles()
  const storage = await storageIn(handles, 'db')
  const db = open('db', { storage })
  expectCode(() => storage.dispose(), 'XENON_LOCKED')
  db.put('a', '1')
  await expectVerified(db)
  db.close()
  storage.dispose()
  storage.dispose()
  expectCode(() => open('db', { storage }), 'XENON_CLOSED')
  ;(await storageIn(handles, 'db')).dispose()
})

test('a number of handles that is none is refused', async () => {
  for (const handles of [0, Number.NaN, 1.5, '8', null])
    await expectCodeAsync(() => storageIn(new MemoryHandles(), 'db', { handles } as never), 'XENON_INVALID_ARGUMENT')
})
