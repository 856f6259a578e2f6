/** The public shapes of xenondb: operations, statistics, reports. Options and reports of a room stand there. */
import type { DecodeError } from './errors.ts'
import type { Key, KeyEncoding, TupleKey, ValueEncoding } from './keys.ts'

export type * from './keys.ts'

/**
 * What makes the index keys of a record: one, several (an array of them, each counts once) or none (`undefined`). An index
 * key that is an array itself stands in an array of its own: `[[user, time]]`. Synchronous, and the same for the same
 * record: another function under the same name needs another `version`.
 */
export type IndexFunction<V, K, IK> = (value: V, key: K) => IK | readonly IK[] | undefined

/**
 * When a commit returns:
 * `'power'` after fdatasync, it survives power loss; `'process'` after write(), it survives the end of the process;
 * `'none'` at once, the last moments may be lost with the process. The database stays consistent at every level.
 */
export type Durability = 'power' | 'process' | 'none'

/** Compresses the bytes of values. `name` is for messages; the caller opens a database with the same codec again. */
export interface CompressionCodec {
  /** What messages and errors call it. It is not stored: another codec under the same name is not noticed. */
  name: string
  /** Returns fewer bytes that stand for these, or as many: then the value is stored plain. */
  compress(bytes: Uint8Array): Uint8Array
  /** The reverse of `compress`. What it throws is the `cause` of a DecodeError. */
  decompress(bytes: Uint8Array): Uint8Array
}

/** What values are compressed with: `'zstd'` needs Node 22.15. Values of all kinds are read, whatever is asked for. */
export type CompressionOption = 'none' | 'deflate' | 'snappy' | 'brotli' | 'zstd' | CompressionCodec

/** What the keys and values of a sub-database are. Of one that exists: those that it was made with. */
export interface SubEncodings<V = string> {
  /** As for `open`. Default `'utf8'`. */
  keyEncoding?: KeyEncoding | undefined
  /** As for `open`. Default `'utf8'`. */
  valueEncoding?: ValueEncoding<V> | undefined
}

/** How a record is stored. */
export interface PutOptions {
  /** Milliseconds from now after which the record is gone. Without it, the record stays. */
  ttl?: number | undefined
}

/** `K`: what keys are given back as. */
export type BatchOperation<V, K = string> =
  | ({ type: 'put'; key: K | Key; value: V } & PutOptions)
  | { type: 'delete'; key: K | Key }

/**
 * Which keys, in bytewise order. `keys('user:')` is short for `keys({ prefix: 'user:' })`. With `keyEncoding: 'tuple'`
 * in the order of tuples, and `keys(['user', 42])` is short for `keys({ prefix: ['user', 42] })`.
 */
export interface Range<K = string> {
  /** Keys behind this one. */
  gt?: RangeBound<K> | undefined
  /** This key and those behind it. */
  gte?: RangeBound<K> | undefined
  /** Keys before this one. */
  lt?: RangeBound<K> | undefined
  /** This key and those before it. */
  lte?: RangeBound<K> | undefined
  /** Keys that begin with it; with `keyEncoding: 'tuple'`, an array: keys that are arrays and begin with its items. */
  prefix?: RangeBound<K> | undefined
  /** From the last key to the first. Default false. */
  reverse?: boolean | undefined
  /** At most so many records. Default: all. */
  limit?: number | undefined
  /**
   * What becomes of a record whose key or value cannot be decoded. `'throw'`: that step throws its DecodeError, and the
   * next one goes on behind it. `'skip'`: it is passed over. A function is called with its error, and it is passed over.
   * Counts and deletions decode nothing. Default `'throw'`.
   */
  onDecodeError?: OnDecodeError | undefined
}

/** What an iterator does at a record that it cannot decode: see `Range`. */
export type OnDecodeError = 'throw' | 'skip' | ((error: DecodeError) => void)

/** A bound need not be a whole key: where keys are arrays it may be any array, such as their first items. */
export type RangeBound<K> = K | Key | (K extends readonly unknown[] ? readonly TupleKey[] : never)

/** A range, or the prefix that it is. */
export type GivenRange<K = string> = Range<K> | RangeBound<K>

