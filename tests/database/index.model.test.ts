/** Indexes against a map that is computed anew: whatever changes the records, in whatever order, and however it ends. */

import { test } from 'vitest'
import {
  type Database,
  type Index,
  type IndexReads,
  type IsolationLevel,
  memoryStorage,
  type NotUniqueError,
  type Sub,
  type Transaction,
  type TupleKey,
  XenonError,
} from '../../src/index.ts'
import { withDatabase } from '../support/database.ts'
import fc from '../support/property.ts'

interface Person {
  city?: number
  tags: string[]
  badge?: number
  /** Makes some values large. */
  text?: string
}

type Put = { kind: 'put'; key: string; value: Person; ttl: number | undefined }
type Change =
  | Put
  | { kind: 'delete'; key: string }
  | { kind: 'persist'; key: string }
  | { kind: 'expire'; key: string; ttl: number }
type Step =
  | { kind: 'one'; change: Change }
  | { kind: 'batch'; changes: Change[] }
  | {
      kind: 'transaction'
      changes: Change[]
      isolation: IsolationLevel
      back: number
      ends: 'commit' | 'rollback'
    }
  | { kind: 'clear'; range: { gte?: string; lt?: string } | undefined }
  | { kind: 'time'; milliseconds: number }
  | { kind: 'reopen'; blindly: Change | undefined }
  | { kind: 'again'; what: 'drop' | 'version' }

const key = fc.integer({ min: 0, max: 11 }).map(i => `key ${i}`)
const person: fc.Arbitrary<Person> = fc.record(
  {
    city: fc.integer({ min: -2, max: 2 }),
    tags: fc.array(fc.constantFrom('a', 'b', 'ab', '\0'), { maxLength: 3 }),
    badge: fc.integer({ min: 0, max: 30 }),
    text: fc.constantFrom('', 'x'.repeat(700), 'y'.repeat(9000)),
  },
  { requiredKeys: ['tags'] },
)
const change: fc.Arbitrary<Change> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('put' as const),
      key,
      value: person,
      ttl: fc.constantFrom(undefined, undefined, 50),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('delete' as const), key }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('expire' as const), key, ttl: fc.constantFrom(20, 1000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('persist' as const), key }) },
)
const changes = fc.array(change, { minLength: 1, maxLength: 6 })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('one' as const), change }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('batch' as const), changes }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('transaction' as const),
      changes,
      isolation: fc.constantFrom<IsolationLevel>('read-committed', 'repeatable-read', 'snapshot', 'serializable'),
      back: fc.integer({ min: 0, max: 4 }),
      ends: fc.constantFrom('commit' as const, 'rollback' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('clear' as const),
      range: fc.constantFrom(undefined, { gte: 'key 1', lt: 'key 4' }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('time' as const), milliseconds: fc.constantFrom(10, 60) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('reopen' as const), blindly: fc.option(change, { nil: undefined }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('again' as const),
      what: fc.constantFrom('drop' as const, 'version' as const),
    }),
  },
)

type Held = Map<string, { value: Person; expiresAt: number }>
type Keys = (value: Person, key: string) => TupleKey[]

const functions: Record<string, Keys> = {
  city: ({ city }) => (city === undefined ? [] : [city]),
  tags: ({ tags }) => [...new Set(tags)],
  pair: ({ city, tags }, of) => [[tags.length, city ?? null, of]],
  badge: ({ badge }) => (badge === undefined ? [] : [badge]),
}

class Model {
  now = 1_000_000
  records: Held = new Map()

  alive(records: Held = this.records): [string, Person][] {
    return [...records].filter(([, { expiresAt }]) => expiresAt > this.now).map(([of, { value }]) => [of, value])
  }

  /** False if a unique index refuses it. */
  apply(records: Held, given: Change): boolean {
    const old = records.get(given.key)
    const isThere = old !== undefined && old.expiresAt > this.now
    if (given.kind === 'delete') records.delete(given.key)
    else if (given.kind === 'put') {
      const { badge } = given.value
      if (badge !== undefined && this.alive(records).some(([of, value]) => of !== given.key && value.badge === badge))
        return false
      records.set(given.key, { value: given.value, expiresAt: this.now + (given.ttl ?? Number.POSITIVE_INFINITY) })
    } else if (isThere) {
      const expiresAt = given.kind === 'persist' ? Number.POSITIVE_INFINITY : this.now + given.ttl
      records.set(given.key, { ...old, expiresAt })
    }
    return true
  }

