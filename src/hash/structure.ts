/**
 * The shape of the hash index: making room in a bucket, and giving blocks back when buckets shrink.
 *
 * Each step is one system record in the log: atomic in itself, redone as bytes, never undone. A step changes where
 * records lie, never what they are, so that it needs nothing of the transaction that caused it but its locks.
 *
 *   index block full          -> one overflow block
 *   that full too             -> the index block becomes a directory over fresh buckets
 *   bucket full               -> share with a neighbour that has room, else split at the middle of its bytes
 *   directory full            -> split; at the index block: one more level
 *   all positions equal       -> overflow chain
 *   bucket nearly empty       -> merge with a neighbour; a directory of one entry goes back into its index block
 */
import { Pins } from '../buffer/pins.ts'
import type { BufferPool } from '../buffer/pool.ts'
import { CorruptionError } from '../errors.ts'
import type { FreeBlocks } from '../freelist/blocks.ts'
import { freeSlot } from '../freelist/slots.ts'
import { RecordType } from '../log/format.ts'
import type { LogWriter } from '../log/writer.ts'
import {
  bucketNext,
  compact,
  contiguousBytes,
  formatBucket,
  liveBytes,
  RECORD_HEADER_BYTES,
  recordKeyLength,
  recordSize,
  SLOT_BYTES,
  slotInUse,
} from '../pager/bucket.ts'
import {
  childOf,
  childOffset,
  directoryCapacity,
  directoryLevel,
  entryCount,
  findEntry,
  formatDirectory,
  separatorOf,
  separatorOffset,
} from '../pager/directory.ts'
import {
  AT_COUNT,
  AT_KIND,
  AT_LIVE,
  AT_NEXT,
  AT_RECORD_BYTES,
  BlockKind,
  BUCKET_STATE_BYTES,
  BUCKET_STATE_OFFSET,
  HEADER_BYTES,
} from '../pager/layout.ts'
import type { TransactionManager } from '../txn/manager.ts'
import type { TransactionState } from '../txn/transaction-state.ts'
import type { KeyBuffer } from './key.ts'
import { KeyHash } from './key-hash.ts'

/** A neighbour takes part of a full bucket's load when it is filled to at most this share. */
const SHARE_BELOW = 0.6
/** A bucket filled to less than this share looks for a neighbour to merge with … */
const MERGE_BELOW = 0.2
/** … if both together fill one to at most this share. */
const MERGE_UP_TO = 0.6
/** Fill of the buckets that an index block is spread over. */
const SPREAD_FILL = 0.7
/** A longer overflow chain, which only equal positions make, is not taken apart again. */
const SPREAD_CHAIN = 3
/** A directory counts as full when it has no room for the entries that one step may add. */
const ENTRY_RESERVE = 8
const SLOT_BITS = 16384

interface Place {
  block: number
  base: number
}

export class Structure {
  splits = 0
  redistributions = 0
  merges = 0
  private readonly pool: BufferPool
  /** What the step under way works on. */
  private readonly pins: Pins
  private readonly log: LogWriter
  private readonly free: FreeBlocks
  private readonly transactions: TransactionManager
  private readonly hash: KeyHash
  private readonly blockScratch: number
  private readonly capacity: number
  private readonly usable: number
  /** The way from the index block to the bucket: directories and the entry taken in each. */
  private readonly way: { block: number; entry: number }[] = []
  /** The records of a bucket: position * SLOT_BITS + slot, ascending. */
  private readonly order: Float64Array

  constructor(
    parts: {
      pool: BufferPool
      log: LogWriter
      free: FreeBlocks
      transactions: TransactionManager
      hashKey: [number, number]
    },
    blockScratch: number,
  ) {
    this.pool = parts.pool
    this.pins = new Pins(parts.pool)
    this.log = parts.log
    this.free = parts.free
    this.transactions = parts.transactions
    this.hash = new KeyHash(parts.hashKey)
    this.blockScratch = blockScratch
    this.usable = parts.pool.blockSize - HEADER_BYTES
    this.capacity = directoryCapacity(parts.pool.blockSize)
    this.order = new Float64Array(Math.ceil(parts.pool.blockSize / (SLOT_BYTES + RECORD_HEADER_BYTES)))
  }

  /** Changes the shape so that the key's bucket has more room; the caller searches again, and asks again if need be. */
  makeRoom(state: TransactionState, key: KeyBuffer): void {
    try {
      const bucket = this.descend(key)
      const parent = this.way[this.way.length - 1]
      const chain = this.chainOf(bucket)
      if (chain.length > SPREAD_CHAIN || (parent === undefined && chain.length === 1)) {
        this.appendOverflow(state, bucket, chain)
      } else if (parent !== undefined && chain.length === 1) {
        this.relieve(state, bucket)
      } else if (parent !== undefined && this.isFull(parent.block)) {
        this.splitDirectory(this.way.length - 1)
      } else if (!this.spread(state, bucket, chain)) {
        this.appendOverflow(state, bucket, chain)
      }
    } finally {
      this.pins.release()
    }
  }