/** The first items of a key that is an array. */
export type Beginning<K> = K extends readonly [infer First, ...infer Rest]
  ? readonly [] | readonly [First, ...Beginning<Rest>]
  : K extends readonly (infer Item)[]
    ? readonly Item[]
    : never

/** Which index keys, in the order of tuples. */
export interface IndexRange<IK> {
  /** Index keys behind this one; of the first items of an array: behind all that begin with them. */
  gt?: IK | Beginning<IK> | undefined
  /** This index key, all that begin with these items, and those behind. */
  gte?: IK | Beginning<IK> | undefined
  /** Index keys before this one, and before all that begin with these items. */
  lt?: IK | Beginning<IK> | undefined
  /** This index key, all that begin with these items, and those before. */
  lte?: IK | Beginning<IK> | undefined
  /** A text: texts that begin with it. An array: arrays that begin with its items. */
  prefix?: (IK extends string ? string : never) | Beginning<IK> | undefined
  /** From the last index key to the first. Default false. */
  reverse?: boolean | undefined
  /** At most so many entries. Default: all. */
  limit?: number | undefined
  /** As for a `Range`, of the records that the entries lead to. Default `'throw'`. */
  onDecodeError?: OnDecodeError | undefined
}

/** A range; or a key that is no array, which stands for itself; or an array, for all that begin with its items. */
export type GivenIndexRange<IK> = IndexRange<IK> | IK | Beginning<IK>

/** A record as the cursor gives it. */
export interface Entry<V, K = string> {
  /** The key, as the key encoding has it. */
  key: K
  /** The value, decoded. */
  value: V
}

/** What a transaction sees of others, from the weakest to the strictest: docs/api.md has the table. */
export type IsolationLevel = 'read-uncommitted' | 'read-committed' | 'repeatable-read' | 'snapshot' | 'serializable'

/** How a transaction begins. */
export interface TransactionOptions {
  /** Default `'serializable'`. */
  isolation?: IsolationLevel | undefined
  /** It only reads: it sees a snapshot, and neither waits nor makes others wait. */
  readOnly?: boolean | undefined
}

/** How a call of the asynchronous face waits for locks. */
export interface WaitOptions {
  /** Ends the wait when it is aborted: the call rejects with its reason. Of a transaction: rolls it back. */
  signal?: AbortSignal | undefined
  /** Milliseconds that one operation may wait for a lock. Default: the database's `lockTimeout`. */
  lockTimeout?: number | undefined
}

/** How a record is stored, and how the call waits for its lock. */
export interface AsyncPutOptions extends PutOptions, WaitOptions {}

/** How a transaction of the asynchronous face begins, and how its operations wait for locks. */
export interface AsyncTransactionOptions extends TransactionOptions, WaitOptions {}

/** How `transact` runs its function. */
export interface TransactOptions extends AsyncTransactionOptions {
  /** How often the function is run again after a deadlock or a write conflict. Default 20. */
  retries?: number | undefined
}

