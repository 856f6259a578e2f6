/** Salvage of databases that were compacted, converted or copied: images of every stage give all records. */
import { expect, test, vi } from 'vitest'
import { type Database, open } from '../../src/index.ts'
import { type Image, readImage, storageOf } from '../support/image.ts'
import { firstDifference, type Records } from '../support/model.ts'
import { type Random, runs, runTimeout, seeded } from '../support/random.ts'
import { layoutOf, smash } from './damage.ts'
import { expectComplete, salvaged } from './salvaging.ts'

vi.setConfig({ testTimeout: runTimeout })

/** A database with much to give back, and images of it while `work` goes on. */
async function images(
  random: Random,
  work: (db: Database, taken: () => void) => Promise<unknown>,
): Promise<{ images: Image[]; closed: Image; records: Records<string> }> {
  const storage = storageOf(new Map())
  const db = open('db', {
    storage,
    durability: 'process',
    cacheBytes: 262_144,
    checkpointBytes: 262_144,
    logSegmentBytes: 131_072,
  })
  const records: Records<string> = new Map()
  for (let i = 0; i < 3000; i++) {
    const length = random.chance(0.02) ? random.between(2000, 20_000) : random.below(250)
    records.set(`key ${i}`, `${i} `.padEnd(length, '.'))
  }
  db.batch([...records].map(([key, value]) => ({ type: 'put', key, value })))
  for (const key of [...records.keys()])
    if (random.chance(0.7)) {
      db.delete(key)
      records.delete(key)
    }
  const taken: Image[] = []
  let reports = 0
  await work(db, () => {
    if (++reports % 12 === 1) taken.push(readImage('db', storage))
  })
  taken.push(readImage('db', storage))
  db.close()
  return { images: taken, closed: readImage('db', storage), records }
}

for (const [name, work] of [
  ['compacted', (db: Database, onProgress: () => void) => db.compact({ onProgress })],
  [
    'converted',
    async (db: Database, onProgress: () => void) => {
      await db.convert(false, { onProgress })
      onProgress()
      await db.convert(true, { onProgress })
    },
  ],
] as const)
  test(`a database that is being ${name} is rescued whole at any moment`, () =>
    seeded(async random => {
      const { images: taken, closed, records } = await images(random, work)
      expect(taken.length).toBeGreaterThan(1)
      for (const image of [...random.shuffle(taken).slice(0, 10 * runs), closed]) {
        const { report, records: found } = await salvaged(image)
        expect(firstDifference(found, records)).toBeUndefined()
        expectComplete(report)
      }
      // Without block 0, which tells where the file ends, nothing comes back that was deleted.
      for (const image of random.shuffle([...taken, closed]).slice(0, 4 * runs)) {
        image.get('data')!.fill(0xa5, 512, 1536)
        const { records: found } = await salvaged(image)
        expect(firstDifference(found, records)).toBeUndefined()
      }
    }))

test('a compacted database with damaged buckets loses what they hold, and no more', () =>
  seeded(async random => {
    const { closed, records } = await images(random, db => db.compact())
    const { uses } = layoutOf(closed)
    const lost = new Set<string>()
    for (const [block, { kind, keys }] of uses) {
      if (kind !== 'bucket' || !random.chance(0.1)) continue
      smash(closed, block, random)
      for (const key of keys) lost.add(key)
    }
    const { report, records: found } = await salvaged(closed)
    for (const [key, value] of found) expect(value).toBe(records.get(key))
    for (const key of records.keys()) if (!lost.has(key)) expect(found.has(key), key).toBe(true)
    if (report.blocks.rebuilt === 0) expect(found.size).toBe(records.size - lost.size)
  }))
