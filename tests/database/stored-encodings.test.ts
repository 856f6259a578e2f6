/** The names of encodings that a database stores, and what an open with others meets. */
import { describe, expect, test } from 'vitest'
import {
  EncodingMismatchError,
  memoryStorage,
  type OpenOptions,
  open,
  salvage,
  type ValueCodec,
} from '../../src/index.ts'
import { METADATA_BYTES, Metadata } from '../../src/pager/metadata.ts'
import { expectVerified } from '../support/database.ts'
import { expectCode, thrownBy, wrong } from '../support/errors.ts'

const codec = (name: string): ValueCodec<string> => ({
  name,
  encode: value => new TextEncoder().encode(value),
  decode: bytes => new TextDecoder().decode(bytes),
})

/** What block 0 says of a database that nobody has open. */
const namesOf = (storage: ReturnType<typeof memoryStorage>, directory = 'db'): string[] => {
  const file = storage.open(storage.join(directory, 'data'), { readOnly: true })
  const bytes = new Uint8Array(METADATA_BYTES)
  file.read(bytes, 0, bytes.length, 0)
  file.close()
  const { keyEncoding, valueEncoding } = Metadata.decode(bytes, 'data', storage)
  return [keyEncoding, valueEncoding]
}

/** Takes the names out of both copies of the state, as older builds wrote it. */
const forget = (storage: ReturnType<typeof memoryStorage>): void => {
  const db = open('db', { storage, storedEncoding: 'ignore' })
  db.nameEncodings({ keyEncoding: '', valueEncoding: '' })
  db.close()
}