  /** Records the way to the key's bucket and returns the bucket's head block. */
  private descend(key: KeyBuffer): number {
    return this.descendTo(key.hash.root, key.hash.position)
  }

  private descendTo(root: number, position: number): number {
    const { pool, way } = this
    way.length = 0
    let block = root
    let base = pool.get(block)
    while (pool.arena.u8[base + AT_KIND] === BlockKind.directory) {
      const entry = findEntry(pool.arena, base, position)
      way.push({ block, entry })
      block = childOf(pool.arena, base, this.capacity, entry)
      base = pool.get(block)
    }
    return block
  }

  private chainOf(bucket: number): number[] {
    const chain: number[] = []
    for (let block = bucket; block !== 0; block = bucketNext(this.pool.arena, this.pool.get(block))) {
      if (chain.length > this.pool.limit())
        throw new CorruptionError('data', 'its overflow chain is cyclic', bucket)
      chain.push(block)
    }
    return chain
  }

  private isFull(directory: number): boolean {
    return entryCount(this.pool.arena, this.pool.get(directory)) + ENTRY_RESERVE > this.capacity
  }

  /** A full bucket below a directory: shares, splits, or grows a chain. */
  private relieve(state: TransactionState, bucket: number): void {
    const base = this.pins.get(bucket)
    const count = this.sortRecords(base)
    const first = this.positionAt(0)
    if (first === this.positionAt(count - 1)) this.appendOverflow(state, bucket, [bucket])
    else if (!this.share(state, bucket, base, count)) {
      if (this.isFull(this.way[this.way.length - 1]!.block)) this.splitDirectory(this.way.length - 1)
      else this.split(state, bucket, base, count)
    }
  }

  /** Fills `order` with the records of a bucket and returns how many there are. */
  private sortRecords(base: number): number {
    const { arena } = this.pool
    const { order, hash } = this
    const count = arena.u16[(base + AT_COUNT) >>> 1]!
    const slots = (base + HEADER_BYTES) >>> 2
    let n = 0
    for (let slot = 0; slot < count; slot++) {
      const word = arena.u32[slots + slot]!
      if (!slotInUse(word)) continue
      const record = base + (word & 0xffff)
      hash.of(arena.u8, record + RECORD_HEADER_BYTES, recordKeyLength(arena, record))
      const item = hash.position * SLOT_BITS + slot
      let at = n++
      if (n <= 64) {
        while (at > 0 && order[at - 1]! > item) {
          order[at] = order[at - 1]!
          at--
        }
      }
      order[at] = item
    }
    if (n > 64) order.subarray(0, n).sort()
    return n
  }

  private positionAt(index: number): number {
    return Math.floor(this.order[index]! / SLOT_BITS)
  }

  private slotAt(index: number): number {
    return this.order[index]! % SLOT_BITS
  }

  private sizeAt(base: number, index: number): number {
    const { arena } = this.pool
    const word = arena.u32[((base + HEADER_BYTES) >>> 2) + this.slotAt(index)]!
    return SLOT_BYTES + recordSize(arena, base + (word & 0xffff))
  }

  /**
   * The index nearest to `bytes` of records from the low end where the position changes, so that the records before
   * it may part from the rest; 0 if there is none.
   */
  private cut(base: number, count: number, bytes: number): number {
    let sum = 0
    let best = 0
    let bestDistance = Number.POSITIVE_INFINITY
    for (let i = 1; i < count; i++) {
      sum += this.sizeAt(base, i - 1)
      const distance = Math.abs(sum - bytes)
      if (distance >= bestDistance) break
      if (this.positionAt(i) !== this.positionAt(i - 1)) {
        best = i
        bestDistance = distance
      }
    }
    return best === 0 ? this.firstCut(count) : best
  }

  /** The last index where the position changes with at most `bytes` of records before it; 0 if there is none. */
  private cutWithin(base: number, count: number, bytes: number): number {
    let sum = 0
    let last = 0
    for (let i = 1; i < count; i++) {
      sum += this.sizeAt(base, i - 1)
      if (sum > bytes) break
      if (this.positionAt(i) !== this.positionAt(i - 1)) last = i
    }
    return last
  }

  private firstCut(count: number): number {
    for (let i = 1; i < count; i++) if (this.positionAt(i) !== this.positionAt(i - 1)) return i
    return 0
  }

