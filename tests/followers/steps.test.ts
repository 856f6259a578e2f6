/**
 * A reader beside a writer, in one process and in memory, with the writer's steps put between those of the reader, and
 * into the middle of its reads. What the reader shows is always what was committed at one moment; a refresh brings it to
 * what is committed when it is made. Y1, Y2.
 */
import { describe, expect, test } from 'vitest'
import {
  type Database,
  type File,
  memoryStorage,
  open,
  type Snapshot,
  type Storage,
  XenonError,
} from '../../src/index.ts'
import { closeQuietly, expectVerified } from '../support/database.ts'
import { expectEqual, firstDifference, scan } from '../support/model.ts'
import { type Random, runs, runTimeout, seeded } from '../support/random.ts'

const OPTIONS = { cacheBytes: 32 * 4096, checkpointBytes: 65536, logSegmentBytes: 131072 } as const
const SUBS = ['x', 'y', 'z'] as const

type State = ReadonlyMap<string, string>

/** A database that notes what was committed after each step of its life. */
class Writer {
  readonly storage: Storage = memoryStorage()
  db: Database
  /** Of all states that were ever committed, the last one. */
  readonly history: State[] = []
  private readonly random: Random
  private now: Map<string, string> = new Map()
  private open: { rollback(): void; commit(): void; changes: Map<string, string> } | undefined

  constructor(random: Random) {
    this.random = random
    this.db = open('db', { ...OPTIONS, storage: this.storage })
    this.note()
    for (let i = 0; i < 150; i++) this.put(`key ${i}`, this.text(2_000))
  }

  get last(): State {
    return this.history.at(-1)!
  }

  step(): void {
    const { random } = this
    const kind = random.below(20)
    const key = `key ${random.below(200)}`
    if (kind < 8) this.put(key, this.text(2_000))
    else if (kind < 11) this.delete(key)
    else if (kind < 13) this.put(`large ${random.below(5)}`, this.text(20_000))
    else if (kind < 16) this.inSub()
    else if (kind < 19) this.transaction()
    else this.reopen()
  }

  /** Ends what is open, and closes. */
  close(): void {
    this.endOpen(false)
    this.db.close()
  }

  private reopen(): void {
    if (!this.random.chance(0.3)) return
    this.close()
    this.db = open('db', { ...OPTIONS, storage: this.storage })
  }

  private text(most: number): string {
    return String.fromCharCode(97 + this.random.below(26)).repeat(this.random.below(most))
  }

  private put(key: string, value: string): void {
    if (this.open?.changes.has(key)) return
    this.db.put(key, value)
    this.now.set(key, value)
    this.note()
  }

  private delete(key: string): void {
    if (this.open?.changes.has(key)) return
    this.db.delete(key)
    this.now.delete(key)
    this.note()
  }

  private inSub(): void {
    const { random, db, now } = this
    const name = SUBS[random.below(SUBS.length)]!
    const kind = random.below(12)
    if (kind < 9) {
      const key = `${random.below(60)}`
      db.sub(name).put(key, this.text(900))
      now.set(`${name}/${key}`, db.sub(name).get(key)!)
    } else if (this.open === undefined) {
      if (kind < 11) db.sub(name).clear()
      else db.drop(name)
      for (const key of [...now.keys()]) if (key.startsWith(`${name}/`)) now.delete(key)
    }
    this.note()
  }

  private transaction(): void {
    const { random, db } = this
    if (this.open !== undefined) {
      this.endOpen(random.chance(0.6))
      return
    }
    const tx = db.begin()
    const changes = new Map<string, string>()
    for (let i = 0; i < 6; i++) {
      const key = `key ${random.below(200)}`
      const value = this.text(1_500)
      const savepoint = tx.savepoint()
      if (random.chance(0.7)) {
        tx.put(key, value)
        changes.set(key, value)
      } else {
        tx.put(key, 'never')
        tx.rollbackTo(savepoint)
        if (!changes.has(key)) changes.set(key, this.now.get(key) ?? '\0absent')
      }
    }
    this.open = { rollback: () => tx.rollback(), commit: () => tx.commit(), changes }
  }

