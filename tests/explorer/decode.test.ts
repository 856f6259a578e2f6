/** What the explorer says of blocks, keys and the log is what the engine has, and looking changes nothing. */
import { describe, expect, test } from 'vitest'
import { CorruptionError, isError } from '../../src/errors.ts'
import { viewBlock } from '../../src/explorer/block.ts'
import { searchKeys } from '../../src/explorer/keys.ts'
import { viewLog } from '../../src/explorer/log.ts'
import { FileMap } from '../../src/explorer/map.ts'
import { pathOf } from '../../src/explorer/path.ts'
import { type BlockView, MapFlag, USES } from '../../src/explorer/shapes.ts'
import { BlockSource } from '../../src/explorer/source.ts'
import { spaceAt } from '../../src/explorer/space.ts'
import { type Database, memoryStorage, open, type Storage, type VerifyReport } from '../../src/index.ts'
import { Arena } from '../../src/runtime/bytes.ts'
import { expectVerified, withMemoryDatabase } from '../support/database.ts'
import { Random, seeded } from '../support/random.ts'
import { fillAtRandom } from './random-database.ts'

const utf8 = new TextEncoder()
const sourceOf = (db: Database): BlockSource => BlockSource.ofEngine(db.directory, db.layers)
const small = { logSegmentBytes: 131072, checkpointBytes: 262144, cacheBytes: 524288 }

const countsOf = (map: FileMap): Omit<VerifyReport['blocks'], 'total'> => {
  const { leaf, inner, damaged, ...counts } = map.counts()
  expect(damaged).toBe(0)
  return { ...counts, tree: leaf + inner }
}

/** The regions of a block tile it. */
const expectTiled = ({ block, regions, blockSize }: BlockView): void => {
  let end = 0
  for (const { at, bytes } of regions) {
    expect(at, `block ${block}`).toBe(end)
    expect(bytes).toBeGreaterThan(0)
    end = at + bytes
  }
  expect(end, `block ${block}`).toBe(blockSize)
}

