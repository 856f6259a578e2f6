/** compact() with key spaces: their blocks move too, and what was cleared or dropped becomes free first. */
import { expect, test } from 'vitest'
import type { Engine } from '../../src/engine/engine.ts'
import { type Database, open } from '../../src/index.ts'
import { AT_COUNT, HEADER_BYTES } from '../../src/pager/layout.ts'
import { closeQuietly, expectVerified, withMemoryDatabase } from '../support/database.ts'
import { storageOf } from '../support/image.ts'
import { type Random, seeded } from '../support/random.ts'

type Store = Pick<Database, 'put' | 'delete' | 'get' | 'entries' | 'count'>
type Model = Map<string, string>

/** A sub-database by its path, and what it holds. */
type World = Map<string, Model>

const subOf = (db: Database, path: string): Store =>
  path === ''
    ? db
    : (path.split('/').reduce<Pick<Database, 'sub'>>((outer, name) => outer.sub(name), db) as unknown as Store)

const fill = (store: Store, model: Model, random: Random, count: number): void => {
  for (let i = 0; i < count; i++) {
    const key = `key ${random.below(4 * count)}`
    const value = `${i} `.repeat(random.chance(0.03) ? 5000 : random.below(60))
    store.put(key, value, random.chance(0.1) ? { ttl: 1e9 } : {})
    model.set(key, value)
  }
}

const thin = (store: Store, model: Model, random: Random, share: number): void => {
  for (const key of [...model.keys()]) {
    if (!random.chance(share)) continue
    expect(store.delete(key)).toBe(true)
    model.delete(key)
  }
}

const expectWorld = (db: Database, world: World): void => {
  const isOrdered = db.stats().ordered
  for (const [path, model] of world) {
    const store = subOf(db, path)
    expect(store.count(), path).toBe(model.size)
    for (const [key, value] of model) if (store.get(key) !== value) expect.fail(`${path}: ${key}`)
    if (isOrdered) expect([...store.entries()], path).toEqual([...model].sort(([a], [b]) => (a < b ? -1 : 1)))
  }
}

const PATHS = ['', 'a', 'b', 'c', 'b/x', 'b/x/y', 'e']

for (const ordered of [true, false])
  for (const frames of [48, 1000])
    test(`at random fill: ordered ${ordered}, ${frames} frames`, () =>
      seeded(random =>
        withMemoryDatabase(
          { ordered, cacheBytes: frames * 4096, durability: 'process', checkpointBytes: 1_048_576 },
          async subject => {
            const { db } = subject
            const world: World = new Map()
            // The spaces' own blocks come to lie at the end of the file, so that they have to move.
            fill(db, new Map(), random, 1500)
            for (const path of PATHS) {
              const model: Model = new Map()
              fill(subOf(db, path), model, random, random.pick([0, 5, 300, 1500]))
              world.set(path, model)
            }
            db.clear()
            world.get('')!.clear()
            if (random.chance(0.5)) {
              db.drop('a')
              world.delete('a')
            }
            if (random.chance(0.5)) {
              db.sub('c').clear()
              world.get('c')!.clear()
            }
            for (const [path, model] of world) thin(subOf(db, path), model, random, random.pick([0, 0.5, 0.95]))
            const before = db.stats().blocks
            const progress: number[] = []
            const report = await db.compact({ onProgress: ({ done, total }) => progress.push(done / total) })
            expectWorld(db, world)
            const { blocks, spaces } = await expectVerified(db)
            expect(blocks.condemned).toBe(0)
            expect(blocks.free).toBeLessThan(8)
            expect(blocks.total).toBe(report.blocksAfter)
            expect(report.blocksAfter).toBeLessThan(before.total)
            expect(spaces.length).toBe(world.size - 1)
            expect(progress.at(-1)).toBe(1)
            expect(progress).toEqual([...progress].sort((a, b) => a - b))
            // What was moved is found by those who write, too.
            for (const [path, model] of world) fill(subOf(db, path), model, random, 100)
            expectWorld(db, world)
            expectWorld(subject.reopen(), world)
          },
        ),
      ))

test('a crash at any moment of it loses nothing', () =>
  seeded(random =>
    withMemoryDatabase({ durability: 'process' }, async subject => {
      const { db } = subject
      const world: World = new Map()
      fill(db, new Map(), random, 1000)
      for (const path of PATHS) {
        const model: Model = new Map()
        fill(subOf(db, path), model, random, 200)
        world.set(path, model)
      }
      db.clear()
      world.get('')!.clear()
      db.sub('a').clear()
      world.get('a')!.clear()
      let moments = 0
      await db.compact({
        onProgress: () => {
          if (moments++ % 5 !== 0) return
          const crashed = open('db', { storage: storageOf(subject.image()), durability: 'process' })
          try {
            expectWorld(crashed, world)
          } finally {
            crashed.close()
          }
        },
      })
      expect(moments).toBeGreaterThan(5)
    }),
  ))

