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
    keep()
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
      const storage: Storage = await storageIn(power, 'db', { handles: 12 })
      const db = open('db', { storage, ...options })
      const model = new Map<string, string>()
      const steps = random.between(1, 150)
      for (let i = 0; i < steps; i++) {
        const key = `k${random.below(50)}`
        const value = `${i}`.repeat(random.between(1, 400))
        db.put(key, value)
        model.set(key, value)
        if (random.chance(0.05)) await db.checkpoint()
        if (random.chance(0.02)) await db.compact()
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

test('when no handle is left a file is refused, and one that was removed makes room', async () => {
  const storage = await storageIn(new MemoryHandles(), 'db', { handles: 5 })
  storage.makeDirectory('db')
  for (let i = 0; i < 4; i++) storage.open(`db/${i}`, { create: true })
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