/** The figures of an open database. Those that count events count from the open on. */
export interface Stats {
  /** Path of the database. */
  directory: string
  /** What tells the database from every other one: 32 hexadecimal digits, the same in its backups. */
  uuid: string
  /** Bytes of a block. */
  blockSize: number
  /** As it was opened. */
  durability: Durability
  /** It has the ordered index, which ranges need. */
  ordered: boolean
  /** Records of the root; those of a sub-database are counted by its `count()`. */
  records: number
  /** Sub-databases and indexes, those that lie in others included; undefined if their list is damaged. */
  spaces: { count: number | undefined }
  /** Blocks of the data file. */
  blocks: { total: number; free: number }
  /** `pending`: some blocks of what was cleared or dropped are not free yet. */
  reclaim: { pending: boolean }
  /** Apparent bytes of the data file, and bytes it takes on the disk. */
  dataBytes: number
  /** Bytes that the data file takes on the disk. */
  dataBytesAllocated: number
  /** Bytes of all log segments and of images of blocks, and how many bytes of log are needed for recovery now. */
  logBytes: number
  /** Bytes of log that a recovery would read now. */
  logBytesInUse: number
  /** Files of the log, spare ones included. */
  logSegments: number
  /** Bytes that the log may take on the disk, but for what an open transaction needs. */
  logBytesLimit: number
  /** The buffer pool. */
  cache: {
    /** Frames of the pool, and how many hold a block. */
    frames: number
    framesUsed: number
    dirty: number
    bytes: number
    /** Block accesses, those that found their block in the pool, those that read it. */
    accesses: number
    hits: number
    misses: number
    evictions: number
    /** Blocks read from and written to the data file. */
    blockReads: number
    blockWrites: number
  }
  /** What was written to the log. */
  log: {
    /** Records and bytes appended; groups written; fdatasync calls on the log. */
    records: number
    bytes: number
    groups: number
    fsyncs: number
    /** Full images of blocks written against torn writes, beside the log. */
    images: number
  }
  /** fdatasync calls in all, log and data. */
  fsyncs: number
  /** How long syncs of the log took. */
  fsync: SyncFigures
  /** The longest time since the open that one call or step has held up the event loop. */
  longestStall: Stall | undefined
  /** Values since the open that were too long for a block with others. */
  largeValues: LargeValueFigures
  /** Room on the disk. */
  disk: {
    /** Bytes that may still be written there; undefined where nobody can tell. */
    free: number | undefined
    /** What adds is refused now (`XENON_FULL`). */
    full: boolean
    /** Bytes of the reserve, which is kept for the day when nothing is free. */
    reserve: number
    /** Changes that were refused. */
    refused: number
  }
  /** Transactions, and their locks. */
  transactions: {
    open: number
    oldest: OldestTransaction | undefined
    commits: number
    rollbacks: number
    lockConflicts: number
    /** Operations that waited for a lock, deadlocks that were resolved, waits that ended by `lockTimeout`. */
    lockWaits: number
    deadlocks: number
    lockTimeouts: number
  }
  /** Snapshots and iterators that are open, and the earlier states of blocks that are kept for them. */
  snapshots: {
    open: number
    oldest: OldestSnapshot | undefined
    /** Copies made so far, and bytes of those that are kept now. */
    copies: number
    bytes: number
    /** Bytes that they may take (`snapshotBytes`). */
    limit: number
    /** Snapshots that were given up, because the copies took more than `snapshotBytes`. */
    lost: number
  }
  /** Expired records that the sweep has removed. */
  expired: number
  /** Checkpoints that were completed. */
  checkpoints: number
  /** Undefined before the first one since the open. */
  lastCheckpoint: LastCheckpoint | undefined
  /** Structure changes: splits, redistributions, merges, compactions in a block, slots and blocks reused. */
  index: {
    splits: number
    redistributions: number
    merges: number
    compactions: number
    slotsReused: number
    blocksReused: number
  }
  /** What recovery did when the database was opened. */
  recovery: RecoveryReport
}

/** The open transaction that began first, and what it holds. */
export interface OldestTransaction {
  /** How long it has been open. */
  milliseconds: number
  /** Locks of keys. */
  locks: number
  /** Bytes of log that are kept for it. */
  logBytes: number
}

/** The open snapshot or iterator that began first. An iterator counts from when it first kept a block. */
export interface OldestSnapshot {
  /** How long it has been open. */
  milliseconds: number
  /** Bytes of the copies of blocks that are kept for it. */
  bytes: number
}

/** The latest checkpoint that was completed. */
export interface LastCheckpoint {
  /** When it ended, in milliseconds since 1970. */
  at: number
  /** How long it took from its begin to its end, with the pauses between its steps. */
  milliseconds: number
}

/** Syncs of the log since the open, and milliseconds that half, and 99 of 100, of the last 512 took at most. */
export interface SyncFigures {
  /** Syncs since the open. */
  count: number
  /** Milliseconds that half of the last 512 took at most; 0 before the first. */
  p50: number
  /** Milliseconds that 99 of 100 of them took at most; 0 before the first. */
  p99: number
}

/** A time in which one call or step of the database held up the event loop. */
export interface Stall {
  /**
   * `'sync'`: a commit waited for the disk; `'checkpoint'`: one of its steps; `'log-room'`: the log had grown so much
   * that a checkpoint was ended at once; `'full-disk'`: room was looked for.
   */
  cause: 'sync' | 'checkpoint' | 'log-room' | 'full-disk'
  /** How long it was. */
  milliseconds: number
  /** When it ended, in milliseconds since 1970. */
  at: number
}