  /** Moves the upper half of a bucket's records to a fresh block behind it in the directory. */
  private split(state: TransactionState, bucket: number, base: number, count: number): void {
    const { pool, log, free } = this
    const at = this.cut(base, count, liveBytes(pool.arena, base) / 2)
    const { block: parent, entry } = this.way[this.way.length - 1]!
    const [fresh] = free.plan(1)
    const parentBase = this.pins.get(parent)
    const freshBase = pool.fresh(fresh!)
    this.transactions.adoptFresh(state, fresh!)
    pool.preserve(base)
    pool.preserve(parentBase)
    formatBucket(pool.arena, freshBase, pool.blockSize)
    log.reserve(2 * pool.blockSize + 512)
    log.begin(RecordType.system, 0, 0, 0)
    const separator = this.positionAt(at)
    this.moveRecords(base, freshBase, at, count)
    this.logSlots(bucket, base)
    this.logFresh(fresh!, freshBase)
    log.part(parent)
    this.insertEntry(parentBase, entry + 1, separator, fresh!)
    log.endPart()
    const lsn = free.endRecord()
    pool.changed(base, lsn)
    pool.formatted(freshBase, lsn)
    pool.changed(parentBase, lsn)
    this.splits++
  }

  /** Evens a full bucket out with the emptier of its neighbours that are in the pool; false if none has room. */
  private share(state: TransactionState, bucket: number, base: number, count: number): boolean {
    const { pool } = this
    const { arena } = pool
    const { block: parent, entry } = this.way[this.way.length - 1]!
    const parentBase = pool.get(parent)
    let best: Place | undefined
    let load = SHARE_BELOW * this.usable
    let right = false
    for (const side of [entry + 1, entry - 1]) {
      if (side < 0 || side >= entryCount(arena, parentBase)) continue
      const block = childOf(arena, parentBase, this.capacity, side)
      if (!pool.isResident(block) || !this.transactions.mayRestructure(state, block)) continue
      const neighbour = pool.get(block)
      const bytes = liveBytes(arena, neighbour)
      if (bucketNext(arena, neighbour) !== 0 || bytes > load) continue
      best = { block, base: neighbour }
      load = bytes
      right = side > entry
    }
    if (!best) return false
    const mine = liveBytes(arena, base)
    const surplus = (mine - load) / 2
    const at = this.cut(base, count, right ? mine - surplus : surplus)
    const moved = this.bytesOf(base, right ? at : 0, right ? count : at)
    // The fuller of both must end less full than before, or two buckets could pass a group back and forth for ever.
    if (at === 0 || load + moved > this.usable || moved >= mine - load) return false
    this.pins.pin(best.base)
    this.pins.pin(parentBase)
    this.transactions.beforeChange(state, best.block)
    this.logMove(bucket, base, best, parent, parentBase, right ? entry + 1 : entry, at, count, right)
    this.redistributions++
    return true
  }

  private bytesOf(base: number, from: number, to: number): number {
    let bytes = 0
    for (let i = from; i < to; i++) bytes += this.sizeAt(base, i)
    return bytes
  }

  /** The log record of `share`: records move to a neighbour, and the separator between both with them. */
  private logMove(
    bucket: number,
    base: number,
    to: Place,
    parent: number,
    parentBase: number,
    entry: number,
    at: number,
    count: number,
    right: boolean,
  ): void {
    const { pool, log } = this
    pool.preserve(base)
    pool.preserve(to.base)
    pool.preserve(parentBase)
    log.reserve(2 * pool.blockSize + 512)
    log.begin(RecordType.system, 0, 0, 0)
    const separator = this.positionAt(at)
    this.logIncoming(to, base, right ? at : 0, right ? count : at)
    this.logSlots(bucket, base)
    log.part(parent)
    pool.arena.u32[(parentBase + separatorOffset(entry)) >>> 2] = separator
    log.setWord(separatorOffset(entry), separator)
    log.endPart()
    const lsn = log.end()
    pool.changed(base, lsn)
    pool.changed(to.base, lsn)
    pool.changed(parentBase, lsn)
  }

  /** Moves the records [from, to) of `order` in the bucket at `base` into `target`, and logs the target's part. */
  private logIncoming(target: Place, base: number, from: number, to: number): void {
    const { pool, log } = this
    const { arena, blockSize } = pool
    log.part(target.block)
    if (contiguousBytes(arena, target.base, blockSize) < this.bytesOf(base, from, to)) {
      compact(arena, target.base, blockSize, this.blockScratch)
      log.compact()
    }
    const end = blockSize - arena.u16[(target.base + AT_RECORD_BYTES) >>> 1]!
    const slots = arena.u16[(target.base + AT_COUNT) >>> 1]!
    this.moveRecords(base, target.base, from, to)
    this.logBucketState(target.base)
    const first = HEADER_BYTES + SLOT_BYTES * slots
    log.set(first, SLOT_BYTES * (to - from), target.base + first)
    const start = blockSize - arena.u16[(target.base + AT_RECORD_BYTES) >>> 1]!
    log.set(start, end - start, target.base + start)
    log.endPart()
  }

