/** The three ways to read: what each sees of a record, in whatever state that is. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import {
  type Database,
  type IsolationLevel,
  memoryStorage,
  type OpenOptions,
  type Transaction,
} from '../../src/index.ts'
import type { AsOf } from '../../src/records/as-of.ts'
import type { Reading } from '../../src/records/found.ts'
import type { Inside } from '../../src/records/inside.ts'
import { RangeReader } from '../../src/records/range-reader.ts'
import type { Store } from '../../src/records/store.ts'
import { nodeStorage } from '../../src/storage/node.ts'
import { BINARY_KEYS, UTF8_KEYS } from '../../src/values/key-codec.ts'
import { resolveRange } from '../../src/values/range.ts'
import { hashOf, keysApart } from '../hash/keys.ts'
import { withMemoryDatabase } from '../support/database.ts'
import { expectCode } from '../support/errors.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
afterEach(() => void vi.useRealTimers())

const START = 1_700_000_000_000
const HOUR = 3_600_000
const KEY = 'key'

type Letter = 'a' | 'b' | 'c'
type Seen = Letter | '-'

/** The same states with values that are kept in different ways. */
interface Kind {
  readonly kind: string
  readonly options: OpenOptions<string>
  readonly ttl?: number
  value(letter: Letter): string
}

/** Text that deflate hardly shrinks. */
const noise = (letter: Letter): string => {
  let text = ''
  for (let i = letter.charCodeAt(0), n = 0; n < 6000; n++) {
    i = (Math.imul(i, 1_103_515_245) + 12_345) >>> 0
    text += (i >>> 8).toString(36)
  }
  return text
}

const kinds: readonly Kind[] = [
  { kind: 'plain', options: {}, value: letter => `value ${letter}` },
  { kind: 'expiring', options: {}, ttl: HOUR, value: letter => `value ${letter}` },
  { kind: 'large', options: {}, value: letter => letter.repeat(20_000) },
  { kind: 'compressed', options: { compression: 'deflate' }, value: letter => letter.repeat(900) },
  { kind: 'large, compressed, expiring', options: { compression: 'deflate' }, ttl: HOUR, value: noise },
]

/** One database, with a transaction that changes the record and snapshots of the moments before and after that. */
class Stage {
  readonly db: Database<string>
  readonly store: Store<string>
  readonly tx: Transaction<string>
  readonly kind: Kind
  private readonly clock: { now: number }

  constructor(db: Database<string>, kind: Kind, clock: { now: number }, tx: Transaction<string>) {
    this.db = db
    this.store = storeOf(db)
    this.tx = tx
    this.kind = kind
    this.clock = clock
  }

  put(letter: Letter): this {
    this.tx.put(KEY, this.kind.value(letter), optionsOf(this.kind))
    return this
  }

  delete(): this {
    this.tx.delete(KEY)
    return this
  }

  /** A change that is taken back to a savepoint. */
  andBack(change: () => void): void {
    const point = this.tx.savepoint()
    change()
    this.tx.rollbackTo(point)
  }

  /** By somebody else, at once. */
  putOutside(letter: Letter): void {
    this.db.put(KEY, this.kind.value(letter), optionsOf(this.kind))
  }

  pass(milliseconds: number): this {
    this.clock.now += milliseconds
    return this
  }
}

const storeOf = (db: Database<string>): Store<string> => (db as unknown as { store: Store<string> }).store
const optionsOf = ({ ttl }: Kind) => (ttl === undefined ? {} : { ttl })

interface State {
  readonly state: string
  /** What is committed before the transaction begins, `-` for nothing. */
  readonly first: Seen
  /** Only for kinds that expire. */
  readonly expires?: true
  change(stage: Stage): void
  /**
   * What is seen: of what is committed; inside the transaction that makes the change (`.`: it has ended); in one that
   * reads uncommitted changes; as of the moment before the change; as of the one behind it.
   */
  readonly sees: string
}

