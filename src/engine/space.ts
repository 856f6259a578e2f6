/**
 * A key space: an index of its own, trees of its own, a hash of its own, over the layers that all spaces of a database
 * share. The root is the one that `open` gives; others lie in blocks that a list leads to (`spaces.ts`).
 */
import type { BufferPool } from '../buffer/pool.ts'
import { XenonError } from '../errors.ts'
import type { FreeBlocks } from '../freelist/blocks.ts'
import { ChangedPlaces } from '../hash/changed-places.ts'
import type { FindMany } from '../hash/find-many.ts'
import { HashIndex } from '../hash/hash.ts'
import { KeyBuffer } from '../hash/key.ts'
import { FIXED, type IndexStart, KeyHash } from '../hash/key-hash.ts'
import type { KeysAhead } from '../hash/keys-ahead.ts'
import type { LargeValues } from '../hash/large.ts'
import { BucketScan } from '../hash/scan.ts'
import { Structure } from '../hash/structure.ts'
import type { Health } from '../log/health.ts'
import type { LogWriter } from '../log/writer.ts'
import type { DataFile } from '../pager/data-file.ts'
import { INDEX_BLOCKS } from '../pager/layout.ts'
import type { Metadata } from '../pager/metadata.ts'
import type { Block, Lsn, Position } from '../pager/place.ts'
import type { Arena } from '../runtime/bytes.ts'
import type { TextBatch } from '../runtime/text-batch.ts'
import { KeyTree } from '../tree/key-tree.ts'
import { TreeChanges } from '../tree/tree-changes.ts'
import type { ScanRoom } from '../tree/tree-scan.ts'
import type { CommittedView } from '../txn/committed-view.ts'
import type { TransactionManager } from '../txn/manager.ts'
import type { SpaceLocks } from '../txn/space-locks.ts'
import type { TransactionState } from '../txn/transaction-state.ts'
import { type ArenaPlan, TREE_KEY_SCRATCH } from './arena-plan.ts'
import type { Room } from './room.ts'

/** Where the parts of a key space begin. */
export interface SpacePlace {
  /** Its only index block; 0: the 101 of the root. */
  readonly index: Block
  readonly ordered: Block
  readonly expiry: Block
}

/** The same, and the key of its hash. */
export interface SpaceRoots extends SpacePlace {
  readonly hashKey: readonly [number, number]
}

/** What all spaces of a database share: the engine. */
export interface Layers {
  readonly arena: Arena
  readonly health: Health
  readonly metadata: Metadata
  readonly file: DataFile
  readonly log: LogWriter
  readonly pool: BufferPool
  readonly free: FreeBlocks
  readonly large: LargeValues
  readonly transactions: TransactionManager
  readonly room: Room
  readonly findMany: FindMany
  readonly keysAhead: KeysAhead
  readonly scanRoom: ScanRoom
  readonly texts: TextBatch
  readonly fieldAt: Position
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly closed: boolean
  /** The root, and those that somebody has opened. */
  openSpaces(): readonly Space[]
  attend(): void
  requirePlace(): void
  turn(): Promise<void>
  implicitly(work: (state: TransactionState) => void): void
  within<T>(state: TransactionState, work: () => T): T
  takeBack(state: TransactionState): void
}

/** Whoever wants to hear what one-record transactions change. */
export interface SpaceObserver {
  /** The record of the key in the key buffer was put or removed. */
  changed(): void
  /** All records were removed at once. Without this, each of them is told. */
  cleared?(): void
}

export class Space {
  /** What transactions keep of it; its number is 0 for the root. */
  readonly locks: SpaceLocks
  readonly index: HashIndex
  readonly structure: Structure
  /** The trees over the keys (empty unless `metadata.ordered`) and over the times of expiry. */
  readonly ordered: KeyTree
  readonly expiry: KeyTree
  readonly changedPlaces: ChangedPlaces
  /** Hashes the keys of scans, while another key is at hand. */
  readonly scanHash: KeyHash
  /** What all spaces of the database share. */
  readonly arena: Arena
  readonly health: Health
  readonly metadata: Metadata
  readonly file: DataFile
  readonly log: LogWriter
  readonly pool: BufferPool
  readonly large: LargeValues
  readonly transactions: TransactionManager
  readonly room: Room
  readonly findMany: FindMany
  readonly keysAhead: KeysAhead
  readonly scanRoom: ScanRoom
  readonly texts: TextBatch
  readonly fieldAt: Position
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Records that the sweep has removed. */
  expired = 0
  /** Called when a one-record transaction has changed the key in the key buffer, if somebody wants to hear of it. */
  observer: (() => void) | undefined
  private readonly observers: Set<SpaceObserver> = new Set()
  /** What keeps indexes of its records, whoever changes them. */
  keeper: { readonly indexes: unknown } | undefined
  /** It was dropped: nothing of it is there any more. */
  isDropped = false
  /** The log's end when it was made; 0 if that was before the open. */
  bornAt: Lsn = 0
  /** Where it begins. Whoever reads as of an earlier moment goes by where it began then. */
  place: SpacePlace
  /** Where it is read at the moment. */
  private reading: SpacePlace
  /** Where it began before, while snapshots are open; the oldest one first. */
  private readonly earlier: { readonly place: SpacePlace; readonly until: Lsn }[] = []
  readonly layers: Layers
  private readonly hashKey: readonly [number, number]
  /** All hashes of the space have it, so that it may begin elsewhere from now on. */
  private readonly start: IndexStart