const expectSoundViews = (source: BlockSource): void => {
  for (let block = 0; block < source.blocks; block++) {
    const view = viewBlock(source, block)
    expect(view.problem, `block ${block}`).toBeUndefined()
    expect(view.hex.length).toBe(2 * source.blockSize)
    expectTiled(view)
    const { bucket, node } = view
    if (bucket !== undefined) {
      expect([bucket.records.length, bucket.records.length + bucket.freeSlots.length]).toEqual([
        bucket.live,
        bucket.slots,
      ])
      expect(bucket.holes.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(bucket.garbage)
    }
    if (node !== undefined)
      expect(view.regions.filter(({ what }) => what === 'hole').reduce((sum, { bytes }) => sum + bytes, 0)).toBe(
        node.garbage,
      )
  }
}

describe('of a random database', () => {
  test('counts, blocks and ways are those of verify, stats and get, and looking changes none', async () => {
    await seeded(random =>
      withMemoryDatabase({ ...small }, async subject => {
        const { db } = subject
        const model = fillAtRandom(db, random, 3_000)
        const report = await expectVerified(db)
        const expiring = new Set([...model.keys()].filter(key => db.ttl(key) !== Number.POSITIVE_INFINITY))
        const before = JSON.stringify(db.stats())
        const check = (source: BlockSource): void => {
          const map = FileMap.of(source)
          expect({ ...countsOf(map), total: map.blocks }).toEqual(report.blocks)
          expectSoundViews(source)
          const inUse = [USES.indexOf('index'), USES.indexOf('overflow')]
          let records = 0
          for (let block = 1; block < source.blocks; block++)
            if (inUse.includes(map.uses[block]!)) records += viewBlock(source, block).bucket?.live ?? 0
          expect(records).toBe(report.records + report.spaces.reduce((sum, space) => sum + space.records, 0))
          const root = spaceAt(source, [])
          for (const [key, value] of model) {
            const path = pathOf(source, root, utf8.encode(key))
            expect([path.found, path.inTree, path.record?.key.text]).toEqual([true, true, key])
            expect(path.touched.length).toBeLessThanOrEqual(report.maxDepth)
            if (path.record?.large === undefined) expect(path.record?.value?.bytes).toBe(value.length)
            else expect(path.parts.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(value.length)
            expect(path.record?.expiresAt === undefined).toBe(!expiring.has(key))
          }
          const absent = pathOf(source, root, utf8.encode('no such key'))
          expect([absent.found, absent.inTree, absent.record]).toEqual([false, false, undefined])
        }
        check(sourceOf(db))
        expect(JSON.stringify(db.stats())).toBe(before)
        const prefix = 'key/key/'
        const wanted = [...model.keys()].filter(key => key.startsWith(prefix)).sort()
        const found = searchKeys(sourceOf(db), spaceAt(sourceOf(db), []), prefix, 10_000)
        expect(found).toEqual({ keys: wanted.map(text => expect.objectContaining({ text })), more: false })
        const users = spaceAt(sourceOf(db), ['users', 'mails'])
        for (const key of db.sub('users').sub('mails').keys())
          expect(pathOf(sourceOf(db), users, utf8.encode(key)).record?.value?.text).toBe(
            db.sub('users').sub('mails').get(key),
          )
      }),
    )
  })

  test('the log holds what a recovery reads, and the files of a database that is closed are all there is', async () => {
    await seeded(async random => {
      const storage = memoryStorage()
      const db = open('db', { ...small, storage })
      fillAtRandom(db, random, 1_500)
      const report = await expectVerified(db)
      const files = BlockSource.ofFiles('db', storage)
      const log = viewLog(files, { limit: 1e9 })
      const behind = log.groups.filter(({ end }) => end > log.redoLsn)
      expect(log.endLsn).toBe(db.layers.log.writtenLsn)
      expect(log.redoLsn).toBe(db.layers.metadata.redoLsn)
      files.close()
      const records = behind.reduce((sum, group) => sum + group.records.length, 0)
      const copy = copyOf(storage)
      const recovered = open('db', { ...small, storage: copy })
      expect(recovered.stats().recovery.recordsScanned).toBe(records)
      const last = viewLog(BlockSource.ofFiles('db', storage), { limit: 5 })
      expect(last.groups.map(({ lsn }) => lsn)).toEqual(log.groups.slice(-5).map(({ lsn }) => lsn))
      const earlier = viewLog(BlockSource.ofFiles('db', storage), { limit: 5, before: last.before! })
      expect(earlier.groups.map(({ lsn }) => lsn)).toEqual(log.groups.slice(-10, -5).map(({ lsn }) => lsn))
      await expectVerified(recovered)
      recovered.close()
      db.close()
      const closed = BlockSource.ofFiles('db', storage)
      expect({ ...countsOf(FileMap.of(closed)), total: closed.blocks }).toEqual(report.blocks)
      expectSoundViews(closed)
    })
  })
})

test('of a database that was not closed, the blocks are what the log makes of them, read or not', async () => {
  await seeded(async random => {
    const storage = memoryStorage()
    const db = open('db', { ...small, storage })
    const model = fillAtRandom(db, random, 1_500)
    const report = await expectVerified(db)
    const copy = open('db', { cacheBytes: 524288, storage: copyOf(storage), readOnly: true })
    db.close()
    const before = JSON.stringify(copy.stats())
    const source = sourceOf(copy)
    const map = FileMap.of(source)
    expect({ ...countsOf(map), total: map.blocks }).toEqual(report.blocks)
    expectSoundViews(source)
    for (const key of model.keys()) expect(pathOf(source, spaceAt(source, []), utf8.encode(key)).found).toBe(true)
    expect(JSON.stringify(copy.stats())).toBe(before)
    copy.close()
  })
})

test('what was cleared and is not free yet is known block by block', async () => {
  const storage = memoryStorage()
  const db = open('db', { storage })
  fillAtRandom(db, new Random(1), 500)
  const sub = db.sub('users').sub('many')
  for (let i = 0; i < 2_000; i++) sub.put(`key ${i}`, i % 100 === 0 ? 'L'.repeat(9_000) : 'x'.repeat(100))
  sub.clear()
  const copy = open('db', { storage: copyOf(storage), readOnly: true })
  db.close()
  const report = await expectVerified(copy)
  expect(report.blocks.condemned).toBeGreaterThan(100)
  const map = FileMap.of(sourceOf(copy))
  expect({ ...countsOf(map), total: map.blocks }).toEqual(report.blocks)
  expectSoundViews(sourceOf(copy))
  copy.close()
})

const copyOf = (from: Storage): Storage => {
  const to = memoryStorage()
  const copy = (path: string): void => {
    if (from.kind(path) === 'directory') {
      to.makeDirectory(path)
      for (const name of from.list(path)) if (!name.startsWith('lock')) copy(`${path}/${name}`)
      return
    }
    const source = from.open(path)
    const bytes = new Uint8Array(source.size())
    source.read(bytes, 0, bytes.length, 0)
    to.open(path, { create: true }).write(bytes, 0, bytes.length, 0)
  }
  copy('db')
  return to
}

test('the uses, fills and flags of blocks that nobody has written, and of changed ones', async () => {
  await withMemoryDatabase({}, async ({ db }) => {
    db.put('a', '1')
    const source = sourceOf(db)
    const map = FileMap.of(source)
    const { hash, touched } = pathOf(source, spaceAt(source, []), utf8.encode('a'))
    expect(touched).toEqual([hash.indexBlock])
    expect(map.flags[hash.indexBlock]).toBe(MapFlag.resident | MapFlag.dirty)
    const other = (hash.indexBlock % 101) + 1
    expect([map.flags[other], map.fills[other], USES[map.uses[other]!]]).toEqual([MapFlag.blank, 0, 'index'])
    expect(viewBlock(source, other)).toMatchObject({ origin: 'blank', kind: 'bucket', fill: 0 })
    expect(() => viewBlock(source, source.blocks)).toThrow(/there is no block/)
    expect(() => spaceAt(source, ['none'])).toThrow(/there is no sub-database 'none'/)
  })
})

test('the way to a key names the slots whose tag is the same, and the record in base 16', async () => {
  await withMemoryDatabase({}, async ({ db }) => {
    db.put('<script>alert(1)</script>', '\u001b[31m & <b>')
    const source = sourceOf(db)
    const path = pathOf(source, spaceAt(source, []), utf8.encode('<script>alert(1)</script>'))
    expect(path.record?.key).toEqual({
      bytes: 25,
      text: '<script>alert(1)</script>',
      hex: Buffer.from('<script>alert(1)</script>').toString('hex'),
    })
    expect(path.buckets).toEqual([{ block: path.hash.indexBlock, slots: 1, tagged: [0], slot: 0, next: 0 }])
    expect(path.tree).toEqual([{ block: 103, level: 0, entries: 1, entry: 0, key: path.key, child: undefined }])
  })
})

test('a search finds keys that begin so, else those that hold the text; tuples are shown as JSON', async () => {
  await withMemoryDatabase({}, async ({ db }) => {
    for (const key of ['FR/Paris/1', 'FR/Paris/2', 'US/Paris/3', 'US/Rome/4']) db.put(key, 'x')
    const source = sourceOf(db)
    const texts = (text: string, limit: number): unknown[] =>
      searchKeys(source, spaceAt(source, []), text, limit).keys.map(({ text }) => text)
    expect(texts('FR/', 10)).toEqual(['FR/Paris/1', 'FR/Paris/2'])
    expect(texts('paris', 10)).toEqual(['FR/Paris/1', 'FR/Paris/2', 'US/Paris/3'])
    expect(searchKeys(source, spaceAt(source, []), 'FR', 1)).toMatchObject({ keys: [{}], more: true })
    db.sub('t', { keyEncoding: 'tuple' }).put(['user', 42], 'x')
    expect(searchKeys(source, spaceAt(source, ['t']), '', 10).keys[0]?.text).toBe('["user",42]')
  })
})

test('a flipped bit is one damaged block on the map, and all others are as before', async () => {
  await seeded(async random => {
    const storage = memoryStorage()
    const db = open('db', { storage })
    fillAtRandom(db, random, 500)
    await expectVerified(db)
    db.close()
    const before = FileMap.of(BlockSource.ofFiles('db', storage))
    const written = [...before.uses.keys()].filter(block => block > 0 && before.flags[block] === 0)
    const block = random.pick(written)
    const file = storage.open('db/data')
    const at = block * 4096 + random.below(4096)
    const byte = new Uint8Array(1)
    file.read(byte, 0, 1, at)
    byte[0]! ^= 1 << random.below(8)
    file.write(byte, 0, 1, at)
    const source = BlockSource.ofFiles('db', storage)
    const after = FileMap.of(source)
    expect(after.uses[block]).toBe(USES.indexOf('damaged'))
    expect(viewBlock(source, block).problem).toMatch(/wrong checksum/)
    // What only the damaged block has led to may be known less well, but is not damaged.
    expect(after.counts().damaged).toBe(1)
  })
})

test('no bytes with a right checksum make it fail, or look at a block for ever', async () => {
  await seeded(async random => {
    const storage = memoryStorage()
    const db = open('db', { storage })
    const model = fillAtRandom(db, random, 400)
    await expectVerified(db)
    db.close()
    const a = new Arena(4096)
    for (let i = 0; i < 150; i++) {
      const source = BlockSource.ofFiles('db', storage)
      const block = random.between(1, source.blocks - 1)
      if (source.read(block, a, 0).origin !== 'file') continue
      const saved = a.u8.slice.call(new Uint8Array(a.buffer), 0)
      for (let n = random.between(1, 40); n > 0; n--) a.u8[random.between(4, 4095)] = random.below(256)
      if (random.chance(0.3)) a.u8[4] = random.below(9)
      source.data.seal(block, a, 0)
      const file = storage.open('db/data')
      file.write(a.u8, 0, 4096, block * 4096)
      FileMap.of(source)
      const view = viewBlock(source, block)
      expect(JSON.parse(JSON.stringify(view)).block).toBe(block)
      for (const key of [...model.keys()].slice(0, 30))
        attempt(() => pathOf(source, spaceAt(source, []), utf8.encode(key)))
      searchKeys(source, spaceAt(source, []), 'key', 100)
      file.write(new Uint8Array(saved), 0, 4096, block * 4096)
    }
  })
})

const attempt = (work: () => void): void => {
  try {
    work()
  } catch (error) {
    expect(isError(error) && error instanceof CorruptionError, String(error)).toBe(true)
  }
}
