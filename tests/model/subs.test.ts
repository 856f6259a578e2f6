/** Random lives of a database with sub-databases, in small pools, against maps: nothing of one space shows in another. */
import { expect, test } from 'vitest'
import { type Database, memoryStorage, open, type Snapshot, type Sub } from '../../src/index.ts'
import { closeQuietly, expectVerified } from '../support/database.ts'
import { expectCode } from '../support/errors.ts'
import { readImage, storageOf } from '../support/image.ts'
import { type Random, runs, runTimeout, seeded } from '../support/random.ts'

type Records = Map<string, string>
/** By path of the sub-database, '' for the root. */
type World = Map<string, Records>

const NAMES = ['a', 'b', 'c']
const MOST_SPACES = 9

class Life {
  readonly random: Random
  readonly ordered: boolean
  world: World = new Map([['', new Map()]])
  storage = memoryStorage()
  db: Database
  snapshots: { snapshot: Snapshot; world: World }[] = []

  constructor(random: Random) {
    this.random = random
    this.ordered = random.chance(0.7)
    this.db = this.open()
  }

  open(): Database {
    const { random, storage } = this
    this.db = open('db', {
      storage,
      ...(random.chance(0.5) ? {} : { ordered: this.ordered }),
      ...(storage.kind('db') === 'none' ? { ordered: this.ordered } : {}),
      durability: random.pick(['power', 'process', 'none']),
      cacheBytes: random.pick([16, 40, 2000]) * 4096,
      checkpointBytes: random.pick([65_536, 1_048_576]),
      logSegmentBytes: 131_072,
    })
    return this.db
  }

  space(path: string): Database | Sub {
    let space: Database | Sub = this.db
    for (const name of path.split('/').slice(1)) space = space.sub(name)
    return space
  }

  get path(): string {
    return this.random.pick([...this.world.keys()])
  }

  copy(): World {
    return new Map([...this.world].map(([path, records]) => [path, new Map(records)]))
  }

  value(): string {
    const { random } = this
    const most = random.pick([30, 30, 300, 1300, 1300, 9000])
    return `${random.next()}`.padEnd(random.between(1, most), 'xyz')
  }

  async step(): Promise<void> {
    const { random } = this
    const roll = random.below(100)
    if (roll < 45) this.changes()
    else if (roll < 60) this.transaction()
    else if (roll < 66) this.make()
    else if (roll < 72) this.clear()
    else if (roll < 75) this.drop()
    else if (roll < 80) this.snapshot()
    else if (roll < 86) await new Promise(resolve => setTimeout(resolve, random.between(1, 12)))
    else if (roll < 89) await this.db.checkpoint()
    else if (roll < 92) await this.db.compact()
    else if (roll < 97) this.again()
    else await this.check()
  }

  /** Some records of one space. */
  changes(): void {
    const { random, path } = this
    const records = this.world.get(path)!
    const space = this.space(path)
    for (let i = random.between(1, 60); i > 0; i--) {
      const key = `key ${random.below(300)}`
      if (random.chance(0.7)) {
        const value = this.value()
        space.put(key, value)
        records.set(key, value)
      } else expect(space.delete(key)).toBe(records.delete(key))
    }
  }

  /** Over several spaces; half of them are rolled back, a part of some others is. */
  transaction(): void {
    const { random } = this
    const after = this.copy()
    const tx = this.space(this.path).begin()
    const change = (world: World): void => {
      const path = this.path
      const there = tx.in(this.space(path))
      const key = `key ${random.below(300)}`
      expect(there.get(key)).toBe(world.get(path)!.get(key))
      if (random.chance(0.7)) {
        const value = this.value()
        there.put(key, value)
        world.get(path)!.set(key, value)
      } else expect(there.delete(key)).toBe(world.get(path)!.delete(key))
    }
    for (let i = random.between(1, 20); i > 0; i--) change(after)
    if (random.chance(0.3)) {
      const savepoint = tx.savepoint()
      const doomed = new Map([...after].map(([path, records]) => [path, new Map(records)]))
      for (let i = random.between(1, 10); i > 0; i--) change(doomed)
      tx.rollbackTo(savepoint)
    }
    if (random.chance(0.3)) this.look(this.path)
    if (random.chance(0.5)) tx.rollback()
    else {
      tx.commit()
      this.world = after
    }
  }

  make(): void {
    if (this.world.size >= MOST_SPACES) return
    const path = `${this.path}/${this.random.pick(NAMES)}`
    this.space(path)
    if (!this.world.has(path)) this.world.set(path, new Map())
  }

  clear(): void {
    const { path } = this
    this.space(path).clear()
    this.world.get(path)!.clear()
  }

  drop(): void {
    const path = this.random.pick([...this.world.keys()].filter(each => each !== '').concat('/none'))
    const end = path.lastIndexOf('/')
    const outer = this.world.has(path.slice(0, end)) ? path.slice(0, end) : ''
    const sub = this.world.has(path) ? this.space(path) : undefined
    expect(this.space(outer).drop(path.slice(end + 1))).toBe(this.world.has(path))
    for (const each of [...this.world.keys()]) if (each === path || each.startsWith(`${path}/`)) this.world.delete(each)
    if (sub !== undefined) expectCode(() => sub.get('key 1'), 'XENON_NOT_FOUND')
  }

  snapshot(): void {
    for (const { snapshot, world } of this.snapshots.splice(0)) {
      const path = this.random.pick([...world.keys()])
      if (this.world.has(path) && !snapshot.closed) {
        try {
          const there = snapshot.in(this.space(path))
          for (const [key, value] of world.get(path)!) expect(there.get(key)).toBe(value)
          if (this.ordered) expect([...there.keys()]).toEqual([...world.get(path)!.keys()].sort())
        } catch (error) {
          // It was dropped meanwhile, and made again.
          if ((error as { code?: string }).code !== 'XENON_NOT_FOUND') throw error
        }
      }
      snapshot.close()
    }
    if (this.random.chance(0.6)) this.snapshots.push({ snapshot: this.db.snapshot(), world: this.copy() })
  }

  /** Closed, or killed, and opened again. */
  again(): void {
    this.snapshots = []
    if (this.random.chance(0.5)) this.db.close()
    else {
      if ((this.db.durability as string) === 'none') void this.db.flush()
      this.storage = storageOf(readImage('db', this.storage))
      closeQuietly(this.db)
    }
    this.open()
  }

  look(path: string): void {
    const space = this.space(path)
    const records = this.world.get(path)!
    expect(space.count(), path).toBe(records.size)
    for (const [key, value] of records) expect(space.get(key), `${path} ${key}`).toBe(value)
    if (this.ordered) expect([...space.entries()]).toEqual([...records].sort(([a], [b]) => (a < b ? -1 : 1)))
    const inner = [...this.world.keys()].filter(
      each => each.startsWith(`${path}/`) && !each.slice(path.length + 1).includes('/'),
    )
    expect(space.subs(), path).toEqual(inner.map(each => each.slice(path.length + 1)).sort())
  }

  async check(): Promise<void> {
    for (const path of this.world.keys()) this.look(path)
    await expectVerified(this.db)
  }
}

for (let life = 0; life < 4 * runs; life++)
  test(
    `life ${life}`,
    () =>
      seeded(async random => {
        const subject = new Life(random)
        try {
          for (let step = 0; step < 120; step++) await subject.step()
          await subject.check()
          subject.db.close()
          subject.open()
          await subject.check()
        } finally {
          closeQuietly(subject.db)
        }
      }),
    runTimeout,
  )