  /** Appends the records [from, to) of `order` to a bucket with room in one piece, and frees their slots. */
  private moveRecords(base: number, target: number, from: number, to: number): void {
    const { arena, blockSize } = this.pool
    const { u8, u16, u32 } = arena
    let count = u16[(target + AT_COUNT) >>> 1]!
    let bytes = u16[(target + AT_RECORD_BYTES) >>> 1]!
    const sourceSlots = (base + HEADER_BYTES) >>> 2
    const targetSlots = (target + HEADER_BYTES) >>> 2
    for (let i = from; i < to; i++) {
      const slot = this.slotAt(i)
      const word = u32[sourceSlots + slot]!
      const record = base + (word & 0xffff)
      const size = recordSize(arena, record)
      bytes += size
      u8.copyWithin(target + blockSize - bytes, record, record + size)
      u32[targetSlots + count++] = ((word & 0xffff0000) | (blockSize - bytes)) >>> 0
      freeSlot(arena, base, slot)
    }
    u16[(target + AT_COUNT) >>> 1] = count
    u16[(target + AT_LIVE) >>> 1] = u16[(target + AT_LIVE) >>> 1]! + to - from
    u16[(target + AT_RECORD_BYTES) >>> 1] = bytes
  }

  private logBucketState(base: number): void {
    this.log.set(BUCKET_STATE_OFFSET, BUCKET_STATE_BYTES, base + BUCKET_STATE_OFFSET)
  }

  /** The part of a bucket that only lost records: its state and slots. */
  private logSlots(block: number, base: number): void {
    const count = this.pool.arena.u16[(base + AT_COUNT) >>> 1]!
    this.log.part(block)
    this.logBucketState(base)
    if (count > 0) this.log.set(HEADER_BYTES, SLOT_BYTES * count, base + HEADER_BYTES)
    this.log.endPart()
  }

  /** The part of a freshly formatted bucket: all of it. */
  private logFresh(block: number, base: number): void {
    this.log.part(block)
    this.log.format(BlockKind.bucket, 0)
    this.logContents(base)
    this.log.endPart()
  }

  private logContents(base: number): void {
    const { log, pool } = this
    const count = pool.arena.u16[(base + AT_COUNT) >>> 1]!
    const bytes = pool.arena.u16[(base + AT_RECORD_BYTES) >>> 1]!
    if (count === 0) return
    this.logBucketState(base)
    log.set(HEADER_BYTES, SLOT_BYTES * count, base + HEADER_BYTES)
    log.set(pool.blockSize - bytes, bytes, base + pool.blockSize - bytes)
  }

  /** Inside a part: inserts an entry into a directory. */
  private insertEntry(base: number, entry: number, separator: number, child: number): void {
    const { log, capacity, pool } = this
    const { u8, u16, u32 } = pool.arena
    const count = u16[(base + AT_COUNT) >>> 1]!
    const bytes = 4 * (count - entry)
    for (const at of [separatorOffset(entry), childOffset(capacity, entry)]) {
      u8.copyWithin(base + at + 4, base + at, base + at + bytes)
      log.move(at + 4, at, bytes)
    }
    u32[(base + separatorOffset(entry)) >>> 2] = separator
    u32[(base + childOffset(capacity, entry)) >>> 2] = child
    u16[(base + AT_COUNT) >>> 1] = count + 1
    log.setWord(separatorOffset(entry), separator)
    log.setWord(childOffset(capacity, entry), child)
    log.set(AT_COUNT, 2, base + AT_COUNT)
  }

  /** Inside a part: removes an entry (never entry 0, whose separator is the low end). */
  private removeEntry(base: number, entry: number): void {
    const { log, capacity, pool } = this
    const { u8, u16 } = pool.arena
    const count = u16[(base + AT_COUNT) >>> 1]!
    const bytes = 4 * (count - entry - 1)
    for (const at of [separatorOffset(entry), childOffset(capacity, entry)]) {
      u8.copyWithin(base + at, base + at + 4, base + at + 4 + bytes)
      log.move(at, at + 4, bytes)
    }
    u16[(base + AT_COUNT) >>> 1] = count - 1
    log.set(AT_COUNT, 2, base + AT_COUNT)
  }

  /** Appends an empty overflow block to a bucket's chain. */
  private appendOverflow(state: TransactionState, bucket: number, chain: readonly number[]): void {
    const { pool, log, free } = this
    const last = chain[chain.length - 1]!
    const [fresh] = free.plan(1)
    const lastBase = this.pins.get(last)
    this.transactions.beforeChange(state, bucket)
    const freshBase = pool.fresh(fresh!)
    pool.preserve(lastBase)
    formatBucket(pool.arena, freshBase, pool.blockSize)
    log.reserve(256)
    log.begin(RecordType.system, 0, 0, 0)
    log.part(last)
    pool.arena.u32[(lastBase + AT_NEXT) >>> 2] = fresh!
    log.setWord(AT_NEXT, fresh!)
    log.endPart()
    this.logFresh(fresh!, freshBase)
    const lsn = free.endRecord()
    pool.changed(lastBase, lsn)
    pool.formatted(freshBase, lsn)
  }