/** Values written since the open that lie in blocks of their own: those longer than about a third of a block. */
export interface LargeValueFigures {
  /** How many. */
  count: number
  /** Bytes of the values, as stored. */
  bytes: number
  /** Bytes of the blocks that they were written to. */
  blockBytes: number
  /** Share of the blocks' bytes that hold nothing, 0 to 1. */
  wasted: number
}

/** What can be warned of; docs/operations.md says of each when it is raised and what to do. */
export type WarningCode = 'log-held' | 'snapshot-large' | 'disk-low' | 'slow-fsync' | 'slow-recovery' | 'block-size'

/** Something that will hurt. */
export interface Warning {
  /** Stable: for programs. */
  code: WarningCode
  /** What is wrong and what to do about it, in a sentence. */
  message: string
  /** The figures behind it; docs/operations.md names them. */
  data: Readonly<Record<string, number>>
}

/** How an open database is. Every figure can be had cheaply, also on a handle that has failed or was closed. */
export interface Health {
  /** The database is open and has not failed. A full disk is no failure: see `disk.full`. */
  ok: boolean
  /** `close` was called. */
  closed: boolean
  /** What stopped the handle; it has to be closed and opened again. */
  failed: Error | undefined
  /** Undefined while none is open. */
  oldestTransaction: OldestTransaction | undefined
  /** Undefined while none is open. */
  oldestSnapshot: OldestSnapshot | undefined
  /** Bytes of log that a recovery would read now, and that the log may take on the disk. */
  log: { bytesInUse: number; limit: number }
  /** Undefined before the first one since the open. */
  lastCheckpoint: LastCheckpoint | undefined
  /** `free`: undefined where nobody can tell. `full`: what adds is refused (`XENON_FULL`). */
  disk: { free: number | undefined; full: boolean }
  /** How long syncs of the log took. */
  fsync: SyncFigures
  /** The longest time since the open that one call or step has held up the event loop; undefined before the first. */
  longestStall: Stall | undefined
  /** Values since the open that were too long for a block with others. */
  largeValues: LargeValueFigures
  /** What will hurt, as far as it is so now. */
  warnings: Warning[]
}

/** What recovery did when the database was opened. */
export interface RecoveryReport {
  /** True when the database had not been closed cleanly. */
  needed: boolean
  /** Records of the log that were read. */
  recordsScanned: number
  /** Changes of blocks that were made again. */
  redone: number
  /** Transactions without a commit, whose changes were taken back. */
  transactionsRolledBack: number
  /** Bytes of a torn, never acknowledged tail that were dropped. */
  tornTailBytes: number
  /** How long it took. */
  milliseconds: number
}

/** `'redo'`: bytes of log; `'undo'`: transactions rolled back; `'write'`: blocks written. */
export interface RecoveryProgress {
  /** What it does now; the phases come in this order. */
  phase: 'redo' | 'undo' | 'write'
  /** So much of it is done. */
  done: number
  /** So much there is in this phase. */
  total: number
}

/** What an index is declared with, beside its name and its function. */
export interface IndexOptions extends ProgressOptions {
  /** No two records may have the same index key. Default false. */
  unique?: boolean | undefined
  /** A whole number that changes whenever the function makes something else: then the index is built anew. Default 1. */
  version?: number | undefined
}

/** What `verify` of an index has found. */
export interface IndexReport {
  /** Every entry has its record, and every record its entries. */
  ok: boolean
  /** Records that were compared. */
  records: number
  /** Entries that were compared. */
  entries: number
  /** One sentence each; at most 100 are kept. */
  problems: string[]
  /** How many there were in all. */
  problemCount: number
}

/** A committed change; `commit` grows from commit to commit, and is the same for all changes of one. */
export type Change<V, K = string> =
  | { type: 'put'; key: K; value: V; commit: number }
  | { type: 'delete'; key: K; commit: number }

/** How changes are watched. */
export interface WatchOptions {
  /** Changes that may wait to be read; with more of them the watch ends with XENON_WATCH_OVERFLOW. Default 10,000. */
  buffer?: number | undefined
  /** Ends the watch when it is aborted; a step that waits rejects with its reason. */
  signal?: AbortSignal | undefined
}

/** How work that goes on for a while tells of it. */
export interface ProgressOptions {
  /** Called now and then with what is done so far and in all. */
  onProgress?: ((progress: { done: number; total: number }) => void) | undefined
}
