/** Salvage of sub-databases: by name where the blocks that say what they are can be read, and never mixed with others. */
import { describe, expect, test } from 'vitest'
import type { Engine } from '../../src/engine/engine.ts'
import { type Database, open, type SalvageReport, salvage } from '../../src/index.ts'
import { AT_KIND, BlockKind } from '../../src/pager/layout.ts'
import { Metadata } from '../../src/pager/metadata.ts'
import { expectVerified } from '../support/database.ts'
import { copyImage, differences, type Image, readImage, storageOf } from '../support/image.ts'
import { type Random, seeded } from '../support/random.ts'
import { BLOCK, smash } from './damage.ts'
import { expectComplete } from './salvaging.ts'

/** By path: '' is the root. */
type World = Map<string, Map<string, string>>

const PATHS = ['', 'users', 'users/mails', 'users/mails/old', 'orders']
const engineOf = (db: Database): Engine => (db as unknown as { engine: Engine }).engine

const subOf = (db: Database, path: string): Database =>
  path === ''
    ? db
    : (path.split('/').reduce<Pick<Database, 'sub'>>((outer, name) => outer.sub(name), db) as unknown as Database)

const fill = (db: Database, path: string, model: Map<string, string>, random: Random, count: number): void => {
  const store = subOf(db, path)
  for (let i = 0; i < count; i++) {
    const key = `key ${i}`
    // Whose it is shows in the value.
    const value = `${path}: ${'x'.repeat(random.chance(0.02) ? random.below(20_000) : random.below(300))}`
    store.put(key, value, i % 9 === 0 ? { ttl: 1e9 } : {})
    model.set(key, value)
  }
}

interface Sample {
  closed: Image
  crashed: Image
  world: World
  kindsOf(kind: number): number[]
}

/** `cleared`: with much that was cleared or dropped, and is not free yet. */
const sample = (random: Random, cleared = false): Sample => {
  const storage = storageOf(new Map())
  const db = open('db', { storage, durability: 'process', logSegmentBytes: 131_072 })
  const world: World = new Map()
  for (const path of PATHS) {
    const model = new Map<string, string>()
    world.set(path, model)
    fill(db, path, model, random, 500)
    if (!cleared) continue
    fill(db, path, new Map(), random, 1500)
    subOf(db, path).clear()
    model.clear()
    fill(db, path, model, random, 300)
  }
  if (cleared) {
    fill(db, 'dropped', new Map(), random, 500)
    fill(db, 'dropped/inner', new Map(), random, 500)
    db.drop('dropped')
  }
  const crashed = readImage('db', storage)
  db.close()
  const closed = readImage('db', storage)
  return {
    closed,
    crashed,
    world,
    kindsOf: kind => {
      const data = closed.get('data')!
      return Array.from({ length: data.length / BLOCK }, (_, block) => block).filter(
        block => block > 0 && data[block * BLOCK + AT_KIND] === kind,
      )
    },
  }
}

/** Salvages the image; what came out is sound and holds what the report says. */
const rescued = async (image: Image): Promise<{ report: SalvageReport; found: World; db: Database }> => {
  const before = copyImage(image)
  const storage = storageOf(image)
  const report = await salvage('db', 'new', { storage, cacheBytes: 4_194_304 })
  expect(differences(before, readImage('db', storage))).toEqual([])
  const db = open('new', { storage, cacheBytes: 4_194_304 })
  const { spaces } = await expectVerified(db, report.records)
  const counts = (list: readonly { path: string[]; records: number }[]): string[] =>
    list.map(({ path, records }) => `${path.join('/')} ${records}`).sort()
  expect(counts(spaces)).toEqual(counts(report.spaces))
  const found: World = new Map([['', new Map(db.entries())]])
  for (const { path } of report.spaces)
    found.set(path.join('/'), new Map(subOf(db, path.join('/')).entries()) as Map<string, string>)
  return { report, found, db }
}

/** Nothing was invented, and nothing lies where it did not: 'lost-1/mails' may stand for 'users/mails'. */
const expectWithin = (found: World, world: World): void => {
  for (const [path, records] of found) {
    const below = /^lost-\d+(\/.*)?$/.exec(path)?.[1]
    for (const [key, value] of records) {
      const [origin = ''] = value.split(':')
      const isThere = below === undefined ? origin === path : below !== '' && origin.endsWith(below)
      if (!isThere || world.get(origin)?.get(key) !== value)
        expect.fail(`'${path}' has ${key} = ${value.slice(0, 40)}, not ${world.get(path)?.get(key)?.slice(0, 40)}`)
    }
  }
}

/** Everything is there, and nothing else. */
const expectSame = (found: World, world: World): void => {
  const counts = (all: World): string[] => [...all].map(([path, records]) => `${path} ${records.size}`).sort()
  expect(counts(found)).toEqual(counts(world))
  expectWithin(found, world)
}