  /**
   * Spreads the records of a short chain over fresh buckets: below a directory these take the chain's place, and an
   * index block becomes a directory over them. False if equal positions stand against it.
   */
  private spread(state: TransactionState, bucket: number, chain: readonly number[]): boolean {
    const bases = chain.map(block => this.pins.get(block))
    const records = this.recordsOf(bases)
    const total = records.reduce((sum, record) => sum + record.bytes, 0)
    const least = Math.max(2, Math.ceil(total / (SPREAD_FILL * this.usable)))
    for (let parts = least; parts <= least + 2; parts++) {
      const groups = group(records, total / parts)
      if (groups.length < 2 || groups.some(records => sumBytes(records) > this.usable)) continue
      this.logSpread(state, bucket, chain, bases, groups)
      return true
    }
    return false
  }

  private recordsOf(bases: readonly number[]): PlacedRecord[] {
    const { arena } = this.pool
    const records: PlacedRecord[] = []
    for (const base of bases) {
      const count = this.sortRecords(base)
      for (let i = 0; i < count; i++) {
        const word = arena.u32[((base + HEADER_BYTES) >>> 2) + this.slotAt(i)]!
        const at = base + (word & 0xffff)
        records.push({ position: this.positionAt(i), word, at, bytes: SLOT_BYTES + recordSize(arena, at) })
      }
    }
    return records.sort((a, b) => a.position - b.position)
  }

  private logSpread(
    state: TransactionState,
    bucket: number,
    chain: readonly number[],
    bases: readonly number[],
    groups: PlacedRecord[][],
  ): void {
    const { pool, log, free } = this
    const parent = this.way[this.way.length - 1]
    const directory = parent === undefined ? bucket : parent.block
    const fresh = free.plan(groups.length)
    const directoryBase = this.pins.get(directory)
    const freshBases = fresh.map(block => this.pins.fresh(block))
    for (const block of fresh) this.transactions.adoptFresh(state, block)
    for (const base of bases) pool.preserve(base)
    pool.preserve(directoryBase)
    log.reserve((groups.length + 2) * pool.blockSize)
    log.begin(RecordType.system, 0, 0, 0)
    groups.forEach((records, i) => {
      formatBucket(pool.arena, freshBases[i]!, pool.blockSize)
      this.placeRecords(freshBases[i]!, records)
      this.logFresh(fresh[i]!, freshBases[i]!)
    })
    const freed = parent === undefined ? chain.slice(1) : [...chain]
    for (const block of freed) free.logFree(block, bases[chain.indexOf(block)]!)
    log.part(directory)
    if (parent === undefined) {
      formatDirectory(pool.arena, directoryBase, pool.blockSize, 0)
      log.format(BlockKind.directory, 0)
      groups.forEach((records, i) => {
        this.insertEntry(directoryBase, i, i === 0 ? 0 : records[0]!.position, fresh[i]!)
      })
    } else {
      const child = childOffset(this.capacity, parent.entry)
      pool.arena.u32[(directoryBase + child) >>> 2] = fresh[0]!
      log.setWord(child, fresh[0]!)
      for (let i = 1; i < groups.length; i++)
        this.insertEntry(directoryBase, parent.entry + i, groups[i]![0]!.position, fresh[i]!)
    }
    log.endPart()
    const lsn = free.endRecord()
    for (const block of freed) pool.formatted(bases[chain.indexOf(block)]!, lsn)
    for (const base of freshBases) pool.formatted(base, lsn)
    if (parent === undefined) pool.formatted(directoryBase, lsn)
    else pool.changed(directoryBase, lsn)
    this.splits += groups.length - 1
  }

  /** Appends records that lie anywhere in the arena to a bucket with room in one piece. */
  private placeRecords(target: number, records: readonly PlacedRecord[]): void {
    const { arena, blockSize } = this.pool
    const { u8, u16, u32 } = arena
    let count = u16[(target + AT_COUNT) >>> 1]!
    let bytes = u16[(target + AT_RECORD_BYTES) >>> 1]!
    for (const record of records) {
      const size = record.bytes - SLOT_BYTES
      bytes += size
      u8.copyWithin(target + blockSize - bytes, record.at, record.at + size)
      u32[((target + HEADER_BYTES) >>> 2) + count++] =
        ((record.word & 0xffff0000) | (blockSize - bytes)) >>> 0
    }
    u16[(target + AT_COUNT) >>> 1] = count
    u16[(target + AT_LIVE) >>> 1] = u16[(target + AT_LIVE) >>> 1]! + records.length
    u16[(target + AT_RECORD_BYTES) >>> 1] = bytes
  }

  /** Splits the directory at `depth` of the way; an index block pushes its entries one level down instead. */
  private splitDirectory(depth: number): void {
    const { block } = this.way[depth]!
    if (depth === 0) this.deepen(block)
    else if (this.isFull(this.way[depth - 1]!.block)) this.splitDirectory(depth - 1)
    else this.halve(block, this.way[depth - 1]!.block, this.way[depth - 1]!.entry)
  }