  constructor(layers: Layers, locks: SpaceLocks, roots: SpaceRoots, plan: ArenaPlan) {
    const { arena, pool, log, metadata, transactions, large, free, file } = layers
    const path = file.file.path
    this.layers = layers
    this.locks = locks
    this.arena = arena
    this.health = layers.health
    this.metadata = metadata
    this.file = file
    this.log = log
    this.pool = pool
    this.large = large
    this.transactions = transactions
    this.room = layers.room
    this.findMany = layers.findMany
    this.keysAhead = layers.keysAhead
    this.scanRoom = layers.scanRoom
    this.texts = layers.texts
    this.fieldAt = layers.fieldAt
    this.now = layers.now
    this.hashKey = roots.hashKey
    this.place = { index: roots.index, ordered: roots.ordered, expiry: roots.expiry }
    this.reading = this.place
    this.start = roots.index === 0 ? FIXED : { lone: roots.index }
    this.structure = new Structure({ pool, log, free, hash: this.newHash() }, plan.blockAt)
    const treeParts = { pool, log, free, path }
    this.ordered = new KeyTree(treeParts, roots.ordered, plan.blockAt, plan.treeKeysAt)
    this.expiry = new KeyTree(treeParts, roots.expiry, plan.blockAt, plan.treeKeysAt)
    const { ordered, expiry, structure } = this
    const key = new KeyBuffer(arena, plan.keyAt, this.newHash(), locks, layers.keysAhead)
    const trees = new TreeChanges(
      { pool, log, metadata, key, ordered, expiry },
      plan.treeKeysAt + TREE_KEY_SCRATCH,
      plan.treeKeysAt + 2 * TREE_KEY_SCRATCH,
    )
    this.index = new HashIndex(
      { pool, log, transactions, large, structure, trees, key, path },
      plan.undoFieldAt,
      plan.blockAt,
    )
    this.scanHash = this.newHash()
    this.changedPlaces = new ChangedPlaces(this.newHash())
  }

  private newHash(): KeyHash {
    return new KeyHash(this.hashKey, this.start)
  }

  /** Index and trees of a space that is not the root begin at other blocks, since the log ended where it ends now. */
  beginAt(index: Block, ordered: Block, expiry: Block): void {
    const { place, pool, log } = this
    // Only snapshots that are open need to know where it began before.
    if (pool.versions.newest === 0) this.earlier.length = 0
    else this.earlier.push({ place, until: log.endLsn })
    this.place = { index, ordered, expiry }
    this.goTo(this.place)
    this.index.version++
  }

  private goTo(place: SpacePlace): void {
    if (this.isRoot) return
    this.reading = place
    this.start.lone = place.index
    this.ordered.root = place.ordered
    this.expiry.root = place.expiry
  }

  /**
   * Where it began when the log ended at an LSN.
   * @throws XenonError `XENON_NOT_FOUND` if it has been made since.
   */
  placeAt(lsn: Lsn): SpacePlace {
    if (lsn < this.bornAt) throw new XenonError('XENON_NOT_FOUND', 'the sub-database was made after the snapshot')
    return this.earlier.find(({ until }) => lsn < until)?.place ?? this.place
  }

  /** Runs `work` with a space that begins where it once began; inside of such work, perhaps where it begins now. */
  readAt<T>(place: SpacePlace, work: () => T): T {
    const before = this.reading
    if (place === before) return work()
    this.goTo(place)
    try {
      return work()
    } finally {
      this.goTo(before)
    }
  }

  /**
   * Before its blocks are read as they are now, or changed: they belong to others once it was dropped.
   * @throws XenonError `XENON_NOT_FOUND` if it was.
   */
  requireThere(): void {
    if (this.isDropped) throw new XenonError('XENON_NOT_FOUND', 'the sub-database was dropped; sub() makes it anew')
  }

  /** Whether somebody wants to hear of the keys that one-record transactions change. */
  observe(observer: SpaceObserver, wants: boolean): void {
    const { observers } = this
    if (wants) observers.add(observer)
    else observers.delete(observer)
    const tell = (): void => {
      for (const each of observers) each.changed()
    }
    this.observer = observers.size === 0 ? undefined : tell
  }

  /** Somebody wants to hear of each record even where all are removed. */
  get isObservedByRecords(): boolean {
    for (const { cleared } of this.observers) if (cleared === undefined) return true
    return false
  }

  /** All records were removed at once. */
  tellCleared(): void {
    for (const observer of this.observers) observer.cleared?.()
  }

  /** Number of the space, 0 = the root. */
  get number(): number {
    return this.locks.number
  }

  get isRoot(): boolean {
    return this.locks.number === 0
  }

  /** The blocks that the index begins with. */
  get indexBlocks(): readonly Block[] {
    const { lone } = this.start
    return lone === 0 ? Array.from({ length: INDEX_BLOCKS }, (_, i) => i + 1) : [lone]
  }

  /** What was committed before open transactions changed it. */
  get view(): CommittedView {
    return this.locks.view
  }

  /** Reads all records, bucket by bucket. */
  bucketScan(): BucketScan {
    return new BucketScan(this.pool, this.newHash(), this.file.file.path)
  }

  attend(): void {
    this.layers.attend()
  }

  requirePlace(): void {
    this.layers.requirePlace()
  }

  turn(): Promise<void> {
    return this.layers.turn()
  }

  implicitly(work: (state: TransactionState) => void): void {
    this.layers.implicitly(work)
  }

  within<T>(state: TransactionState, work: () => T): T {
    return this.layers.within(state, work)
  }

  takeBack(state: TransactionState): void {
    this.layers.takeBack(state)
  }

  get closed(): boolean {
    return this.layers.closed
  }
}
