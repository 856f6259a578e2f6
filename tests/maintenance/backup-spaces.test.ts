/** backup() of key spaces: all of them as they were committed when it began, with open transactions over several. */
import { expect, test } from 'vitest'
import { type Database, memoryStorage, open, type Transaction } from '../../src/index.ts'
import { expectVerified, withMemoryDatabase } from '../support/database.ts'
import { type Random, seeded } from '../support/random.ts'

type Store = Pick<Database, 'put' | 'delete' | 'entries' | 'count'>
type World = Map<string, Map<string, string>>

const NAMES = ['', 'a', 'b', 'c']
const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))
const subOf = (db: Database, name: string): Database => (name === '' ? db : (db.sub(name) as unknown as Database))

/** Puts and deletes at random, and writes them down. */
const change = (store: Pick<Store, 'put' | 'delete'>, model: Map<string, string>, random: Random): void => {
  const key = `key ${random.below(600)}`
  if (random.chance(0.35)) {
    store.delete(key)
    model.delete(key)
    return
  }
  const value = `${random.next()} `.repeat(random.chance(0.06) ? 1500 : random.below(30))
  store.put(key, value)
  model.set(key, value)
}

const expectWorld = (db: Database, world: World): void => {
  for (const [name, model] of world) expect(new Map((subOf(db, name) as Store).entries()), `'${name}'`).toEqual(model)
}

const copyOf = (world: World): World => new Map([...world].map(([name, model]) => [name, new Map(model)]))

for (const frames of [48, 1000])
  test(`with open transactions over several of them, clear and drop meanwhile: ${frames} frames`, () =>
    seeded(async random => {
      const storage = memoryStorage()
      await withMemoryDatabase({ storage, cacheBytes: frames * 4096, durability: 'process' }, async ({ db }) => {
        const world: World = new Map(NAMES.map(name => [name, new Map()]))
        for (const [name, model] of world) for (let i = 0; i < 500; i++) change(subOf(db, name), model, random)
        db.sub('gone').put('key', 'value')
        db.drop('gone')
        const inner = db.sub('a').sub<number[]>('inner', { valueEncoding: 'json' })
        inner.put('key', [1, 2])
        for (let round = 0; round < 3; round++) {
          const expected = copyOf(world)
          const later = copyOf(world)
          const tx: Transaction = db.begin()
          for (let i = 0; i < 150; i++) {
            const name = random.pick(NAMES)
            change(name === '' ? tx : tx.in(db.sub(name)), later.get(name)!, random)
          }
          // Values that the transaction has replaced again itself.
          const b = db.sub('b')
          for (let i = 0; i < 3; i++) tx.in(b).put('large', `${i}`.repeat(30_000))
          later.get('b')!.set('large', '2'.repeat(30_000))
          const copying = db.backup(`copy ${round}`)
          await turn()
          if (random.chance(0.5)) tx.rollback()
          else {
            tx.commit()
            for (const [name, model] of later) world.set(name, model)
          }
          for (let i = 0; i < 100; i++) {
            const name = random.pick(NAMES)
            change(subOf(db, name), world.get(name)!, random)
            if (i % 10 === 0) await turn()
          }
          if (round === 1) {
            db.sub('c').clear()
            world.get('c')!.clear()
            db.sub('new').put('later', 'than the copy')
          }
          const { records } = await copying
          expect(records).toBe(expected.get('')!.size)
          const copy = open(`copy ${round}`, { storage, createIfMissing: false })
          expect(copy.stats().recovery.needed).toBe(false)
          expectWorld(copy, expected)
          expect(copy.sub('a').sub('inner').get('key')).toEqual([1, 2])
          expect(copy.subs()).toEqual(round > 1 ? ['a', 'b', 'c', 'new'] : ['a', 'b', 'c'])
          const report = await expectVerified(copy, records)
          expect(report.spaces.find(({ path }) => path.join() === 'b')!.records).toBe(expected.get('b')!.size)
          copy.sub('b').put('life', 'goes on')
          copy.close()
          const again = open(`copy ${round}`, { storage })
          expect(again.sub('b').get('life')).toBe('goes on')
          await expectVerified(again)
          again.close()
        }
        expectWorld(db, world)
      })
    }))

test('what was cleared and is not free yet becomes free in the copy', () =>
  withMemoryDatabase({ storage: memoryStorage(), durability: 'process' }, async ({ db, options }) => {
    const one = db.sub('one')
    for (let i = 0; i < 20_000; i++) one.put(`key ${i}`, 'x'.repeat(100))
    one.clear()
    await db.backup('copy')
    const copy = open('copy', { storage: options.storage! })
    expect([copy.subs(), copy.sub('one').count()]).toEqual([['one'], 0])
    await copy.compact()
    expect(copy.stats().dataBytes).toBeLessThan(1_000_000)
    await expectVerified(copy)
    copy.close()
  }))