  /** An index block's directory moves into two fresh directories below it. */
  private deepen(block: number): void {
    const { pool, log, free } = this
    const fresh = free.plan(2)
    const base = this.pins.get(block)
    const count = entryCount(pool.arena, base)
    const level = directoryLevel(pool.arena, base)
    const middle = count >>> 1
    const low = this.pins.fresh(fresh[0]!)
    const high = pool.fresh(fresh[1]!)
    pool.preserve(base)
    log.reserve(3 * pool.blockSize)
    log.begin(RecordType.system, 0, 0, 0)
    this.fillDirectory(fresh[0]!, low, base, 0, middle, level)
    this.fillDirectory(fresh[1]!, high, base, middle, count, level)
    const separator = separatorOf(pool.arena, base, middle)
    formatDirectory(pool.arena, base, pool.blockSize, level + 1)
    log.part(block)
    log.format(BlockKind.directory, level + 1)
    this.insertEntry(base, 0, 0, fresh[0]!)
    this.insertEntry(base, 1, separator, fresh[1]!)
    log.endPart()
    const lsn = free.endRecord()
    for (const formatted of [base, low, high]) pool.formatted(formatted, lsn)
  }

  /** Moves the upper half of a directory to a fresh one beside it. */
  private halve(block: number, parent: number, parentEntry: number): void {
    const { pool, log, free } = this
    const [fresh] = free.plan(1)
    const base = this.pins.get(block)
    const parentBase = this.pins.get(parent)
    const count = entryCount(pool.arena, base)
    const middle = count >>> 1
    const high = pool.fresh(fresh!)
    pool.preserve(base)
    pool.preserve(parentBase)
    log.reserve(2 * pool.blockSize)
    log.begin(RecordType.system, 0, 0, 0)
    this.fillDirectory(fresh!, high, base, middle, count, directoryLevel(pool.arena, base))
    log.part(block)
    pool.arena.u16[(base + AT_COUNT) >>> 1] = middle
    log.set(AT_COUNT, 2, base + AT_COUNT)
    log.endPart()
    log.part(parent)
    this.insertEntry(parentBase, parentEntry + 1, separatorOf(pool.arena, high, 0), fresh!)
    log.endPart()
    const lsn = free.endRecord()
    pool.changed(base, lsn)
    pool.formatted(high, lsn)
    pool.changed(parentBase, lsn)
  }

  /** Formats a directory with the entries [from, to) of another one, and logs its part. */
  private fillDirectory(
    block: number,
    base: number,
    source: number,
    from: number,
    to: number,
    level: number,
  ): void {
    const { pool, log } = this
    formatDirectory(pool.arena, base, pool.blockSize, level)
    log.part(block)
    log.format(BlockKind.directory, level)
    this.appendEntries(base, source, from, to)
    log.endPart()
  }

  /** Inside a part: appends the entries [from, to) of the directory at `source`. */
  private appendEntries(base: number, source: number, from: number, to: number): void {
    const { pool, log, capacity } = this
    const count = entryCount(pool.arena, base)
    const bytes = 4 * (to - from)
    for (const [target, origin] of [
      [separatorOffset(count), separatorOffset(from)],
      [childOffset(capacity, count), childOffset(capacity, from)],
    ] as const) {
      pool.arena.u8.copyWithin(base + target, source + origin, source + origin + bytes)
      log.set(target, bytes, base + target)
    }
    pool.arena.u16[(base + AT_COUNT) >>> 1] = count + to - from
    log.set(AT_COUNT, 2, base + AT_COUNT)
  }

  /** True when `shrink` may have something to do for the bucket with a block at `base`. */
  isSparse(base: number, bucket: number, block: number): boolean {
    const { arena } = this.pool
    return (
      liveBytes(arena, base) < MERGE_BELOW * this.usable || block !== bucket || bucketNext(arena, base) !== 0
    )
  }

  /** After a removal: unlinks an emptied overflow block, merges a nearly empty bucket, takes back a directory. */
  shrink(state: TransactionState, key: KeyBuffer): void {
    const { pool } = this
    try {
      const bucket = this.descend(key)
      const base = pool.get(bucket)
      if (bucketNext(pool.arena, base) !== 0) this.unlinkEmpty(state, bucket)
      else if (this.way.length > 0 && liveBytes(pool.arena, base) < MERGE_BELOW * this.usable)
        this.merge(state, bucket)
    } finally {
      this.pins.release()
    }
  }

