/** Databases that earlier builds wrote: this one opens them, reads every record, and goes on. README.md says what they hold. */
import { describe, expect, test } from 'vitest'
import { type Database, nodeStorage, type OpenOptions, open, type Sub, salvage } from '../../src/index.ts'
import { FORMAT_VERSION, SPACES_VERSION } from '../../src/pager/metadata.ts'
import { expectVerified } from '../support/database.ts'
import { withDirectory } from '../support/directory.ts'
import { expectCode, expectCodeAsync } from '../support/errors.ts'
import { copyImage, differences, readImage, writeImage } from '../support/image.ts'
import { type Golden, type GoldenRecord, goldenNames, goldenStorage, readGolden } from './golden.ts'

const HOUR = 3_600_000

const names = goldenNames()

test('there is every kind of database from every build', () => {
  const kinds = [
    ...['compressed', 'expiring', 'json-in-8-kib-blocks', 'killed-at-its-first-commit'],
    ...['killed-with-open-transactions', 'large-values', 'ordered', 'unordered'],
  ]
  const withSpaces = ['killed-with-sub-databases', 'sub-databases']
  const folders = {
    '2-images-in-log': kinds,
    '2-images-beside-log': kinds,
    '3-key-spaces': withSpaces,
    '3-blank-blocks': [...kinds, ...withSpaces],
    '4-mark': ['killed-with-an-open-group', 'marked'],
  }
  const all = Object.entries(folders).flatMap(([folder, names]) => names.map(name => `${folder}/${name}`))
  expect(names).toEqual(all.sort())
})

describe.each(names)('%s', name => {
  const golden = readGolden(name)
  // Two hours later: what expired in the first one is gone, and may be swept or not.
  const now = golden.now + 2 * HOUR
  const records = golden.records.filter(({ expiresAt = Number.POSITIVE_INFINITY }) => expiresAt > now)
  const options = { ...golden.options, createIfMissing: false, cacheBytes: 2 ** 20 }

  test('read-only: every record is there, and nothing is written', async () => {
    const storage = goldenStorage(golden, now)
    const db = open<unknown, string>('db', { ...options, storage, readOnly: true })
    expect(db.stats().recovery.needed).toBe(!golden.closed)
    expectAll(db, golden, records, now)
    expect((await db.verify()).problems).toEqual([])
    db.close()
    expect(differences(golden.files, readImage('db', storage))).toEqual([])
  })

  test('every record is there, and a new one stays', async () => {
    const storage = goldenStorage(golden, now)
    const more: GoldenRecord = { key: keyLike(golden), value: golden.records[0]!.value, expiresAt: undefined }
    let db = open<unknown, string>('db', { ...options, storage })
    expectAll(db, golden, records, now)
    await expectVerified(db)
    db.put(more.key, more.value)
    db.close()
    db = open<unknown, string>('db', { ...options, storage })
    expect(db.stats().recovery.needed).toBe(false)
    expectAll(db, golden, [...records, more], now)
    await expectVerified(db)
    db.close()
  })

  test('on the disk, compacted, backed up, and with the other kind of index', () =>
    withDirectory(async parent => {
      const storage = { ...nodeStorage, now: () => now }
      writeImage(`${parent}/db`, golden.files)
      const db = open<unknown, string>(`${parent}/db`, { ...options, storage })
      await db.compact()
      await db.backup(`${parent}/copy`)
      const ordered = db.stats().ordered
      await expectVerified(db)
      db.close()
      for (const directory of ['db', 'copy']) {
        const { ordered: _, ...others } = options
        const next = open<unknown, string>(`${parent}/${directory}`, { ...others, storage })
        if (directory === 'copy') await next.convert(!ordered, {})
        expectAll(next, golden, records, now)
        await expectVerified(next)
        next.close()
      }
    }))

  test('gets sub-databases, and with them the version of today', async () => {
    const storage = goldenStorage(golden, now)
    const version = (): number => new DataView(readImage('db', storage).get('data')!.buffer).getUint32(8, true)
    let db = open<unknown, string>('db', { ...options, storage })
    expect(version()).toBe(golden.format)
    db.sub('new').put('a', 'in a sub-database')
    expect(version()).toBe(Math.max(golden.format, SPACES_VERSION))
    db.close()
    db = open<unknown, string>('db', { ...options, storage })
    expect(db.subs()).toContain('new')
    expect(db.sub('new').get('a')).toBe('in a sub-database')
    expectAll(db, golden, records, now)
    await expectVerified(db)
    db.close()
  })

  test('salvaged: nothing is lost', async () => {
    const storage = goldenStorage(golden, now)
    const report = await salvage('db', 'new', { storage })
    expect(report).toMatchObject({ ordered: golden.options.ordered, damagedBlocks: { count: 0 } })
    expect(report.warnings).toEqual([])
    const db = open<unknown, string>('new', { ...options, storage })
    expectAll(db, golden, records, now)
    await expectVerified(db)
    db.close()
  })
})

