/**
 * Random commands in groups against a map, and the write set of each group applied to a second database: both must hold
 * the same records with the same times of expiry, whatever was taken back, and nobody sees a group before its commit (G1
 * to G4).
 */
import { expect, test } from 'vitest'
import { type Change, replicaOf } from '../../src/database/replica.ts'
import {
  type Database,
  memoryStorage,
  nodeStorage,
  type OpenOptions,
  open,
  type Storage,
  type Sub,
} from '../../src/index.ts'
import type { Random } from '../../src/testing/random.ts'
import { expectVerified } from '../support/database.ts'
import { seeded } from '../support/random.ts'

interface Held {
  value: string
  expiresAt: number
}
type Space = '' | 's' | 't'
type State = Map<string, Held>

const START = 1_800_000_000_000
const storage = (): Storage => ({ ...memoryStorage(), deflate: nodeStorage.deflate })
const SPACES: readonly Space[] = ['', 's', 't']
const GROUPS = 60

const nameOf = (space: Space, key: string): string => `${space}/${key}`
const spaceOf = (db: Database, space: Space): Database | Sub =>
  space === '' ? db : space === 's' ? db.sub('s') : db.sub('s').sub('t')

const someText = (random: Random): string =>
  random.chance(0.1) ? `${random.next()}`.repeat(random.between(300, 900)) : `${random.next()}`.repeat(random.below(9))

/** One command: does the same to the database and to the model. */
const command = (random: Random, db: Database, state: State, now: number): void => {
  const space = random.pick(SPACES)
  const records = spaceOf(db, space)
  const key = `key ${random.below(40)}`
  const name = nameOf(space, key)
  const held = state.get(name)
  const isThere = held !== undefined && (held.expiresAt === 0 || held.expiresAt > now)
  expect(records.get(key)).toBe(isThere ? held.value : undefined)
  const put = (target: { put: Database['put'] }, to: string): void => {
    const value = someText(random)
    const ttl = random.chance(0.3) ? random.pick([500, 5000]) : undefined
    target.put(to, value, ttl === undefined ? undefined : { ttl })
    state.set(nameOf(space, to), { value, expiresAt: ttl === undefined ? 0 : now + ttl })
  }
  const roll = random.below(100)
  if (roll < 45) put(records as Database, key)
  else if (roll < 65) {
    expect(records.delete(key)).toBe(isThere)
    state.delete(name)
  } else if (roll < 72) {
    expect(records.expire(key, 3000)).toBe(isThere)
    if (isThere) state.set(name, { value: held.value, expiresAt: now + 3000 })
  } else if (roll < 76) {
    const expires = isThere && held.expiresAt !== 0
    expect(records.persist(key)).toBe(expires)
    if (expires) state.set(name, { value: held.value, expiresAt: 0 })
  } else if (roll < 84) {
    const before = new Map(state)
    const throws = random.chance(0.4)
    const work = (): void =>
      records.transaction(tx => {
        put(tx as never, key)
        put(tx as never, `key ${random.below(40)}`)
        if (throws) throw new Error('taken back')
      })
    if (!throws) work()
    else {
      expect(work).toThrow('taken back')
      state.clear()
      for (const [each, was] of before) state.set(each, was)
    }
  } else if (roll < 90) {
    const range = { gte: key, lt: `key ${random.below(40)}` }
    for (const each of records.keys(range)) state.delete(nameOf(space, each))
    records.clear(range)
  } else if (roll < 92) {
    for (const each of records.keys()) state.delete(nameOf(space, each))
    records.clear()
  } else {
    const there = [...state].filter(([each, { expiresAt }]) => {
      const [of] = each.split('/')
      return of === space && (expiresAt === 0 || expiresAt > now)
    })
    const found = [...records.entries()].map(([each, value]) => [nameOf(space, each), value])
    expect(found).toEqual(there.map(([each, { value }]) => [each, value]).sort(byName))
    expect(records.count()).toBe(there.length)
  }
}

const byName = ([a = '']: readonly string[], [b = '']: readonly string[]): number => (a < b ? -1 : a > b ? 1 : 0)