  entries(name: string, records: Held = this.records): [TupleKey, string, Person][] {
    return this.alive(records)
      .flatMap(([of, value]) =>
        functions[name]!(value, of).map((indexKey): [TupleKey, string, Person] => [indexKey, of, value]),
      )
      .sort((a, b) => compare(a[0], b[0]) || compare(a[1], b[1]))
  }
}

/** The order of keys, for the kinds that are used here. */
function compare(a: TupleKey, b: TupleKey): number {
  if (Array.isArray(a) && Array.isArray(b)) {
    for (let i = 0; i < Math.min(a.length, b.length); i++) {
      const order = compare(a[i], b[i])
      if (order !== 0) return order
    }
    return a.length - b.length
  }
  if (a === null || b === null) return a === b ? 0 : a === null ? -1 : 1
  return a === b ? 0 : a < b ? -1 : 1
}

const toChange = (tx: Pick<Transaction<Person>, 'put' | 'delete' | 'expire' | 'persist'>, given: Change): void => {
  if (given.kind === 'put') tx.put(given.key, given.value, given.ttl === undefined ? {} : { ttl: given.ttl })
  else if (given.kind === 'delete') tx.delete(given.key)
  else if (given.kind === 'persist') tx.persist(given.key)
  else tx.expire(given.key, given.ttl)
}

/** False if it was refused by the unique index, as it had to be. */
const isRefused = (work: () => void): boolean => {
  try {
    work()
    return false
  } catch (error) {
    if (!(error instanceof XenonError && error.code === 'XENON_NOT_UNIQUE')) throw error
    if ((error as NotUniqueError).index !== 'badge') throw error
    return true
  }
}

class Run {
  readonly model: Model
  private readonly where: 'root' | 'sub'
  private store!: Database<Person> | Sub<Person>
  private indexes!: Record<string, Index<Person, string, TupleKey>>
  private version = 1

  constructor(model: Model, where: 'root' | 'sub') {
    this.model = model
    this.where = where
  }

  use(db: Database<Person>, declares: boolean): void {
    this.store = this.where === 'root' ? db : db.sub<Person>('people', { valueEncoding: 'json' })
    if (declares) this.declare()
  }

  declare(): void {
    const { store, version } = this
    this.indexes = Object.fromEntries(
      Object.entries(functions).map(([name, keysOf]) => [
        name,
        store.index(name, keysOf, { version, unique: name === 'badge' }),
      ]),
    )
  }

  take(given: Step, reopen: (declares: boolean) => void): void {
    const { model, store } = this
    if (given.kind === 'one') this.one(given.change)
    else if (given.kind === 'batch') this.batch(given.changes)
    else if (given.kind === 'transaction') this.transaction(given)
    else if (given.kind === 'time') model.now += given.milliseconds
    else if (given.kind === 'clear') {
      store.clear(given.range)
      const { gte = '', lt = '~' } = given.range ?? {}
      for (const of of [...model.records.keys()]) if (of >= gte && of < lt) model.records.delete(of)
    } else if (given.kind === 'again') {
      if (given.what === 'version') this.version++
      else store.dropIndex('tags')
      this.declare()
    } else {
      if (given.blindly !== undefined) {
        // Not told of the indexes, and so refused by none: only what they would not refuse is tried.
        reopen(false)
        const after = new Map(model.records)
        if (model.apply(after, given.blindly)) {
          toChange(this.store, given.blindly)
          model.records = after
        }
      }
      reopen(true)
    }
  }

  private one(given: Change): void {
    const { model, store } = this
    const after = new Map(model.records)
    const isAllowed = model.apply(after, given)
    if (isRefused(() => toChange(store, given)) === isAllowed) throw new Error(`allowed: ${isAllowed}`)
    if (isAllowed) model.records = after
  }

  private batch(given: readonly Change[]): void {
    const { model, store } = this
    const plain = given.filter(each => each.kind === 'put' || each.kind === 'delete')
    const after = new Map(model.records)
    const isAllowed = plain.every(each => model.apply(after, each))
    const operations = plain.map(each =>
      each.kind === 'put'
        ? {
            type: 'put' as const,
            key: each.key,
            value: each.value,
            ...(each.ttl === undefined ? {} : { ttl: each.ttl }),
          }
        : { type: 'delete' as const, key: each.key },
    )
    if (isRefused(() => store.batch(operations)) === isAllowed) throw new Error(`allowed: ${isAllowed}`)
    if (isAllowed) model.records = after
  }