test('while others put, clear, drop, make and read as of a moment', () =>
  seeded(async random => {
    await withMemoryDatabase({ cacheBytes: 64 * 4096, durability: 'none' }, async subject => {
      const { db } = subject
      const world: World = new Map()
      fill(db, new Map(), random, 1500)
      for (const path of PATHS) {
        const model: Model = new Map()
        fill(subOf(db, path), model, random, 400)
        world.set(path, model)
      }
      db.clear()
      world.get('')!.clear()
      const kept = new Map(world.get('b'))
      const snapshot = db.sub('b').snapshot()
      let running = true
      const compacting = db.compact().finally(() => {
        running = false
      })
      for (let turns = 0; running && turns < 2000; turns++) {
        const path = random.pick([...world.keys()])
        const store = subOf(db, path)
        const model = world.get(path)!
        const roll = random.below(20)
        if (roll < 14) fill(store, model, random, 3)
        else if (roll < 17) thin(store, model, random, 0.1)
        else if (roll === 17) {
          ;(store as Database).clear()
          model.clear()
        } else if (roll === 18 && path !== '' && !path.includes('/') && path !== 'b') {
          db.drop(path)
          world.delete(path)
        } else if (roll === 19) world.set(`new ${turns}`, new Map())
        if (turns % 4 === 0) await new Promise(resolve => setImmediate(resolve))
      }
      await compacting
      expect(new Map(snapshot.entries())).toEqual(kept)
      snapshot.close()
      for (const path of world.keys()) subOf(db, path)
      expectWorld(db, world)
      await expectVerified(db)
      await db.compact()
      expectWorld(db, world)
      expectWorld(subject.reopen(), world)
    })
  }))

test('a damaged list of what was cleared is an error that names its block', async () => {
  const storage = storageOf(new Map())
  const db = open('db', { storage, durability: 'process' })
  const one = db.sub('one')
  for (let i = 0; i < 3000; i++) one.put(`key ${i}`, 'x')
  one.clear()
  db.close()
  const { firstCondemned } = (db as unknown as { engine: { metadata: { firstCondemned: number } } }).engine.metadata
  const file = storage.open('db/data')
  file.write(new Uint8Array([1, 2, 3]), 0, 3, firstCondemned * 4096 + 40)
  file.close()
  const again = open('db', { storage, durability: 'process' })
  try {
    await expect(again.compact()).rejects.toMatchObject({ code: 'XENON_CORRUPT', block: firstCondemned })
    expect(again.sub('one').count()).toBe(0)
    again.sub('one').put('key', 'value')
    expect((await again.verify()).damagedBlocks).toEqual([firstCondemned])
  } finally {
    closeQuietly(again)
  }
})

test.each([
  ['a free block', 'it was cleared, but holds a '],
  ['itself', 'it was cleared, but holds a list of what was cleared'],
  ['a block behind the end', 'data, block '],
])('a list of what was cleared that leads to %s is an error, not a loop', async (what, sentence) => {
  const db = open('db', { storage: storageOf(new Map()), durability: 'process' })
  try {
    const one = db.sub('one')
    for (let i = 0; i < 300; i++) one.put(`key ${i}`, 'x'.repeat(1000))
    for (let i = 0; i < 150; i++) db.put(`key ${i}`, 'x'.repeat(50_000))
    for (let i = 0; i < 150; i++) db.delete(`key ${i}`)
    one.clear()
    const { pool, metadata, spaces } = (db as unknown as { engine: Engine }).engine
    const list = metadata.firstCondemned
    const wrong = { 'a free block': metadata.freeHead, itself: list }[what] ?? metadata.blocks + 7
    const base = pool.get(list)
    const count = pool.arena.u16[(base + AT_COUNT) >>> 1]!
    pool.arena.u32[((base + HEADER_BYTES) >>> 2) + count - 1] = wrong
    pool.changed(base, 0)
    const error = await db.compact().catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'XENON_CORRUPT' })
    expect((error as Error).message).toContain(sentence)
    // Nobody else is in need of it.
    expect([spaces.names(0), one.count()]).toEqual([['sone'], 0])
  } finally {
    closeQuietly(db)
  }
})