describe('a database of a newer format', () => {
  const golden = readGolden('2-images-beside-log/ordered')
  const files = copyImage(golden.files)
  const head = files.get('data')!
  const view = new DataView(head.buffer, head.byteOffset)
  view.setUint32(8, FORMAT_VERSION + 1, true)
  view.setUint32(508, nodeStorage.crc32(head.subarray(0, 508), 0), true)
  const newer = { ...golden, files }

  test.each<[string, OpenOptions]>([
    ['opened', {}],
    ['opened read-only', { readOnly: true }],
  ])('is refused when it is %s, and nothing of it is changed', (_, more) => {
    const storage = goldenStorage(newer, golden.now)
    const error = expectCode(() => open('db', { storage, ...more }), 'XENON_FORMAT_VERSION')
    expect(error).toMatchObject({ file: 'db/data', version: FORMAT_VERSION + 1, supported: FORMAT_VERSION })
    expect(error.message).toBe(
      `db/data has format version ${FORMAT_VERSION + 1}; this release reads versions 2 to ${FORMAT_VERSION}: ` +
        'it was written by a newer release of xenondb: open it with that one, or a later one. Nothing was changed',
    )
    expect(differences(files, readImage('db', storage))).toEqual([])
  })

  test('is not salvaged by the rules of this one', async () => {
    const storage = goldenStorage(newer, golden.now)
    await expectCodeAsync(() => salvage('db', 'new', { storage }), 'XENON_FORMAT_VERSION')
    expect(storage.kind('new')).toBe('none')
    expect(differences(files, readImage('db', storage))).toEqual([])
  })
})

/** These records of the root, and those of the sub-databases that there are. */
const expectAll = (
  db: Database<unknown>,
  { subs, mark }: Golden,
  records: readonly GoldenRecord[],
  now: number,
): void => {
  expect(db.mark).toEqual(mark === undefined ? undefined : new TextEncoder().encode(mark))
  expectRecords(db, records, now)
  for (const { path, records: theirs } of subs) {
    let space: Database<unknown> | Sub<unknown> = db
    for (const name of path) space = space.sub<unknown>(name)
    expectRecords(space, theirs, now)
  }
}

/** Exactly these: by key, by the cursor, in order where there is an order; with the times that remain. */
const expectRecords = (db: Database<unknown> | Sub<unknown>, records: readonly GoldenRecord[], now: number): void => {
  for (const { key, value, expiresAt } of records) {
    expect(db.get(key)).toEqual(value)
    expect(db.ttl(key)).toBe(expiresAt === undefined ? Number.POSITIVE_INFINITY : expiresAt - now)
  }
  const expected = new Map(records.map(({ key, value }) => [nameOf(key), value]))
  const scanned = new Map<string, unknown>()
  for (db.reset(); db.next(); ) {
    const { key, value } = db.readCurrent()
    scanned.set(nameOf(key), value)
  }
  expect(scanned).toEqual(expected)
  if (!db.space.metadata.ordered) return
  expect(Array.from(db.entries(), ([key, value]) => [nameOf(key), value])).toEqual(
    [...expected].sort(([a], [b]) => (a < b ? -1 : 1)),
  )
  expect(db.count()).toBe(records.length)
}

/** The bytes of a key in hex, which sorts as the key does. */
const nameOf = (key: string | Uint8Array): string => Buffer.from(key as string).toString('hex')

/** A key that no record has, of the kind that the others are. */
const keyLike = ({ records }: Golden): string | Uint8Array =>
  typeof records[0]!.key === 'string' ? 'one more key' : Uint8Array.of(7, 7, 7)