  private unlinkEmpty(state: TransactionState, bucket: number): void {
    const { pool, log, free } = this
    const chain = this.chainOf(bucket)
    const at = chain.findIndex((block, i) => i > 0 && pool.arena.u16[(pool.get(block) + AT_LIVE) >>> 1] === 0)
    if (at < 0 || !this.transactions.mayRestructure(state, bucket)) return
    const before = this.pins.get(chain[at - 1]!)
    const base = this.pins.get(chain[at]!)
    const next = bucketNext(pool.arena, base)
    free.plan(0)
    pool.preserve(before)
    pool.preserve(base)
    log.reserve(256)
    log.begin(RecordType.system, 0, 0, 0)
    log.part(chain[at - 1]!)
    pool.arena.u32[(before + AT_NEXT) >>> 2] = next
    log.setWord(AT_NEXT, next)
    log.endPart()
    free.logFree(chain[at]!, base)
    const lsn = free.endRecord()
    pool.changed(before, lsn)
    pool.formatted(base, lsn)
    this.merges++
  }

  /** Merges a bucket with a neighbour if both fit well in one block. */
  private merge(state: TransactionState, bucket: number): void {
    const { pool } = this
    const { block: parent, entry } = this.way[this.way.length - 1]!
    const parentBase = this.pins.get(parent)
    const base = this.pins.get(bucket)
    const count = entryCount(pool.arena, parentBase)
    for (const side of [entry + 1, entry - 1]) {
      if (side < 0 || side >= count) continue
      const block = childOf(pool.arena, parentBase, this.capacity, side)
      if (!this.transactions.mayRestructure(state, block)) continue
      const other = this.pins.get(block)
      const together = liveBytes(pool.arena, other) + liveBytes(pool.arena, base)
      if (bucketNext(pool.arena, other) !== 0 || together > MERGE_UP_TO * this.usable) continue
      const [left, right] =
        side > entry
          ? [
              { block: bucket, base },
              { block, base: other },
            ]
          : [
              { block, base: other },
              { block: bucket, base },
            ]
      this.transactions.beforeChange(state, block)
      this.logMerge(left!, right!, parent, parentBase, Math.max(entry, side))
      break
    }
    this.shrinkDirectory(state, this.way.length - 1)
  }

  /**
   * Compaction: fills the buckets of one directory from left to right, from the one that holds `position` of the index
   * block `root` on; returns where to go on, or -1 when that was the last one.
   */
  pack(state: TransactionState, root: number, position: number): number {
    try {
      return this.packFrom(state, root, position)
    } finally {
      this.pins.release()
    }
  }

  private packFrom(state: TransactionState, root: number, position: number): number {
    const { pins, capacity } = this
    const { arena } = this.pool
    const bucket = this.descendTo(root, position)
    const depth = this.way.length - 1
    if (depth < 0) return -1
    const { block: parent, entry } = this.way[depth]!
    const parentBase = pins.get(parent)
    const base = pins.get(bucket)
    if (entry + 1 < entryCount(arena, parentBase)) {
      const block = childOf(arena, parentBase, capacity, entry + 1)
      const left = { block: bucket, base }
      const right = { block, base: pins.get(block) }
      const isMerged = this.packInto(state, left, right, parent, parentBase, entry)
      return isMerged ? position : separatorOf(arena, parentBase, entry + 1)
    }
    // The last bucket of its directory: on to the next directory, before this one perhaps goes.
    const after = this.highEnd()
    this.shrinkDirectory(state, depth)
    return after
  }

  /** Moves what fits from a bucket to the one before it; true if that is all of it, and the bucket is gone. */
  private packInto(
    state: TransactionState,
    left: Place,
    right: Place,
    parent: number,
    parentBase: number,
    entry: number,
  ): boolean {
    const { arena } = this.pool
    if (bucketNext(arena, left.base) !== 0 || bucketNext(arena, right.base) !== 0) return false
    const mine = liveBytes(arena, left.base)
    const theirs = liveBytes(arena, right.base)
    if (mine + theirs <= this.usable) {
      this.transactions.beforeChange(state, left.block)
      this.transactions.beforeChange(state, right.block)
      this.logMerge(left, right, parent, parentBase, entry + 1)
      return true
    }
    const count = this.sortRecords(right.base)
    const at = this.cutWithin(right.base, count, this.usable - mine)
    if (at === 0) return false
    this.transactions.beforeChange(state, left.block)
    this.transactions.beforeChange(state, right.block)
    this.logMove(right.block, right.base, left, parent, parentBase, entry + 1, at, count, false)
    return false
  }

  /** Where the positions end that the way leads to, below the index block; -1 at the last one. */
  private highEnd(): number {
    const { pool } = this
    for (let depth = this.way.length - 1; depth >= 0; depth--) {
      const { block, entry } = this.way[depth]!
      const base = pool.get(block)
      if (entry + 1 < entryCount(pool.arena, base)) return separatorOf(pool.arena, base, entry + 1)
    }
    return -1
  }