const states: readonly State[] = [
  { state: 'untouched', first: 'a', change: () => {}, sees: 'a a a a a' },
  { state: 'absent', first: '-', change: () => {}, sees: '- - - - -' },
  { state: 'replaced', first: 'a', change: stage => stage.put('b'), sees: 'a b b a a' },
  { state: 'replaced twice', first: 'a', change: stage => stage.put('b').put('c'), sees: 'a c c a a' },
  { state: 'added', first: '-', change: stage => stage.put('b'), sees: '- b b - -' },
  { state: 'deleted', first: 'a', change: stage => stage.delete(), sees: 'a - - a a' },
  {
    state: 'deleted and added again',
    first: 'a',
    change: stage => stage.delete().put('b'),
    sees: 'a b b a a',
  },
  {
    state: 'replaced, back at a savepoint',
    first: 'a',
    change: stage => stage.andBack(() => stage.put('b')),
    sees: 'a a a a a',
  },
  {
    state: 'replaced, then deleted, back at a savepoint between them',
    first: 'a',
    change: stage => stage.put('b').andBack(() => stage.delete()),
    sees: 'a b b a a',
  },
  {
    state: 'added, back at a savepoint',
    first: '-',
    change: stage => stage.andBack(() => stage.put('b')),
    sees: '- - - - -',
  },
  {
    state: 'replaced, committed',
    first: 'a',
    change: stage => stage.put('b').tx.commit(),
    sees: 'b . b a b',
  },
  { state: 'deleted, committed', first: 'a', change: stage => stage.delete().tx.commit(), sees: '- . - a -' },
  {
    state: 'replaced, taken back',
    first: 'a',
    change: stage => stage.put('b').tx.rollback(),
    sees: 'a . a a a',
  },
  {
    state: 'replaced by somebody else',
    first: 'a',
    change: stage => stage.putOutside('c'),
    sees: 'c c c a c',
  },
  { state: 'expired', first: 'a', expires: true, change: stage => stage.pass(HOUR), sees: '- - - - -' },
  {
    state: 'expired, then added',
    first: 'a',
    expires: true,
    change: stage => stage.pass(HOUR).put('b'),
    sees: '- b b - -',
  },
  {
    state: 'replaced by one that stays longer, then expired',
    first: 'a',
    expires: true,
    change: stage =>
      stage
        .pass(HOUR / 2)
        .put('b')
        .pass(HOUR / 2),
    sees: '- b b - -',
  },
  {
    state: 'kept for ever, then expired',
    first: 'a',
    expires: true,
    change: stage => {
      stage.tx.persist(KEY)
      stage.pass(HOUR)
    },
    sees: '- a a - -',
  },
  {
    state: 'given less time, which has passed',
    first: 'a',
    expires: true,
    change: stage => {
      stage.tx.expire(KEY, 1000)
      stage.pass(1000)
    },
    sees: 'a - - a a',
  },
]

const rows = kinds.flatMap(kind =>
  states.filter(({ expires }) => expires === undefined || kind.ttl !== undefined).map(state => ({ ...state, ...kind })),
)

/** What a way of reading finds of the record: by its key, and by the one range that holds nothing else. */
const seen = (stage: Stage, reading: Reading, from: AsOf | Inside): Seen => {
  const { store, kind } = stage
  const value = store.values.of(reading.find(KEY))
  const found = reading.find(KEY)
  if (found !== undefined) {
    expect(found.expiresAt === 0 ? found.ttl === Number.POSITIVE_INFINITY : found.ttl > 0).toBe(true)
    expect(new TextDecoder().decode(store.values.bytesOf(found))).toBe(value)
  }
  const range = resolveRange({ gte: KEY, lte: KEY })
  for (const wanted of [
    { keys: true, values: true, codec: UTF8_KEYS },
    { keys: true, values: false, codec: UTF8_KEYS },
    { keys: false, values: true, codec: BINARY_KEYS },
  ]) {
    const reader = new RangeReader<string, string>(store, range, wanted, from)
    reader.loadAll()
    if (wanted.keys) expect(reader.keys).toEqual(value === undefined ? [] : [KEY])
    if (wanted.values) expect(reader.values).toEqual(value === undefined ? [] : [value])
  }
  const letters = ['a', 'b', 'c'] as const
  return value === undefined ? '-' : letters.find(letter => kind.value(letter) === value)!
}

