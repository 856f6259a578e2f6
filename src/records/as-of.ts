/**
 * Reads what was committed when a snapshot began: the blocks as the log had left them then and, for keys that open
 * transactions had changed and not committed, the records beneath (`Before`).
 */

import { BlockVersions, type SnapshotHandle } from '../buffer/versions.ts'
import type { Space, SpacePlace } from '../engine/space.ts'
import { pointerAt } from '../hash/hash.ts'
import { LargeValues } from '../hash/large.ts'
import { RecordFlag } from '../pager/bucket.ts'
import type { Lsn } from '../pager/place.ts'
import { compareBytes } from '../runtime/bytes.ts'
import type { CommittedRecord } from '../txn/changed-keys.ts'
import type { TransactionState } from '../txn/transaction-state.ts'
import type { Key } from '../types.ts'
import { Before } from './before.ts'
import { copyRecord, type Found, type Reading, recordNow } from './found.ts'

export class AsOf implements Reading {
  readonly handle: SnapshotHandle
  readonly before: Before
  private readonly space: Space
  private readonly found: Found

  private readonly place: SpacePlace
  /** By number of the key space: what other spaces show in place of what their blocks say. */
  private readonly others: ReadonlyMap<number, Before>

  private constructor(
    space: Space,
    found: Found,
    handle: SnapshotHandle,
    before: Before,
    place: SpacePlace,
    others: ReadonlyMap<number, Before>,
  ) {
    this.space = space
    this.found = found
    this.handle = handle
    this.before = before
    this.place = place
    this.others = others
  }

  /** Begins a snapshot of what is committed now, and of what `own` has changed. */
  static now(space: Space, found: Found, own: TransactionState | undefined): AsOf {
    const { transactions, view, pool, log, metadata } = space
    const changing: TransactionState[] = []
    for (const state of transactions.open.values())
      if (state.lastLsn !== 0 && state !== own && state !== transactions.entered) changing.push(state)
    // First, since it reads the log, which may fail.
    const before = Before.of(changing.map(state => view.of(state)))
    const others = changing.length === 0 ? NO_OTHERS : othersOf(space, changing)
    const handle = pool.versions.begin(log.endLsn, metadata.blocks)
    return new AsOf(space, found, handle, before, space.place, others)
  }

  /** The same moment in another key space. It ends with this one. */
  in(space: Space, found: Found): AsOf {
    if (space === this.space) return this
    const before = this.others.get(space.number) ?? Before.of([])
    return new AsOf(space, found, this.handle, before, space.placeAt(this.handle.lsn), this.others)
  }

  /** What is shown in place of what the blocks say, by number of the key space. */
  *everywhere(): Generator<[number, Before], undefined> {
    yield [this.space.number, this.before]
    yield* this.others
  }

  /** @throws XenonError `XENON_SNAPSHOT_LOST` if the snapshot had to be given up. */
  find(key: Key): Found | undefined {
    const { space, place } = this
    return place === space.place ? this.findHere(key) : space.readAt(place, () => this.findHere(key))
  }

  private findHere(key: Key): Found | undefined {
    const { index, pool } = this.space
    index.key.set(key)
    const { lsn } = this
    if (!this.before.isEmpty) {
      const { name } = index.key
      // The large value of what the reader has changed itself lies in the blocks of now.
      const { before } = this
      if (before.has(name)) return this.found.inCopy(before.get(name), before.isOwn(name) ? 0 : lsn)
    }
    pool.asOf = lsn
    try {
      const record = index.find()
      return record === 0 ? undefined : this.found.inPool(record, lsn)
    } finally {
      pool.asOf = 0
    }
  }

  /** Runs `work` with the blocks as the snapshot sees them. */
  read<T>(work: () => T): T {
    const { space, place } = this
    if (place === space.place) return space.pool.readAsOf(this.lsn, work)
    return space.readAt(place, () => space.pool.readAsOf(this.lsn, work))
  }

  /** What the blocks are read as; 0 while none has changed. */
  private get lsn(): Lsn {
    BlockVersions.requireKept(this.handle)
    return this.space.pool.versions.isEmpty ? 0 : this.handle.lsn
  }

  /** The same snapshot with a transaction's own changes over it, as they stand whenever they are read. */
  withOwn(state: TransactionState): AsOf {
    const { space } = this
    if (state.lastLsn === 0) return this
    const before = this.before.withOwn(space.view.of(state), name => recordNow(space, name))
    return new AsOf(space, this.found, this.handle, before, this.place, this.others)
  }

  /** Whether the record of a key is now what the snapshot sees, byte for byte. */
  isAsNow(key: Key): boolean {
    const { space, before } = this
    space.index.key.set(key)
    const { name } = space.index.key
    const now = copyRecord(space)
    const then = before.has(name) ? before.get(name) : this.read(() => copyOf(space, key))
    if (now === undefined || then === undefined) return now === then
    if (now.flags !== then.flags || compareBytes(now.field, then.field) !== 0) return false
    if ((now.flags & RecordFlag.large) === 0) return true
    // The blocks of a large value may have been freed meanwhile, and taken again for another one.
    const largeNow = this.largeOf(now)
    const largeThen = this.read(() => this.largeOf(then))
    return compareBytes(largeNow, largeThen) === 0
  }

  private largeOf({ flags, field }: CommittedRecord): Uint8Array {
    return this.space.large.read(LargeValues.pointer({ u8: field }, pointerAt(0, flags)))
  }

  /** Lets go of the earlier states of blocks. */
  end(): void {
    this.space.pool.versions.end(this.handle)
  }
}

const NO_OTHERS: ReadonlyMap<number, Before> = new Map()

/** What was committed in the other key spaces, where open transactions have changed it. */
const othersOf = (space: Space, changing: readonly TransactionState[]): ReadonlyMap<number, Before> => {
  const others = new Map<number, Before>()
  for (const other of space.layers.openSpaces())
    if (other !== space) {
      const there = changing.filter(state => other.isRoot || state.changedSpaces?.has(other.number) === true)
      if (there.length > 0) others.set(other.number, Before.of(there.map(state => other.view.of(state))))
    }
  return others.size === 0 ? NO_OTHERS : others
}

/** The index begins elsewhere perhaps, so that the way to the key does too. */
const copyOf = (space: Space, key: Key): CommittedRecord | undefined => {
  space.index.key.set(key)
  return copyRecord(space)
}