  /** What is refused leaves the transaction as it was; half-way it goes back to a savepoint. */
  private transaction({ changes: given, isolation, back, ends }: Extract<Step, { kind: 'transaction' }>): void {
    const { model, store } = this
    const then = model.records
    const snapshot = store.snapshot()
    const tx = store.begin({ isolation })
    let after = new Map(model.records)
    let saved = after
    let savepoint = tx.savepoint()
    for (const [i, each] of given.entries()) {
      const next = new Map(after)
      const isAllowed = model.apply(next, each)
      if (isRefused(() => toChange(tx, each)) === isAllowed) throw new Error(`allowed: ${isAllowed}`)
      if (isAllowed) after = next
      if (i === 1) {
        savepoint = tx.savepoint()
        saved = after
      }
      if (i === back) {
        tx.rollbackTo(savepoint)
        after = saved
      }
      this.expectSame()
      this.expectSeen(index => index.in(tx), after)
    }
    if (ends === 'rollback') tx.rollback()
    else {
      tx.commit()
      model.records = after
    }
    this.expectSeen(index => index.in(snapshot), then)
    snapshot.close()
  }

  /** What a transaction, or a snapshot, sees of the indexes. */
  private expectSeen(
    of: (index: Index<Person, string, TupleKey>) => IndexReads<Person, string, TupleKey>,
    held: Held,
  ): void {
    const { model, indexes } = this
    for (const [name, index] of Object.entries(indexes)) {
      const expected = model.entries(name, held)
      const seen = of(index)
      expectEqual([...seen.entries()], expected)
      expectEqual([...seen.keys({ reverse: true })], expected.map(([indexKey, key]) => [indexKey, key]).reverse())
      const last = expected.at(-1)
      if (last === undefined) continue
      expectEqual(seen.get(last[0]), expected.find(each => compare(each[0], last[0]) === 0)![2])
      const same = expected.filter(each => compare(each[0], last[0]) === 0).length
      if (seen.count({ gte: last[0], lte: last[0] }) !== same) throw new Error(`count in place of ${same}`)
    }
  }

  expectSame(): void {
    const { model, indexes } = this
    for (const [name, index] of Object.entries(indexes)) {
      const expected = model.entries(name)
      expectEqual([...index.entries()], expected)
      expectEqual(
        [...index.keys({ reverse: true, limit: 5 })],
        expected
          .map(([indexKey, of]) => [indexKey, of])
          .reverse()
          .slice(0, 5),
      )
      if (index.count() !== expected.length) throw new Error(`${index.count()} in place of ${expected.length}`)
      for (const [indexKey] of expected.slice(0, 3))
        expectEqual(index.get(indexKey), expected.find(each => compare(each[0], indexKey) === 0)![2])
    }
    const { city, tags } = indexes as { city: Index<Person, string, TupleKey>; tags: Index<Person, string, TupleKey> }
    expectEqual(
      [...city.keys({ gt: -2, lte: 1 })],
      model
        .entries('city')
        .filter(([at]) => (at as number) > -2 && (at as number) <= 1)
        .map(([at, of]) => [at, of]),
    )
    expectEqual(
      [...tags.keys({ prefix: 'a' })],
      model
        .entries('tags')
        .filter(([tag]) => (tag as string).startsWith('a'))
        .map(([tag, of]) => [tag, of]),
    )
    if (city.count(0) !== model.entries('city').filter(([at]) => at === 0).length) throw new Error('count(0)')
  }

  async verify(): Promise<void> {
    for (const index of Object.values(this.indexes)) {
      const report = await index.verify()
      if (!report.ok) throw new Error(report.problems.join('\n'))
    }
  }
}

function expectEqual(got: unknown, expected: unknown): void {
  const [a, b] = [JSON.stringify(got), JSON.stringify(expected)]
  if (a !== b) throw new Error(`got      ${a.slice(0, 400)}\nexpected ${b.slice(0, 400)}`)
}

const sizes = { largePool: undefined, smallPool: 65_536 } as const

test.each(['root', 'sub'] as const)(
  'the indexes of the %s are what their functions make of its records',
  async where => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 5, maxLength: 30 }),
        fc.constantFrom(...(Object.keys(sizes) as (keyof typeof sizes)[])),
        async (steps, size) => {
          const model = new Model()
          const storage = { ...memoryStorage(), now: () => model.now }
          const cacheBytes = sizes[size]
          await withDatabase<Person>(
            {
              storage,
              valueEncoding: 'json',
              durability: 'process',
              ...(cacheBytes === undefined ? {} : { cacheBytes }),
            },
            async ({ db, reopen }) => {
              const run = new Run(model, where)
              run.use(db, true)
              for (const each of steps) {
                run.take(each, declares => run.use(reopen(), declares))
                run.expectSame()
              }
              await run.verify()
            },
          )
        },
      ),
      { numRuns: 60 },
    )
  },
  120_000,
)
