/** Compressed values: smaller files, the same answers, and typed errors where a codec is missing or wrong. */
import zlib from 'node:zlib'
import { expect, test } from 'vitest'
import {
  type CompressionCodec,
  type CompressionOption,
  type Database,
  nodeStorage,
  type OpenOptions,
  open,
  salvage,
} from '../../src/index.ts'
import { RecordFlag } from '../../src/pager/bucket.ts'
import type { Store } from '../../src/records/store.ts'
import { Compression } from '../../src/values/compression.ts'
import { MAX_VALUE_BYTES } from '../../src/values/limits.ts'
import { expectVerified, withDatabase, withMemoryDatabase } from '../support/database.ts'
import { expectCode } from '../support/errors.ts'
import { expectEqual } from '../support/model.ts'
import { seeded } from '../support/random.ts'

const { zstdCompressSync } = zlib as unknown as { zstdCompressSync?: unknown }
const hasZstd = zstdCompressSync !== undefined

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

const BUILT_IN = ['deflate', 'snappy', 'brotli', ...(hasZstd ? (['zstd'] as const) : [])] as const

for (const compression of [...BUILT_IN, runLength] as const) {
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
        const plain = subject.reopen({ compression: typeof compression === 'string' ? 'none' : runLength })
        check(plain)
        await expectVerified(plain, records.size)
      })
    }))
}

