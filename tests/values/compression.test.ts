/** Compressed values: smaller files, the same answers, and typed errors where a codec is missing or wrong. */
import { expect, test } from 'vitest'
import { type CompressionCodec, type Database, type OpenOptions, open } from '../../src/index.ts'
import { expectVerified, withDatabase, withMemoryDatabase } from '../support/database.ts'
import { expectCode } from '../support/errors.ts'
import { expectEqual } from '../support/model.ts'
import { seeded } from '../support/random.ts'

/** Runs of equal bytes as pairs of length and byte. */
const runLength: CompressionCodec = {
  name: 'run-length',
  compress(bytes) {
    const out: number[] = []
    for (let i = 0; i < bytes.length; ) {
      let end = i
      while (end < bytes.length && end - i < 255 && bytes[end] === bytes[i]) end++
      out.push(end - i, bytes[i]!)
      i = end
    }
    return Uint8Array.from(out)
  },
  decompress(bytes) {
    const out: number[] = []
    for (let i = 0; i < bytes.length; i += 2) for (let n = bytes[i]!; n > 0; n--) out.push(bytes[i + 1]!)
    return Uint8Array.from(out)
  },
}

for (const compression of ['deflate', runLength] as const) {
  const name = typeof compression === 'string' ? compression : compression.name
  test(`${name}: values of all sizes come back, by every way of reading`, () =>
    seeded(async random => {
      await withDatabase({ compression, durability: 'none' }, async subject => {
        const { db } = subject
        const records = new Map<string, string>()
        for (let i = 0; i < 400; i++) {
          const length = random.pick([0, 1, 63, 64, 65, 500, 4000, 4096, 9000, 100_000])
          const value = random.chance(0.6)
            ? random.pick(['a', 'b', 'c']).repeat(length)
            : Array.from({ length: Math.min(length, 3000) }, () => String.fromCharCode(32 + random.below(90))).join('')
          db.put(`key ${i % 250}`, value)
          records.set(`key ${i % 250}`, value)
        }
        const check = (from: Database): void => {
          expectEqual(from, records)
          expect(new Map(from.entries())).toEqual(records)
          using snapshot = from.snapshot()
          using tx = from.begin()
          for (const [key, value] of records) {
            expect(snapshot.get(key)).toBe(value)
            expect(tx.get(key)).toBe(value)
          }
          expect(new Map(tx.entries())).toEqual(records)
        }
        check(db)
        const tx = db.begin()
        for (const key of [...records.keys()].slice(0, 40)) tx.put(key, 'z'.repeat(random.below(20_000)))
        expectEqual(db, records)
        tx.rollback()
        await db.compact()
        check(subject.reopen())
        // What is stored stays readable whatever new values get.
        const plain = subject.reopen({ compression: compression === 'deflate' ? 'none' : runLength })
        check(plain)
        await expectVerified(plain, records.size)
      })
    }))
}

test('a database of values that repeat themselves becomes smaller', async () => {
  const bytesOf = async (compression: 'none' | 'deflate'): Promise<number> => {
    let bytes = 0
    await withDatabase({ compression, durability: 'none' }, async ({ db }) => {
      for (let i = 0; i < 500; i++) db.put(`key ${i}`, `{"name":"${i}","text":"abc"}`.repeat(40))
      await db.checkpoint()
      bytes = db.stats().dataBytes
    })
    return bytes
  }
  expect(await bytesOf('deflate')).toBeLessThan((await bytesOf('none')) / 2)
})

test('a codec that is missing, throws, or gives nonsense is a typed error, and the record stays', () =>
  withMemoryDatabase({ compression: runLength }, async subject => {
    const value = 'x'.repeat(5000)
    subject.db.put('key', value)
    const without = subject.reopen({ compression: 'none' })
    expectCode(() => without.get('key'), 'XENON_INVALID_ARGUMENT')
    expectCode(() => [...without.values()], 'XENON_INVALID_ARGUMENT')
    expect(without.has('key')).toBe(true)
    expect([...without.keys()]).toEqual(['key'])
    const failing: CompressionCodec = {
      name: 'failing',
      compress: () => {
        throw new Error('no')
      },
      decompress: () => {
        throw new Error('no')
      },
    }
    const broken = subject.reopen({ compression: failing })
    expect(() => broken.put('other', value)).toThrow('no')
    expect(() => broken.get('key')).toThrow('no')
    expect(broken.has('other')).toBe(false)
    const nonsense = subject.reopen({ compression: { ...failing, compress: () => 'text' as never } })
    expectCode(() => nonsense.put('other', value), 'XENON_INVALID_ARGUMENT')
    nonsense.put('short', 'is not compressed')
    const good = subject.reopen({ compression: runLength })
    expect(good.get('key')).toBe(value)
    await expectVerified(good, 2)
  }))

test('a codec may not come back into the database while a value is written', () =>
  withMemoryDatabase({}, subject => {
    let db: Database | undefined
    const intruder: CompressionCodec = {
      ...runLength,
      compress: bytes => {
        db?.put('intruder', 'value')
        return runLength.compress(bytes)
      },
    }
    db = subject.reopen({ compression: intruder })
    expectCode(() => db!.put('key', 'x'.repeat(100)), 'XENON_INVALID_ARGUMENT')
    expect(db.count()).toBe(0)
    db.put('key', 'short')
    expect(db.get('key')).toBe('short')
  }))

test('a codec that reads the database while a range is read disturbs nothing, or is refused', () =>
  withMemoryDatabase({ compression: runLength }, subject => {
    for (let i = 0; i < 300; i++) subject.db.put(`key ${i}`.padStart(9, '0'), `${i % 10}`.repeat(200 + i))
    const expected = [...subject.db.entries()]
    let db: Database | undefined
    let inside = false
    const intruder: CompressionCodec = {
      ...runLength,
      decompress: bytes => {
        if (db !== undefined && !inside) {
          inside = true
          try {
            db.get('000key 17')
            db.keys({ limit: 30 }).take(30)
            db.count('000')
          } catch (error) {
            expectCode(() => {
              throw error
            }, 'XENON_INVALID_ARGUMENT')
          } finally {
            inside = false
          }
        }
        return runLength.decompress(bytes)
      },
    }
    db = subject.reopen({ compression: intruder })
    expect([...db.entries()]).toEqual(expected)
    const snapshot = db.snapshot()
    inside = true
    db.put('000key 17', 'changed')
    inside = false
    expect([...snapshot.entries()]).toEqual(expected)
    for (const [key, value] of expected) expect(snapshot.get(key)).toBe(value)
    snapshot.close()
    expect(db.get('000key 17')).toBe('changed')
  }))

test('what cannot be a compression is refused', () => {
  for (const compression of ['zip', 5, {}, { name: 'x' }] as never[])
    expectCode(() => open('never', { compression } as OpenOptions), 'XENON_INVALID_ARGUMENT')
  return withMemoryDatabase({}, ({ options }) => {
    const storage = { ...options.storage!, deflate: undefined }
    expectCode(() => open('other', { storage, compression: 'deflate' }), 'XENON_INVALID_ARGUMENT')
  })
})