describe('sub-databases', () => {
  test('are rescued whole, with those that lie in them, after a close and after a crash', () =>
    seeded(async random => {
      const { closed, crashed, world } = sample(random)
      for (const image of [closed, crashed]) {
        const { report, found, db } = await rescued(image)
        expectComplete(report)
        expectSame(found, world)
        expect(report.unknownSpaces).toEqual({ blocks: 0, records: 0 })
        expect(db.sub('users').ttl('key 9')).toBeLessThanOrEqual(1e9)
        db.close()
      }
    }))

  test('keep their encodings; empty ones stay, and indexes are left out', async () => {
    const storage = storageOf(new Map())
    const db = open('db', { storage, durability: 'process' })
    db.sub<number[]>('json', { valueEncoding: 'json' }).put('key', [1, 2])
    db.sub('tuples', { keyEncoding: 'tuple' }).put(['a', 1] as never, 'value')
    db.sub('empty')
    const { spaces } = engineOf(db)
    const index = spaces.make(0, 'iby-age', new Uint8Array([1]))
    engineOf(db).implicitly(state => {
      index.index.key.set('entry')
      index.index.put(state, 0, engineOf(db).fieldAt, 10)
    })
    db.close()
    const { report, db: copy } = await rescued(readImage('db', storage))
    expectComplete(report)
    expect(copy.subs()).toEqual(['empty', 'json', 'tuples'])
    expect(engineOf(copy).spaces.names(0)).toEqual(['sempty', 'sjson', 'stuples'])
    expect(copy.sub('json').get('key')).toEqual([1, 2])
    expect(copy.sub('tuples').get(['a', 1] as never)).toBe('value')
    copy.close()
  })

  test('come without what an open transaction has changed in several of them', () =>
    seeded(async random => {
      const storage = storageOf(new Map())
      const db = open('db', { storage, durability: 'process' })
      const world: World = new Map()
      for (const path of PATHS) {
        world.set(path, new Map())
        fill(db, path, world.get(path)!, random, 100)
      }
      const tx = db.begin()
      for (const path of PATHS) {
        const store = path === '' ? tx : tx.in(subOf(db, path))
        for (let i = 0; i < 40; i++)
          if (random.chance(0.5)) store.put(`key ${random.below(150)}`, 'uncommitted'.repeat(random.below(1000)))
          else store.delete(`key ${random.below(100)}`)
      }
      await db.flush()
      const { report, found, db: copy } = await rescued(readImage('db', storage))
      expectComplete(report)
      expect(report.unfinishedTransactions).toBe(1)
      expectSame(found, world)
      copy.close()
      tx.rollback()
      db.close()
    }))
})