  private logMerge(left: Place, right: Place, parent: number, parentBase: number, entry: number): void {
    const { pool, log, free } = this
    const count = this.sortRecords(right.base)
    free.plan(0)
    pool.preserve(left.base)
    pool.preserve(right.base)
    pool.preserve(parentBase)
    log.reserve(2 * pool.blockSize + 512)
    log.begin(RecordType.system, 0, 0, 0)
    if (count > 0) this.logIncoming(left, right.base, 0, count)
    free.logFree(right.block, right.base)
    log.part(parent)
    this.removeEntry(parentBase, entry)
    log.endPart()
    const lsn = free.endRecord()
    if (count > 0) pool.changed(left.base, lsn)
    pool.formatted(right.base, lsn)
    pool.changed(parentBase, lsn)
    this.merges++
  }

  /** A directory of few entries merges with its neighbour; one entry alone goes back into the index block. */
  private shrinkDirectory(state: TransactionState, depth: number): void {
    const { pool } = this
    const { block } = this.way[depth]!
    const count = entryCount(pool.arena, pool.get(block))
    if (depth === 0) {
      if (count === 1) this.flatten(state, block)
    } else if (count < this.capacity * MERGE_BELOW) {
      this.mergeDirectories(depth)
      this.shrinkDirectory(state, depth - 1)
    }
  }

  private mergeDirectories(depth: number): void {
    const { pool, log, free } = this
    const { block: parent, entry } = this.way[depth - 1]!
    const parentBase = this.pins.get(parent)
    const count = entryCount(pool.arena, parentBase)
    const at = entry + 1 < count ? entry : entry - 1
    if (at >= 0) {
      const leftBlock = childOf(pool.arena, parentBase, this.capacity, at)
      const rightBlock = childOf(pool.arena, parentBase, this.capacity, at + 1)
      const left = this.pins.get(leftBlock)
      const right = this.pins.get(rightBlock)
      const moved = entryCount(pool.arena, right)
      if (entryCount(pool.arena, left) + moved <= this.capacity * MERGE_UP_TO) {
        free.plan(0)
        pool.preserve(left)
        pool.preserve(right)
        pool.preserve(parentBase)
        log.reserve(2 * pool.blockSize)
        log.begin(RecordType.system, 0, 0, 0)
        log.part(leftBlock)
        this.appendEntries(left, right, 0, moved)
        log.endPart()
        free.logFree(rightBlock, right)
        log.part(parent)
        this.removeEntry(parentBase, at + 1)
        log.endPart()
        const lsn = free.endRecord()
        pool.changed(left, lsn)
        pool.formatted(right, lsn)
        pool.changed(parentBase, lsn)
      }
    }
  }

  /** The only child of an index block moves into it: a directory one level down, or a bucket that leaves room. */
  private flatten(state: TransactionState, block: number): void {
    const { pool, log, free } = this
    const base = this.pins.get(block)
    const child = childOf(pool.arena, base, this.capacity, 0)
    const childBase = this.pins.get(child)
    const isBucket = pool.arena.u8[childBase + AT_KIND] === BlockKind.bucket
    const fits =
      !isBucket ||
      (bucketNext(pool.arena, childBase) === 0 &&
        liveBytes(pool.arena, childBase) <= MERGE_UP_TO * this.usable)
    // Whoever waited for the index block while it was a bucket may hold it still.
    const allowed =
      !isBucket ||
      (this.transactions.mayRestructure(state, child) && this.transactions.mayRestructure(state, block))
    if (fits && allowed) {
      if (isBucket) this.transactions.beforeChange(state, block)
      free.plan(0)
      pool.preserve(base)
      pool.preserve(childBase)
      log.reserve(2 * pool.blockSize)
      log.begin(RecordType.system, 0, 0, 0)
      if (isBucket) {
        formatBucket(pool.arena, base, pool.blockSize)
        this.moveRecords(childBase, base, 0, this.sortRecords(childBase))
        this.logFresh(block, base)
      } else {
        this.fillDirectory(
          block,
          base,
          childBase,
          0,
          entryCount(pool.arena, childBase),
          directoryLevel(pool.arena, childBase),
        )
      }
      free.logFree(child, childBase)
      const lsn = free.endRecord()
      pool.formatted(base, lsn)
      pool.formatted(childBase, lsn)
      this.merges++
    }
  }
}

interface PlacedRecord {
  position: number
  /** Slot word, for the tag. */
  word: number
  /** Position in the arena. */
  at: number
  bytes: number
}

const sumBytes = (records: readonly PlacedRecord[]): number =>
  records.reduce((sum, record) => sum + record.bytes, 0)

/** Cuts sorted records into runs of about `target` bytes, never between equal positions. */
const group = (records: readonly PlacedRecord[], target: number): PlacedRecord[][] => {
  const groups: PlacedRecord[][] = []
  let sum = 0
  records.forEach((record, i) => {
    const sameAsBefore = i > 0 && records[i - 1]!.position === record.position
    if (groups.length === 0 || (sum >= target * groups.length && !sameAsBefore)) groups.push([])
    groups[groups.length - 1]!.push(record)
    sum += record.bytes
  })
  return groups
}