test('a database of values that repeat themselves becomes smaller', async () => {
  const bytesOf = async (compression: CompressionOption): Promise<number> => {
    let bytes = 0
    await withDatabase({ compression, durability: 'none' }, async ({ db }) => {
      for (let i = 0; i < 500; i++) db.put(`key ${i}`, `{"name":"${i}","text":"abc"}`.repeat(40))
      await db.checkpoint()
      bytes = db.stats().dataBytes
    })
    return bytes
  }
  const plain = await bytesOf('none')
  for (const compression of BUILT_IN) expect(await bytesOf(compression)).toBeLessThan(plain / 2)
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
    expectCode(() => nonsense.put('other', value), 'XENON_ENCODE')
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
            db.keys({ limit: 30 }).take(30).toArray()
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

test('a database reads values of all kinds, whatever the option now is, and changes nothing of them', () =>
  withDatabase({ durability: 'none' }, async subject => {
    const options: CompressionOption[] = [...BUILT_IN, 'none', runLength]
    const records = new Map<string, string>()
    for (const [i, compression] of options.entries()) {
      const db = subject.reopen({ compression })
      for (const length of [100, 5000, 200_000]) {
        const key = `kind ${i}, ${length}`
        const value = `${i}`.repeat(length).slice(0, length)
        if (length === 100) db.put(key, value, { ttl: 3_600_000 })
        else db.put(key, value)
        records.set(key, value)
      }
    }
    for (const compression of [runLength]) {
      const db = subject.reopen({ compression })
      for (const [key, value] of records) expect(db.get(key)).toBe(value)
      expect(db.getMany([...records.keys()])).toEqual([...records.values()])
      db.expire('kind 1, 5000', 3_600_000)
      db.persist('kind 1, 100')
      await db.compact()
      expect(new Map(db.entries())).toEqual(records)
    }
    const copy = `${subject.directory} copy`
    const rescued = `${subject.directory} rescued`
    await subject.db.backup(copy)
    subject.db.close()
    expect(await salvage(subject.directory, rescued)).toMatchObject({ complete: true, records: records.size })
    for (const directory of [copy, rescued]) {
      const db = open(directory, { compression: runLength })
      expect(new Map(db.entries())).toEqual(records)
      db.close()
    }
    // Without the codec, all but its own.
    for (const compression of ['none', ...BUILT_IN] as const) {
      const db = subject.reopen({ compression })
      const own = `kind ${options.indexOf(runLength)},`
      for (const [key, value] of records)
        if (key.startsWith(own)) expectCode(() => db.get(key), 'XENON_INVALID_ARGUMENT')
        else expect(db.get(key)).toBe(value)
    }
  }))

/** Stores what is no value of the compression that its flags name. */
const putDamaged = (db: Database, key: string, flags: number, bytes: Uint8Array): void => {
  const { store } = db as unknown as { store: Store<string> }
  store.space.implicitly(state => store.writer.putRecord(state, new Uint8Array(Buffer.from(key)), flags, bytes, 0))
}

const compressedBy = (name: (typeof BUILT_IN)[number], text: string): { flags: number; bytes: Uint8Array } => {
  const bytes = new Uint8Array(Buffer.from(text))
  const flags = name === 'deflate' ? RecordFlag.deflated : RecordFlag.deflated | RecordFlag.encoded
  return { flags, bytes: new Compression(name, nodeStorage.deflate).compress(bytes)! }
}

test.each(BUILT_IN)('%s: what is damaged is XENON_CORRUPT with the key, and never another value', name =>
  withDatabase({}, ({ db }) => {
    const text = Array.from({ length: 300 }, (_, i) => `${i % 17} line ${i * i} of a log, and more`).join('\n')
    const { flags, bytes } = compressedBy(name, text)
    putDamaged(db, 'whole', flags, bytes)
    expect(db.get('whole')).toBe(text)
    for (const length of [1, 2, 3, 10, bytes.length >> 1, bytes.length - 1]) {
      putDamaged(db, `cut at ${length}`, flags, bytes.slice(0, length))
      const error = expectCode(() => db.get(`cut at ${length}`), 'XENON_CORRUPT')
      expect(error.message).toContain(`the compressed value of 'cut at ${length}' cannot be read`)
      expectCode(() => [...db.values({ prefix: `cut at ${length}` })], 'XENON_CORRUPT')
    }
    // The named kinds begin with the byte that names them.
    const from = name === 'deflate' ? 0 : 1
    for (let at = from; at < bytes.length; at += 7) {
      const flipped = bytes.slice()
      flipped[at]! ^= 0x55
      putDamaged(db, 'flipped', flags, flipped)
      try {
        // None but the checksum of its block knows that a letter is another one.
        expect(db.get('flipped')).toBeTypeOf('string')
      } catch (error) {
        expect(error).toMatchObject({ code: 'XENON_CORRUPT' })
      }
    }
  }),
)

test('what would become larger than any value is refused before it is made', () =>
  withDatabase({}, ({ db }) => {
    const LARGE = MAX_VALUE_BYTES + 1
    // Snappy: a length and nothing else, which lies; the others: zeros, which take a few thousandths.
    const length = [0x81, 0x80, 0x80, 0x80, 0x01]
    putDamaged(db, 'snappy', RecordFlag.deflated | RecordFlag.encoded, Uint8Array.from([1, ...length]))
    expectCode(() => db.get('snappy'), 'XENON_CORRUPT')
    const zeros = new Uint8Array(LARGE)
    const bytes = zlib.brotliCompressSync(zeros, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 1 } })
    putDamaged(db, 'brotli', RecordFlag.deflated | RecordFlag.encoded, Buffer.concat([Uint8Array.of(2), bytes]))
    expectCode(() => db.get('brotli'), 'XENON_CORRUPT')
  }))

test('a way to compress that is not known here is refused with a word about it', () =>
  withMemoryDatabase({}, ({ db }) => {
    putDamaged(db, 'later', RecordFlag.deflated | RecordFlag.encoded, Uint8Array.from([200, 1, 2, 3]))
    expect(expectCode(() => db.get('later'), 'XENON_NOT_SUPPORTED').message).toContain('way 200')
    if (hasZstd) return
    expect(expectCode(() => open('never', { compression: 'zstd' }), 'XENON_NOT_SUPPORTED').message).toContain('22.15')
    putDamaged(db, 'zstd', RecordFlag.deflated | RecordFlag.encoded, Uint8Array.from([3, 1, 2, 3]))
    expectCode(() => db.get('zstd'), 'XENON_NOT_SUPPORTED')
  }))