/** All records, with the times that they have left. */
const recordsOf = (db: Database): [string, string, number][] => {
  const found: [string, string, number][] = []
  const names = ['', ...db.subs().flatMap(name => [name, ...(db.sub(name).subs().length > 0 ? ['t'] : [])])] as Space[]
  for (const space of names)
    for (const [key, value] of spaceOf(db, space).entries())
      found.push([nameOf(space, key), value, spaceOf(db, space).ttl(key)!])
  return found
}

const run = async (random: Random): Promise<void> => {
  let now = START
  const options: OpenOptions<string> = {
    cacheBytes: 24 * 4096,
    checkpointBytes: 131072,
    logSegmentBytes: 131072,
    compression: random.pick(['none', 'deflate'] as const),
  }
  const db = open('db', { ...options, storage: storage() })
  const other = open('db', { ...options, storage: storage() })
  const leader = replicaOf(db, { clock: () => now })
  const follower = replicaOf(other, { clock: () => now })
  let state: State = new Map()
  for (let number = 1; number <= GROUPS; number++) {
    now += random.below(1000)
    const committed = recordsOf(db)
    const before = state
    state = new Map(before)
    const group = leader.begin()
    // Before its commands: later they may hold what the transaction wants.
    if (random.chance(0.3)) {
      const tx = leader.interactive(() => db.begin())
      const [key, gone] = [`mine ${random.below(3)}`, `mine ${random.below(3)}`]
      const value = someText(random)
      tx.put(key, value)
      tx.put(`brief ${number}`, value)
      tx.delete(`brief ${number}`)
      tx.delete(gone)
      group.absorb(tx)
      state.delete(`/${gone}`)
      if (key !== gone) state.set(`/${key}`, { value, expiresAt: 0 })
    }
    for (let i = random.below(20); i > 0; i--) {
      const kept = new Map(state)
      const roll = random.below(20)
      if (roll === 0) {
        const [lower, upper] = [`key ${random.below(40)}`, random.chance(0.5) ? undefined : `key ${random.below(40)}`]
        const encode = new TextEncoder()
        group.clearRange([], encode.encode(lower), upper === undefined ? undefined : encode.encode(upper))
        for (const name of [...state.keys()]) {
          const [of, key] = name.split('/') as [string, string]
          if (of === '' && key >= lower && (upper === undefined || key < upper)) state.delete(name)
        }
      } else if (roll === 1) {
        const removed = group.sweep(3)
        expect(removed).toBeLessThanOrEqual(3)
      } else if (roll < 5) {
        expect(() =>
          group.run(() => {
            for (let n = random.below(4); n >= 0; n--) command(random, db, state, now)
            throw new Error('no')
          }),
        ).toThrow('no')
        state = kept
      } else if (roll === 5) {
        group.run(() => command(random, db, state, now))
        group.undoLast()
        state = kept
      } else group.run(() => command(random, db, state, now))
      expect(recordsOf(db)).toEqual(committed)
    }
    const changes = group.writeSet()
    expect(group.writeSet()).toEqual(changes)
    const mark = Uint8Array.from([number & 255, number >> 8])
    if (random.chance(0.15)) {
      group.rollback()
      state = before
      expect(recordsOf(db)).toEqual(committed)
      continue
    }
    group.commit(mark)
    const times = random.chance(0.2) ? 2 : 1
    for (let n = 0; n < times; n++) follower.apply(copied(changes), mark)
    expect(other.mark).toEqual(db.mark)
    expect([...follower.everything()]).toEqual([...leader.everything()])
    if (number % 20 === 0) {
      const third = open('db', { ...options, storage: storage() })
      const copy = replicaOf(third, { clock: () => now })
      copy.apply(leader.everything(), mark)
      expect([...copy.everything()]).toEqual([...leader.everything()])
      expect(recordsOf(third)).toEqual(recordsOf(db))
      await expectVerified(third)
      third.close()
    }
    if (random.chance(0.1)) await db.checkpoint()
  }
  for (const each of [db, other]) {
    await expectVerified(each)
    each.close()
  }
}

/** What comes from elsewhere: nothing of the leader's memory. */
const copied = (changes: readonly Change[]): Change[] => structuredClone(changes) as Change[]

test('what groups do is what commands do one by one, and what their write sets do elsewhere', () => seeded(run), 60_000)
