/** Ranges that are read again and again: what is known of where records lay must never be believed too long. */
import { describe, expect, test } from 'vitest'
import { KnownPlaces } from '../../src/hash/known-places.ts'
import type { Database } from '../../src/index.ts'
import { expectVerified, withMemoryDatabase } from '../support/database.ts'
import { type Random, runs, seeded } from '../support/random.ts'

const keyOf = (n: number): string => `key ${String(n).padStart(6, '0')}`

/** Reads the whole of it, and parts, each twice: by what was found just now, too. */
function expectRead(db: Database<string>, model: ReadonlyMap<string, string>, random: Random): void {
  const all = [...model].sort(([a], [b]) => (a < b ? -1 : 1))
  for (let time = 0; time < 2; time++) {
    expect([...db.entries('key')]).toEqual(all)
    expect([...db.values({ prefix: 'key', reverse: true })]).toEqual(all.map(([, value]) => value).reverse())
    const first = keyOf(random.below(4000))
    const limit = 1 + random.below(300)
    const ahead = all.filter(([key]) => key >= first).slice(0, limit)
    expect([...db.entries({ gte: first, lt: 'l', limit })]).toEqual(ahead)
    const behind = all.filter(([key]) => key < first).reverse()
    expect([...db.entries({ lt: first, reverse: true, limit })]).toEqual(behind.slice(0, limit))
  }
}

for (const cacheBytes of [64 << 20, 300 * 4096])
  test(`ranges that are read again agree with a Map while records move, in a pool of ${cacheBytes} bytes`, () =>
    seeded(random =>
      withMemoryDatabase({ cacheBytes, durability: 'process' }, async ({ db }) => {
        const model = new Map<string, string>()
        const put = (n: number, value: string): void => {
          db.put(keyOf(n), value)
          model.set(keyOf(n), value)
        }
        const remove = (n: number): void => {
          expect(db.delete(keyOf(n))).toBe(model.delete(keyOf(n)))
        }
        for (let n = 0; n < 4000; n += 2) put(n, `first ${n} `.repeat(1 + random.below(12)))
        for (let round = 0; round < 14 * runs; round++) {
          expectRead(db, model, random)
          const kind = round % 7
          // Others come and go, so that buckets split and merge while the leaves of all these keys stay as they are.
          if (kind === 5)
            for (let n = 0; n < 3000; n++) db.put(`other ${n}`, 'y'.repeat(n % 100 === 0 ? 9000 : n % 150))
          if (kind === 6) db.clear('other ')
          for (let i = 0; i < 40; i++) {
            const n = random.below(4000)
            // The same length; another one; gone and back in another place, while its old bytes still lie there; new ones,
            // which split buckets and leaves.
            if (kind === 0) put(n - (n % 2), `again ${round} ${i}`.padEnd(30))
            else if (kind === 1) put(n - (n % 2), 'x'.repeat(random.below(200)))
            else if (kind === 2) {
              const old = model.get(keyOf(n)) ?? ''
              remove(n)
              if (random.chance(0.7)) put(n, `${old.slice(0, 10)}${'back'.repeat(random.below(40))}`)
            } else if (kind === 3) for (let k = 0; k < 20; k++) put((n + k) % 4000, `new ${round}`.repeat(8))
            else if (kind === 4) remove(n)
          }
          if (kind === 4 && round > 7) await db.compact()
        }
        expectRead(db, model, random)
        db.clear('other ')
        await expectVerified(db, model.size)
      }),
    ))

test('a range is read as a transaction has left it, also after a rollback', () =>
  withMemoryDatabase({}, ({ db }) => {
    for (let n = 0; n < 300; n++) db.put(keyOf(n), `value ${n}`)
    const before = [...db.entries()]
    expect([...db.entries()]).toEqual(before)
    const tx = db.begin()
    for (let n = 0; n < 300; n += 3) tx.put(keyOf(n), `VALUE ${n}`)
    for (let n = 1; n < 300; n += 3) tx.delete(keyOf(n))
    expect([...db.entries()]).toEqual(before)
    expect([...tx.entries()].length).toBe(200)
    tx.rollback()
    for (let time = 0; time < 2; time++) expect([...db.entries()]).toEqual(before)
  }))

describe('known places', () => {
  const keys = (leaf: number, leafLsn = 7, leafKeys = 100) => ({
    leaf,
    leafLsn,
    leafKeys,
    firstIndex: 0,
    direction: 1,
  })

  test('are kept until the leaf changes', () => {
    const known = new KnownPlaces(1 << 20)
    const first = known.of(keys(5))
    expect(known.of(keys(5))).toBe(first)
    const second = known.of(keys(5, 8))
    expect(second).not.toBe(first)
    expect([...second.places]).toEqual(Array.from({ length: 200 }, () => 0))
    expect(known.of(keys(5, 8))).toBe(second)
    expect(known.of(keys(5, 8), 1)).not.toBe(second)
  })

  test('take no more memory than they may; the oldest go first', () => {
    const perLeaf = new KnownPlaces(0).of(keys(1)).bytes
    const known = new KnownPlaces(3 * perLeaf)
    const leaves = [1, 2, 3, 4].map(leaf => known.of(keys(leaf)))
    expect([2, 3, 4].map(leaf => known.of(keys(leaf)))).toEqual(leaves.slice(1))
    for (const leaf of [2, 3, 4]) expect(known.of(keys(leaf)), `${leaf}`).toBe(leaves[leaf - 1])
    expect(known.of(keys(1))).not.toBe(leaves[0])
  })

  test('positions hold for one state of the pool', () => {
    const records = new KnownPlaces(1 << 20).of(keys(5))
    records.positionsIn(1)[3] = 4711
    expect(records.positionsIn(1)[3]).toBe(4711)
    expect(records.positionsIn(2)[3]).toBe(0)
  })
})
