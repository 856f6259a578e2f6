/** convert(): the ordered index is added or taken away, and nothing else changes. */
import { expect, test } from 'vitest'
import { convert, memoryStorage, open } from '../../src/index.ts'
import { SimulatedCrash } from '../../src/testing/fault.ts'
import { binaryNames, bytesOf, nameOf } from '../model/sorted.ts'
import { expectVerified, withDatabase } from '../support/database.ts'
import { expectCode, expectCodeAsync } from '../support/errors.ts'
import { readImage, storageOf } from '../support/image.ts'
import { seeded } from '../support/random.ts'

for (const frames of [16, 500]) {
  test(`there and back again: ${frames} frames`, () =>
    seeded(async random => {
      const storage = memoryStorage()
      const cacheBytes = frames * 4096
      const names = binaryNames(random, 900)
      const records = new Map(names.map(name => [name, `${random.next()}`.repeat(random.below(30))]))
      const fill = open('db', {
        storage,
        cacheBytes,
        ordered: false,
        durability: 'process',
        keyEncoding: 'binary',
      })
      fill.batch([...records].map(([name, value]) => ({ type: 'put', key: bytesOf(name), value })))
      fill.put(bytesOf('large'), 'x'.repeat(100_000), { ttl: 1e9 })
      const inner = fill.sub('outer').sub('inner')
      const numbers = Array.from({ length: 400 }, (_, i) => [`${(i * 7919) % 400}`.padStart(3, '0'), `${i}`] as const)
      for (const [key, value] of numbers) inner.put(key, value, { ttl: 1e9 })
      fill.sub('cleared').put('key', 'value')
      fill.sub('cleared').clear()
      records.set('large', 'x'.repeat(100_000))
      fill.close()
      for (const ordered of [true, true, false, false, true]) {
        const progress: number[] = []
        await convert('db', { ordered, storage, cacheBytes, onProgress: p => progress.push(p.done) })
        const db = open('db', { storage, cacheBytes, keyEncoding: 'binary' })
        expect(db.stats().ordered).toBe(ordered)
        expect(db.count()).toBe(records.size)
        for (const [name, value] of records) expect(db.get(bytesOf(name))).toBe(value)
        expect(db.ttl(bytesOf('large'))).toBeLessThan(1e9 + 1)
        await expectVerified(db, records.size)
        const sub = db.sub('outer').sub('inner')
        expect(sub.count()).toBe(numbers.length)
        for (const [key, value] of numbers) expect(sub.get(key)).toBe(value)
        if (ordered) expect([...sub.entries()]).toEqual([...numbers].sort())
        else expectCode(() => sub.keys(), 'XENON_NOT_SUPPORTED')
        expect(progress).toEqual([...progress].sort((a, b) => a - b))
        if (ordered) expect([...db.keys()].map(nameOf)).toEqual([...records.keys()].sort())
        else expectCode(() => db.keys(), 'XENON_NOT_SUPPORTED')
        const gone = random.pick([...records.keys()].filter(name => name !== 'large'))
        expect(db.delete(bytesOf(gone))).toBe(true)
        records.delete(gone)
        db.put(bytesOf('\xff new'), `${ordered}`)
        records.set('\xff new', `${ordered}`)
        await expectVerified(db, records.size)
        db.close()
      }
    }))
}

test('killed at any moment it leaves a sound database, with or without the index, that converts again', () =>
  seeded(async random => {
    const original = memoryStorage()
    const fill = open('db', { storage: original, ordered: true, durability: 'process', cacheBytes: 65536 })
    for (let i = 0; i < 1500; i++) fill.put(`key ${random.below(1e6)}`.padEnd(random.below(200)), `${i}`)
    const records = new Map(fill.entries())
    const kept = [...records].slice(0, 300)
    for (const [key, value] of kept) fill.sub('sub').put(key, value)
    fill.close()
    const closed = readImage('db', original)
    for (const ordered of [false, true]) {
      const begin = async () => {
        const storage = storageOf(closed)
        if (ordered) await convert('db', { ordered: false, storage, cacheBytes: 65536 })
        return storage
      }
      for (let moment = 1; moment < 40; moment += random.between(1, 4)) {
        const storage = await begin()
        let writes = 0
        const dying = {
          ...storage,
          open: (path: string, options?: Parameters<typeof storage.open>[1]) => {
            const file = storage.open(path, options)
            const die = (): void => {
              if (++writes >= moment) throw new SimulatedCrash('power')
            }
            return Object.assign(Object.create(file) as typeof file, {
              write: (...given: Parameters<typeof file.write>) => {
                die()
                file.write(...given)
              },
              writeMany: (...given: Parameters<typeof file.writeMany>) => {
                die()
                file.writeMany(...given)
              },
            })
          },
        }
        await convert('db', {
          ordered,
          storage: dying,
          cacheBytes: 65536,
          logSegmentBytes: 131_072,
        } as never).catch(() => undefined)
        const left = storageOf(readImage('db', storage))
        const db = open('db', { storage: left, cacheBytes: 65536 })
        expect(db.count()).toBe(records.size)
        await expectVerified(db, records.size)
        if (db.stats().ordered) expect([...db.entries()].length).toBe(records.size)
        expect(db.sub('sub').count()).toBe(kept.length)
        db.put('new', 'value')
        db.delete('new')
        db.close()
        await convert('db', { ordered, storage: left, cacheBytes: 65536 })
        const converted = open('db', { storage: left, cacheBytes: 65536 })
        expect(converted.stats().ordered).toBe(ordered)
        await expectVerified(converted, records.size)
        if (ordered) expect(new Map(converted.entries())).toEqual(records)
        if (ordered) expect([...converted.sub('sub').entries()]).toEqual(kept)
        converted.close()
      }
    }
  }))

test('misuse', () =>
  withDatabase({}, async ({ db, directory }) => {
    db.put('key', 'value')
    await expectCodeAsync(() => convert(directory, { ordered: false }), 'XENON_LOCKED')
    db.close()
    await expectCodeAsync(() => convert(directory, {} as never), 'XENON_INVALID_ARGUMENT')
    await expectCodeAsync(() => convert(directory, undefined as never), 'XENON_INVALID_ARGUMENT')
    await expectCodeAsync(() => convert(`${directory}-none`, { ordered: true }), 'XENON_NOT_FOUND')
    await convert(directory, { ordered: false })
    expectCode(() => open(directory, { ordered: true }), 'XENON_INVALID_ARGUMENT')
    const unordered = open(directory, { ordered: false })
    expect(unordered.get('key')).toBe('value')
    unordered.close()
    await convert(directory, { ordered: true })
    expectCode(() => open(directory, { ordered: false }), 'XENON_INVALID_ARGUMENT')
  }))