describe('damage', () => {
  // S4
  test('of any block takes what lay in it, and mixes nothing', () =>
    seeded(async random => {
      for (const cleared of [false, true]) {
        const { closed, world } = sample(random, cleared)
        const total = closed.get('data')!.length / BLOCK
        for (let i = 0; i < 14; i++) {
          const image = copyImage(closed)
          for (let blocks = random.between(1, 6); blocks > 0; blocks--)
            smash(image, random.between(1, total - 1), random)
          const { report, found, db } = await rescued(image)
          expectWithin(found, world)
          const whole = [...world].every(([path, records]) => found.get(path)?.size === records.size)
          if (report.complete) expect(whole).toBe(true)
          for (const { space } of report.gaps.first) if (space) expect([...found.keys()]).toContain(space.join('/'))
          db.close()
        }
      }
    }))

  test('of the block that says what a sub-database is loses that one, and is not hidden', () =>
    seeded(async random => {
      const { closed, world, kindsOf } = sample(random)
      for (const block of kindsOf(BlockKind.space)) {
        const image = copyImage(closed)
        smash(image, block, random)
        const { report, found, db } = await rescued(image)
        expect(report.complete).toBe(false)
        expect(report.damagedBlocks.first).toMatchObject([{ block, use: 'sub-database' }])
        expect(report.warnings.join('\n')).toContain(`the list of sub-databases breaks off at block ${block}`)
        // Those below a lost one lie in one that stands for it.
        const lost = [...world.keys()].filter(path => !found.has(path))
        const kept = new Map([...world].filter(([path]) => found.has(path)))
        expectSame(new Map([...found].filter(([path]) => world.has(path))), kept)
        expect(lost.length).toBeGreaterThan(0)
        const below = lost.filter(path => path !== lost[0])
        const standIn = [...found.keys()].find(path => path.includes('lost-'))
        expect(standIn === undefined).toBe(below.length === 0)
        if (standIn !== undefined) {
          expect(found.get(standIn)!.size).toBe(0)
          for (const path of below)
            expectSame(
              new Map([[path, found.get(`${standIn}${path.slice(lost[0]!.length)}`)!]]),
              new Map([[path, world.get(path)!]]),
            )
        }
        expect(report.unknownSpaces.records).toBeGreaterThan(world.get(lost[0]!)!.size * 0.9)
        db.close()
      }
    }))

  test('of an index block does not bring back what was cleared', () =>
    seeded(async random => {
      const { closed, world, kindsOf } = sample(random, true)
      const { metadata, indexes } = await (async () => {
        const storage = storageOf(closed)
        const db = open('db', { storage, readOnly: true })
        const { spaces } = engineOf(db)
        const found = { metadata: engineOf(db).metadata, indexes: spaces.open().flatMap(space => space.indexBlocks) }
        db.close()
        return found
      })()
      expect(metadata.firstCondemned).not.toBe(0)
      for (const lists of [[], [metadata.firstCondemned], kindsOf(BlockKind.condemned)]) {
        const image = copyImage(closed)
        for (const block of [1, 2, 3, ...indexes, ...lists]) smash(image, block, random)
        const { report, found, db } = await rescued(image)
        expectWithin(found, world)
        expect(report.complete).toBe(false)
        expect(report.gaps.count).toBeGreaterThanOrEqual(3 + indexes.length)
        expect(report.spaces.map(({ gaps }) => gaps)).toEqual(PATHS.slice(1).map(() => 1))
        if (lists.length === 0) {
          // The buckets below are sound, and say by their tags whose they are.
          for (const [path, records] of found) expect(records.size, path).toBeGreaterThan(world.get(path)!.size / 2)
          expect(report.unknownSpaces.blocks).toBe(0)
        } else if (report.damagedBlocks.first.some(({ use }) => use === 'cleared'))
          expect(report.warnings.join('\n')).toContain('have been cleared before')
        db.close()
      }
    }))

  test('of what was cleared alone loses nothing', () =>
    seeded(async random => {
      const { closed, world, kindsOf } = sample(random, true)
      const image = copyImage(closed)
      for (const block of kindsOf(BlockKind.condemned)) smash(image, block, random)
      const { report, found, db } = await rescued(image)
      expectSame(found, world)
      expect(report.complete).toBe(true)
      expect(report.damagedBlocks.first.some(({ use }) => use === 'cleared')).toBe(true)
      db.close()
    }))

  test('of block 0 leaves the names, found among all blocks', () =>
    seeded(async random => {
      const { closed, world } = sample(random, true)
      const data = closed.get('data')!
      expect(Metadata.decode(data.slice(0, BLOCK), 'data', storageOf(closed)).firstSpace).not.toBe(0)
      for (const [from, to] of [
        [512, 1536],
        [0, 1536],
        [0, 512],
      ]) {
        const image = copyImage(closed)
        image.get('data')!.fill(0, from, to)
        const { report, found, db } = await rescued(image)
        expectSame(found, world)
        if (from === 512 || to === 1536) expect(report.complete).toBe(false)
        db.close()
      }
    }))

  test('of the log, with blocks of several moments, mixes nothing', () =>
    seeded(async random => {
      const storage = storageOf(new Map())
      const db = open('db', {
        storage,
        durability: 'process',
        cacheBytes: 48 * BLOCK,
        checkpointBytes: 262_144,
        logSegmentBytes: 131_072,
      })
      const written = new Set<string>()
      const put = (path: string): void => {
        const key = `key ${random.below(200)}`
        const value = `${path}: ${random.below(1e9)} ${'x'.repeat(random.below(500))}`
        subOf(db, path).put(key, value)
        written.add(`${path} ${key} ${value}`)
      }
      for (let i = 0; i < 1500; i++) put(random.pick(PATHS))
      for (let round = 0; round < 8; round++) {
        for (let i = 0; i < 200; i++) put(random.pick(PATHS))
        if (random.chance(0.5)) db.sub('orders').clear()
        if (random.chance(0.3)) db.drop('users')
        await new Promise(resolve => setTimeout(resolve, 10))
        const image = copyImage(readImage('db', storage))
        for (const [name, bytes] of image) {
          if (!name.startsWith('log/') || !name.endsWith('.log') || bytes.length === 0) continue
          if (random.chance(0.6)) bytes.fill(0, 512 * random.below(bytes.length / 512))
        }
        const total = image.get('data')!.length / BLOCK
        for (let blocks = random.below(4); blocks > 0; blocks--) smash(image, random.between(1, total - 1), random)
        const { found, db: copy } = await rescued(image)
        for (const [path, records] of found)
          for (const [key, value] of records) {
            const [origin = ''] = value.split(':')
            expect(path.startsWith('lost-') || path === origin, `${path} has ${value.slice(0, 40)}`).toBe(true)
            if (!written.has(`${origin} ${key} ${value}`)) expect.fail(`${path}: ${key} was invented`)
          }
        copy.close()
      }
      db.close()
    }))
})