describe('the encodings of a database', () => {
  test('are stored at its creation, and others are refused with both names', async () => {
    const storage = memoryStorage()
    open('db', { storage, valueEncoding: 'json', keyEncoding: 'tuple' }).close()
    expect(namesOf(storage)).toEqual(['tuple', 'json'])
    const error = thrownBy(() => open('db', { storage, keyEncoding: 'tuple' })) as EncodingMismatchError
    expect(error).toBeInstanceOf(EncodingMismatchError)
    expect(error).toMatchObject({ code: 'XENON_ENCODING', option: 'valueEncoding', stored: 'json', given: 'utf8' })
    expect(error.message).toContain("the database in db was made with valueEncoding 'json'")
    expect(error.message).toContain('storedEncoding')
    for (const keyEncoding of ['utf8', 'binary'] as const)
      expect(thrownBy(() => open('db', { storage, valueEncoding: 'json', keyEncoding }))).toMatchObject({
        ...{ code: 'XENON_ENCODING', option: 'keyEncoding', stored: 'tuple', given: keyEncoding },
      })
    for (const given of ['json', 'utf8', 'binary', 'msgpack', codec('own')])
      expect(
        thrownBy(() => open('db', { storage, valueEncoding: given, readOnly: true } as OpenOptions)),
      ).toBeInstanceOf(EncodingMismatchError)
    const db = open('db', { storage, valueEncoding: 'json', keyEncoding: 'tuple' })
    await expectVerified(db, 0)
    db.close()
  })

  test('of keys may be text or bytes, which are the same', () => {
    const storage = memoryStorage()
    const text = open('db', { storage })
    text.put('a', '1')
    text.close()
    const bytes = open('db', { storage, keyEncoding: 'binary' })
    expect([...bytes.keys()]).toEqual([Uint8Array.of(97)])
    bytes.put('b', '2')
    bytes.close()
    expect(namesOf(storage)).toEqual(['utf8', 'utf8'])
    expectCode(() => open('db', { storage, keyEncoding: 'tuple' }), 'XENON_ENCODING')
  })

  test("are replaced by 'replace', at once and in both copies of the state, and left alone by 'ignore'", () => {
    const storage = memoryStorage()
    const db = open('db', { storage })
    db.put('a', '{"n":1}')
    db.close()
    const json = { storage, valueEncoding: 'json' } as const
    const ignoring = open<unknown>('db', { ...json, storedEncoding: 'ignore' })
    expect(ignoring.get('a')).toEqual({ n: 1 })
    ignoring.put('b', [2])
    ignoring.close()
    expect(namesOf(storage)).toEqual(['utf8', 'utf8'])
    expectCode(() => open('db', json), 'XENON_ENCODING')
    expectCode(() => open('db', { ...json, readOnly: true, storedEncoding: 'replace' }), 'XENON_INVALID_ARGUMENT')
    open('db', { ...json, storedEncoding: 'replace' }).close()
    expect(namesOf(storage)).toEqual(['utf8', 'json'])
    const data = storage.open(storage.join('db', 'data'))
    for (const copy of [1, 2]) {
      const sound = new Uint8Array(512)
      data.read(sound, 0, 512, 512 * copy)
      data.write(new Uint8Array(512), 0, 512, 512 * copy)
      expect(namesOf(storage)).toEqual(['utf8', 'json'])
      data.write(sound, 0, 512, 512 * copy)
    }
    data.close()
    expectCode(() => open('db', { storage }), 'XENON_ENCODING')
    const again = open<unknown>('db', json)
    expect([...again.values()]).toEqual([{ n: 1 }, [2]])
    again.close()
    for (const given of ['', 'no', null, 1, true])
      expectCode(() => open('db', { ...json, storedEncoding: wrong(given) }), 'XENON_INVALID_ARGUMENT')
  })

  test('are not replaced by the default of one that was not given: whoever renames a codec keeps the keys', () => {
    const storage = memoryStorage()
    open('db', { storage, keyEncoding: 'tuple', valueEncoding: codec('old') }).close()
    const renamed = { storage, valueEncoding: codec('new'), storedEncoding: 'replace' } as const
    const refused = thrownBy(() => open('db', renamed))
    expect(refused).toMatchObject({ code: 'XENON_ENCODING', option: 'keyEncoding', stored: 'tuple', given: 'utf8' })
    expect(namesOf(storage)).toEqual(['tuple', 'old'])
    open('db', { ...renamed, keyEncoding: 'tuple' }).close()
    expect(namesOf(storage)).toEqual(['tuple', 'new'])
    expectCode(() => open('db', { storage, keyEncoding: 'utf8', storedEncoding: 'replace' }), 'XENON_ENCODING')
    expect(namesOf(storage)).toEqual(['tuple', 'new'])
  })

  test('are not said by older builds, nor by those who write bytes: the first open that writes says them', () => {
    const storage = memoryStorage()
    open('db', { storage, storedEncoding: 'ignore', valueEncoding: 'binary' }).close()
    expect(namesOf(storage)).toEqual(['', ''])
    for (const valueEncoding of ['json', 'utf8', 'binary'] as const)
      open('db', { storage, valueEncoding, readOnly: true } as OpenOptions).close()
    const first = open<unknown>('db', { storage, valueEncoding: 'json' })
    first.put('a', 1)
    first.close()
    expect(namesOf(storage)).toEqual(['utf8', 'json'])
    expectCode(() => open('db', { storage }), 'XENON_ENCODING')
    forget(storage)
    expect(namesOf(storage)).toEqual(['', ''])
  })

  test('of the caller count by their names, of at most 62 bytes', () => {
    const storage = memoryStorage()
    const long = 'ä'.repeat(31)
    open('db', { storage, valueEncoding: codec(long) }).close()
    expect(namesOf(storage)).toEqual(['utf8', long])
    open('db', { storage, valueEncoding: codec(long) }).close()
    expectCode(() => open('db', { storage, valueEncoding: codec('other') }), 'XENON_ENCODING')
    for (const valueEncoding of [codec(`${long}!`), codec('x'.repeat(63))])
      expectCode(() => open('other', { storage, valueEncoding }), 'XENON_INVALID_ARGUMENT')
    expect(storage.kind('other')).toBe('none')
  })

  test('go with a backup, a compaction and a salvage', async () => {
    const storage = memoryStorage()
    const db = open<unknown>('db', { storage, valueEncoding: 'json', keyEncoding: 'tuple' })
    for (let i = 0; i < 200; i++) db.put([i], { n: i })
    db.clear({ lt: [150] })
    await db.backup('backup')
    await db.compact()
    db.close()
    await salvage('db', 'salvaged', { storage })
    for (const directory of ['db', 'backup', 'salvaged']) {
      expect(namesOf(storage, directory)).toEqual(['tuple', 'json'])
      const copy = open<unknown>(directory, { storage, valueEncoding: 'json', keyEncoding: 'tuple' })
      expect(copy.get([199])).toEqual({ n: 199 })
      await expectVerified(copy, 50)
      copy.close()
    }
  })

  test('of sub-databases are refused, replaced and ignored alike', async () => {
    const storage = memoryStorage()
    const db = open('db', { storage })
    const text = db.sub('s')
    text.put('a', '[1]')
    const refused = thrownBy(() => db.sub('s', { valueEncoding: 'json' }))
    expect(refused).toMatchObject({ code: 'XENON_ENCODING', option: 'valueEncoding', stored: 'utf8', given: 'json' })
    const ignoring = db.sub<unknown>('s', { valueEncoding: 'json', storedEncoding: 'ignore' })
    expect(ignoring.get('a')).toEqual([1])
    expect(text.get('a')).toBe('[1]')
    expect(db.sub('s', { valueEncoding: 'utf8' }).get('a')).toBe('[1]')
    db.sub('s', { valueEncoding: 'json', storedEncoding: 'replace' })
    expectCode(() => db.sub('s', { valueEncoding: 'utf8' }), 'XENON_ENCODING')
    db.close()
    const again = open('db', { storage })
    expect(again.sub<unknown>('s').get('a')).toEqual([1])
    expectCode(() => again.sub('s', { storedEncoding: wrong('no') }), 'XENON_INVALID_ARGUMENT')
    await expectVerified(again, 0)
    again.close()
  })
})