describe('a record is', () => {
  test.each(rows)('$state ($kind)', row =>
    withStage(row, stage => {
      const { db, store, tx } = stage
      const [committed, own, uncommitted, before, after] = row.sees.split(' ')
      const asOfBefore = store.asOfNow()
      row.change(stage)
      const asOfAfter = store.asOfNow()
      try {
        expect(seen(stage, store.committed, asOfAfter)).toBe(committed)
        expect(store.committed.has(KEY)).toBe(committed !== '-')
        const inside = store.inside(tx.state)
        if (own !== '.') expect(seen(stage, inside, inside)).toBe(own)
        const other = db.begin({ isolation: 'read-uncommitted' })
        const dirty = store.inside(other.state)
        expect(seen(stage, dirty, dirty)).toBe(uncommitted)
        other.rollback()
        expect(seen(stage, asOfBefore, asOfBefore)).toBe(before)
        expect(seen(stage, asOfAfter, asOfAfter)).toBe(after)
        // The faces that callers hold say the same.
        const plain = db.get(KEY)
        expect(plain).toBe(committed === '-' ? undefined : stage.kind.value(committed as Letter))
        expect(db.has(KEY)).toBe(plain !== undefined)
        expect(db.ttl(KEY) === undefined).toBe(plain === undefined)
        if (!tx.ended) tx.commit()
        // Whatever is committed behind them, the snapshots stay as they are.
        db.delete(KEY)
        db.put('filler', 'x'.repeat(30_000))
        expect(seen(stage, asOfBefore, asOfBefore)).toBe(before)
        expect(seen(stage, asOfAfter, asOfAfter)).toBe(after)
      } finally {
        asOfBefore.end()
        asOfAfter.end()
      }
    }),
  )

  const withStage = (row: State & Kind, body: (stage: Stage) => void): Promise<void> => {
    const clock = { now: START }
    const storage = { ...memoryStorage(), deflate: nodeStorage.deflate!, now: () => clock.now }
    return withMemoryDatabase<string>({ ...row.options, storage }, ({ db }) => {
      if (row.first !== '-') db.put(KEY, row.value(row.first), optionsOf(row))
      body(new Stage(db, row, clock, db.begin()))
    })
  }
})

describe('what is found', () => {
  test('is told by one object, which holds until the next operation', () =>
    withMemoryDatabase({}, ({ db }) => {
      db.batch([
        { type: 'put', key: 'a', value: '1' },
        { type: 'put', key: 'b', value: '2' },
      ])
      const store = storeOf(db)
      const tx = db.begin()
      const view = store.asOfNow()
      expect(store.committed.find('a')).toBe(store.committed.find('b'))
      expect(store.inside(tx.state).find('a')).toBe(view.find('b'))
      view.end()
      tx.rollback()
    }))

  test('inside a transaction is locked, a key that is not there too', () =>
    withMemoryDatabase({}, ({ db }) => {
      db.put('a', '1')
      const tx = db.begin()
      const inside = storeOf(db).inside(tx.state)
      expect(inside.find('a')).toBeDefined()
      expect(inside.find('not there')).toBeUndefined()
      expectCode(() => db.put('a', '2'), 'XENON_LOCK_CONFLICT')
      expectCode(() => db.put('not there', '2'), 'XENON_LOCK_CONFLICT')
      tx.rollback()
      db.put('a', '2')
    }))

  test('of a snapshot that was given up is an error', () =>
    withMemoryDatabase({ snapshotBytes: 65_536 }, ({ db }) => {
      db.put('a', '1')
      const view = storeOf(db).asOfNow()
      for (let i = 0; i < 200; i++) db.put(`key ${i}`, 'x'.repeat(500))
      expectCode(() => view.find('a'), 'XENON_SNAPSHOT_LOST')
      expectCode(() => view.read(() => 0), 'XENON_SNAPSHOT_LOST')
      view.end()
    }))
})

describe('a transaction at', () => {
  const conflict = 'XENON_LOCK_CONFLICT'
  const levels: readonly { level: IsolationLevel; open: string; later: string }[] = [
    { level: 'read-uncommitted', open: 'changed', later: 'later' },
    { level: 'read-committed', open: 'first', later: 'later' },
    { level: 'repeatable-read', open: conflict, later: 'later' },
    { level: 'snapshot', open: 'first', later: 'first' },
    { level: 'serializable', open: conflict, later: 'later' },
  ]

  test.each(levels)('$level sees of others: $open, later $later; and its own', ({ level, open, later }) =>
    withMemoryDatabase({}, subject => {
      const { db } = subject
      // In one bucket, they would share a lock.
      const [shared, own] = keysApart(hashOf(subject), 2, 'key', []) as [string, string]
      db.put(shared, 'first')
      db.put(own, 'first')
      const tx = db.begin({ isolation: level })
      tx.put(own, 'mine')
      const other = db.begin()
      other.put(shared, 'changed')
      if (open === conflict) expectCode(() => tx.get(shared), conflict)
      else expect(tx.get(shared)).toBe(open)
      other.rollback()
      db.put(shared, 'later')
      expect(tx.get(shared)).toBe(later)
      expect(tx.get(own)).toBe('mine')
      expect(tx.has(own)).toBe(true)
      tx.delete(own)
      expect(tx.get(own)).toBeUndefined()
      expect(db.get(own)).toBe('first')
      tx.rollback()
    }),
  )
})