  private endOpen(commits: boolean): void {
    const { open: tx } = this
    this.open = undefined
    if (tx === undefined) return
    if (commits) {
      tx.commit()
      for (const [key, value] of tx.changes) if (value !== '\0absent') this.now.set(key, value)
      this.note()
    } else tx.rollback()
  }

  private note(): void {
    this.history.push(new Map(this.now))
  }
}

/** All that can be read of a database, in different ways that must agree. */
function contents(db: Database): State {
  const all = new Map(scan(db))
  expect(db.count()).toBe(all.size)
  expect(db.stats().records).toBe(all.size)
  for (const [key, value] of db.entries()) expect(all.get(key) === value, key).toBe(true)
  for (const key of all.keys()) expect(db.get(key) === all.get(key), key).toBe(true)
  for (const name of db.subs()) for (const [key, value] of db.sub(name).entries()) all.set(`${name}/${key}`, value)
  return all
}

const isLost = (error: unknown): boolean => XenonError.is(error, 'XENON_VIEW_LOST')

/** What is read, or undefined if the view is lost, and nothing else is wrong. */
function unlessLost<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (isLost(error)) return undefined
    throw error
  }
}

describe('a reader beside a writer', () => {
  test(
    `shows one moment until it is refreshed, then what is committed (${60 * runs} refreshes)`,
    { timeout: runTimeout },
    () =>
      seeded(async random => {
        const writer = new Writer(random)
        const readers = [16, 4096].map(frames =>
          open('db', { readOnly: true, storage: writer.storage, cacheBytes: frames * 4096 }),
        )
        let seen = 0
        for (let i = 0; i < 60 * runs; i++) {
          for (let k = random.below(12); k > 0; k--) writer.step()
          if (random.chance(0.1)) await writer.db.checkpoint()
          if (random.chance(0.05) && writer.db.stats().transactions.open === 0) await writer.db.compact()
          for (const reader of readers) {
            reader.refresh()
            const now = writer.last
            expect(firstDifference(contents(reader), now)).toBeUndefined()
            for (let k = random.below(30); k > 0; k--) writer.step()
            const later = unlessLost(() => contents(reader))
            if (later === undefined) continue
            seen++
            expect(firstDifference(later, now)).toBeUndefined()
          }
        }
        expect(seen).toBeGreaterThan(0)
        writer.close()
        for (const reader of readers) {
          reader.refresh()
          expect(firstDifference(contents(reader), writer.last)).toBeUndefined()
          await expectVerified(reader)
          closeQuietly(reader)
        }
      }),
  )

  test(
    `keeps its snapshots and iterators across a refresh, or says that they are lost (${40 * runs})`,
    { timeout: runTimeout },
    () =>
      seeded(async random => {
        const writer = new Writer(random)
        const reader = open('db', { readOnly: true, storage: writer.storage })
        const kept: { snapshot: Snapshot; state: State }[] = []
        let seen = 0
        for (let i = 0; i < 40 * runs; i++) {
          reader.refresh()
          const snapshot = reader.snapshot()
          const iterator = reader.entries()
          const state = writer.last
          kept.push({ snapshot, state })
          const root = new Map([...state].filter(([key]) => !key.includes('/')))
          for (let k = random.below(10); k > 0; k--) writer.step()
          const found = new Map<string, string>()
          const isWhole = unlessGone(() => {
            for (const [key, value] of iterator) {
              found.set(key, value)
              if (random.chance(0.02)) writer.step()
              if (random.chance(0.02)) reader.refresh()
            }
          })
          if (isWhole) expect(firstDifference(found, root)).toBeUndefined()
          reader.refresh()
          for (const each of kept) {
            const all = new Map<string, string>()
            const isThere = unlessGone(() => {
              for (const [key, value] of each.snapshot.entries()) all.set(key, value)
              expect(each.snapshot.count()).toBe(all.size)
            })
            const wanted = new Map([...each.state].filter(([key]) => !key.includes('/')))
            if (isThere) expect(firstDifference(all, wanted)).toBeUndefined()
            if (isThere) seen++
          }
          if (kept.length > 3) kept.shift()!.snapshot.close()
        }
        expect(seen).toBeGreaterThan(0)
        for (const { snapshot } of kept) snapshot.close()
        closeQuietly(reader)
        writer.close()
      }),
  )

  test(
    `is never torn when its reads are interrupted by the writer (${60 * runs} refreshes)`,
    { timeout: runTimeout },
    () =>
      seeded(async random => {
        const writer = new Writer(random)
        let isBusy = false
        // A view of a database whose pool is so small is soon lost.
        let often = 0.1
        const storage = interrupted(writer.storage, random, () => {
          if (isBusy || !random.chance(often)) return
          isBusy = true
          for (let k = random.below(8); k > 0; k--) writer.step()
          isBusy = false
        })
        const reader = open('db', { readOnly: true, storage, cacheBytes: 64 * 4096 })
        let seen = 0
        for (let i = 0; i < 60 * runs; i++) {
          writer.step()
          const before = writer.history.length - 1
          often = 0.1
          if (unlessLost(() => reader.refresh()) === undefined) continue
          const after = writer.history.length
          often = 0.002
          const found = unlessLost(() => contents(reader))
          if (found === undefined) continue
          seen++
          const states = writer.history.slice(before, after)
          expect(states.map(state => firstDifference(found, state))).toContain(undefined)
        }
        expect(seen).toBeGreaterThan(0)
        closeQuietly(reader)
        writer.close()
      }),
  )

  test('shows an index until its owner drops it', async () => {
    const storage = memoryStorage()
    const writer = open<{ city: string }>('db', { storage, valueEncoding: 'json' })
    const cities = writer.index('city', value => value.city)
    writer.put('ada', { city: 'London' })
    const reader = open<{ city: string }>('db', { storage, valueEncoding: 'json', readOnly: true })
    const byCity = reader.index('city', value => value.city)
    expect(byCity.get('London')).toEqual({ city: 'London' })
    writer.put('alan', { city: 'London' })
    expect(byCity.count('London')).toBe(1)
    reader.refresh()
    expect(byCity.count('London')).toBe(cities.count('London'))
    writer.dropIndex('city')
    reader.refresh()
    await expect(byCity.ready).rejects.toThrowError(/was dropped/)
    expect(() => byCity.get('London')).toThrowError(/ready/)
    reader.close()
    writer.close()
  })

  test('sees a sub-database that is cleared, dropped and made again', () => {
    const storage = memoryStorage()
    const writer = open('db', { storage })
    const reader = open('db', { storage, readOnly: true })
    expect(() => reader.sub('s')).toThrowError(/no sub-database/)
    writer.sub('s').put('a', '1')
    reader.refresh()
    const sub = reader.sub('s')
    expect(sub.get('a')).toBe('1')
    writer.sub('s').clear()
    reader.refresh()
    expect([sub.get('a'), sub.count()]).toEqual([undefined, 0])
    writer.drop('s')
    expect(sub.get('a')).toBeUndefined()
    reader.refresh()
    expect(() => sub.get('a')).toThrowError(/was dropped/)
    writer.sub('s').put('a', '2')
    reader.refresh()
    expect(reader.sub('s').get('a')).toBe('2')
    expectEqual(reader, new Map())
    reader.close()
    writer.close()
  })
})

/** False if a snapshot, or the view, is gone. */
function unlessGone(work: () => void): boolean {
  try {
    work()
    return true
  } catch (error) {
    if (isLost(error) || XenonError.is(error, 'XENON_SNAPSHOT_LOST')) return false
    throw error
  }
}

/** The same storage, but reads of what lies in it are interrupted at a sector in their middle. */
function interrupted(storage: Storage, random: Random, between: () => void): Storage {
  return {
    ...storage,
    open(path, options): File {
      const file = storage.open(path, options)
      return Object.assign(Object.create(file) as File, {
        path: file.path,
        size: () => file.size(),
        close: () => file.close(),
        inPlace: () => true,
        read(target: Uint8Array, offset: number, length: number, position: number): number {
          const cut = Math.min(length, 512 * random.between(1, Math.max(1, Math.floor(length / 512))))
          const got = file.read(target, offset, cut, position)
          between()
          if (got < cut || cut === length) return got
          return got + file.read(target, offset + cut, length - cut, position + cut)
        },
      })
    },
  }
}
