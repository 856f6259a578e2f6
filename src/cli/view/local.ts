/** The view of a database that this process has open. */
import { Database } from '../../index.ts'
import type { Key, Range, Stats } from '../../types.ts'
import { type ByteDatabase, type ByteSnapshot, type ByteStore, expiryOf, records } from '../database.ts'
import { type EncodingNames, namesOfRoot } from '../place.ts'
import type { FileRecord } from '../records/record.ts'
import { type DatabaseView, type IndexView, Page, type Pages, type SpaceFacts, type SpaceView } from './view.ts'

/** What a snapshot and a key space have in common. */
type Reads = Pick<ByteSnapshot, 'keys' | 'entries'>

export class LocalDatabase implements DatabaseView {
  readonly directory: string
  readonly root: SpaceView
  readonly ordered: boolean
  readonly isRemote = false
  /** For what only the process that has it open can do. */
  readonly db: ByteDatabase

  constructor(db: ByteDatabase) {
    this.db = db
    this.directory = db.directory
    this.ordered = db.stats().ordered
    this.root = new LocalSpace(db, this.ordered)
  }

  async stats(): Promise<Stats> {
    return this.db.stats()
  }

  async atOnce<R>(work: (root: SpaceView) => Promise<R>): Promise<R> {
    if (!this.ordered) return await work(this.root)
    const snapshot = this.db.snapshot()
    try {
      return await work(new LocalSpace(this.db, true, snapshot))
    } finally {
      snapshot.close()
    }
  }
}

class LocalSpace implements SpaceView {
  private readonly store: ByteStore
  private readonly ordered: boolean
  /** Of the whole database. */
  private readonly snapshot: ByteSnapshot | undefined

  constructor(store: ByteStore, ordered: boolean, snapshot?: ByteSnapshot) {
    this.store = store
    this.ordered = ordered
    this.snapshot = snapshot
  }

  async get(key: Key): Promise<Uint8Array | undefined> {
    return this.store.get(key)
  }

  async ttl(key: Key): Promise<number | undefined> {
    return this.store.ttl(key)
  }

  async put(key: Key, value: Uint8Array, ttl?: number): Promise<void> {
    this.store.put(key, value, ttl === undefined ? {} : { ttl })
  }

  async replace(key: Key, before: Uint8Array, value: Uint8Array): Promise<boolean> {
    const { store } = this
    return store.transaction(tx => {
      const found = tx.get(key)
      const left = tx.ttl(key)
      if (found === undefined || left === undefined || !Buffer.from(found).equals(before)) return false
      tx.put(key, value, left === Number.POSITIVE_INFINITY ? {} : { ttl: left })
      return true
    })
  }

  async delete(key: Key): Promise<boolean> {
    return this.store.delete(key)
  }

  async expire(key: Key, ttl: number | undefined): Promise<void> {
    if (ttl === undefined) this.store.persist(key)
    else this.store.expire(key, ttl)
  }

  async count(range?: Range): Promise<number> {
    if (range === undefined || this.ordered) return this.store.count(range)
    let found = 0
    for (const _ of this.keysOf(range)) found++
    return found
  }

  async clear(range: Range): Promise<void> {
    const { store } = this
    if (this.ordered) {
      store.clear(range)
      return
    }
    const found = [...this.keysOf(range)]
    store.transaction(tx => {
      for (const key of found) tx.delete(key)
    })
  }

  async *keys(range: Range): AsyncGenerator<Uint8Array[], void> {
    yield* inPages(this.keysOf(range), key => key.length)
  }

  records(range: Range, withTimes: boolean): Pages<FileRecord> {
    return inPages(this.recordsOf(range, withTimes), ({ value }) => value.length)
  }

  private *keysOf(range: Range): Generator<Uint8Array> {
    if (this.ordered) for (const key of this.reads.keys(range)) yield key
    else for (const { key } of filtered(this.store, range)) yield key
  }

  private *recordsOf(range: Range, withTimes: boolean): Generator<FileRecord> {
    const { store, ordered } = this
    if (ordered)
      for (const [name, value] of this.reads.entries(range)) {
        const key = name
        const expiresAt = withTimes ? expiryOf(store, key) : undefined
        // It has expired, or is gone, since the view was made.
        if (expiresAt !== 0) yield { key, value, expiresAt }
      }
    else
      for (const { key, value } of filtered(store, range)) {
        const expiresAt = withTimes ? expiryOf(store, key) : undefined
        if (expiresAt !== 0) yield { key, value, expiresAt }
      }
  }

  private get reads(): Reads {
    return this.snapshot?.in<Uint8Array, Uint8Array>(this.store) ?? this.store
  }

  index(name: string): IndexView {
    return this.store.async.index(name)
  }

  async facts(): Promise<SpaceFacts> {
    const names = this.store instanceof Database ? namesOfRoot(this.store) : this.store.encodingNames
    return { ...names, indexes: this.store.indexes() }
  }

  async subs(): Promise<string[]> {
    return this.store.subs()
  }

  async sub(name: string): Promise<SpaceView | undefined> {
    const sub = this.store.subAsBytes(name)
    return sub === undefined ? undefined : new LocalSpace(sub, this.ordered, this.snapshot)
  }

  async declareSub(name: string, encodings: Partial<EncodingNames>): Promise<SpaceView> {
    this.store.declareSub(name, encodings)
    return (await this.sub(name))!
  }
}

async function* inPages<T>(items: Iterable<T>, bytesOf: (item: T) => number): AsyncGenerator<T[], void> {
  const page = new Page<T>()
  for (const item of items) if (page.add(item, bytesOf(item))) yield page.take()
  if (page.items.length > 0) yield page.take()
}

/** Without the ordered index: all records are looked at, as they lie in the blocks, for a prefix and a limit alone. */
function* filtered(store: ByteStore, range: Range): Generator<{ key: Uint8Array; value: Uint8Array }> {
  const { prefix = '', limit = Number.POSITIVE_INFINITY } = range
  const begin = typeof prefix === 'string' ? Buffer.from(prefix, 'utf8') : Buffer.from(prefix)
  let found = 0
  if (limit === 0) return
  for (const record of records(store)) {
    if (Buffer.compare(record.key.subarray(0, begin.length), begin) !== 0) continue
    yield record
    if (++found >= limit) return
  }
}
