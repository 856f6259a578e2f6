/**
 * The buffer pool: keeps blocks of the data file in the frames of the arena.
 *
 * Frame numbers begin at 1; the page table holds a block's frame, 0 = not in the pool. A hit costs two array
 * look-ups; who is evicted is decided by `lru-cache` (recency.ts), which hears of a frame at most once per epoch, the
 * time until the next eviction.
 *
 * Invariants (P1 and P2, of writing blocks, stand in write-back.ts)
 *  P3  A pinned frame is not evicted (eviction.ts). Positions in the arena stay valid until the next `get`, `fresh` or
 *      `reserve` of another block, unless the frame is pinned.
 *  P4  Before the bytes of a block are changed, `preserve` (or `fresh`) is called, so that a snapshot keeps them.
 */
import { CorruptionError } from '../errors.ts'
import type { Health } from '../log/health.ts'
import type { LogWriter } from '../log/writer.ts'
import { blockLsn } from '../pager/bucket.ts'
import type { DataFile } from '../pager/data-file.ts'
import { AT_COUNT, AT_KIND, AT_LSN, BlockKind } from '../pager/layout.ts'
import type { Block, Lsn, Position } from '../pager/place.ts'
import type { Arena } from '../runtime/bytes.ts'
import { broken } from '../runtime/invariant.ts'
import { performance } from '../runtime/timers.ts'
import { Eviction } from './eviction.ts'
import type { BlockImages } from './images.ts'
import { ReadPace } from './read-pace.ts'
import { Recency } from './recency.ts'
import type { BlockVersions } from './versions.ts'
import { WriteBack } from './write-back.ts'

/** Blocks that one page of the page table covers. */
const TABLE_PAGE = 8192
/** Frames kept for the operation that finds the pool full before it may grow. */
const GROWTH_RESERVE = 256
/** The size between the first and the full one. */
const MIDDLE_BYTES = 25165824

export class BufferPool {
  readonly arena: Arena
  /** Frames that there are now, and that there may be. */
  frames: number
  maxFrames: number
  readonly blockSize: number
  accesses = 0
  misses = 0
  evictions = 0
  /** As long as it is the same, the blocks in the pool are, and lie where they did. */
  state = 0
  dirtyFrames = 0
  used = 0
  /** Recovery begins at or behind this LSN, now or after the checkpoint under way: what P2 measures against. */
  basisLsn: Lsn = 0
  /**
   * Recovery repeats history: the log is synced, but blocks do not hold all of it yet, so their images are of no later
   * LSN.
   */
  isRepeating = false
  /** While it is not 0, `get` gives blocks as a snapshot of this LSN sees them: for reading only. */
  asOf: Lsn = 0
  readonly versions: BlockVersions
  readonly images: BlockImages
  /** Blocks could not be written, since the disk is full; true if there is some room now, for another attempt. */
  onFull: () => boolean = () => false
  /** The same where that is not enough, and no block can leave the pool; for so many bytes of blocks. */
  onStuck: (bytes: number) => boolean = () => false
  /** Blocks at or beyond this number do not exist. */
  limit: () => Block = () => 0
  private readonly file: DataFile
  private readonly log: LogWriter
  private readonly health: Health
  /** Position of frame 0; frame f lies at origin + f << shift. */
  private readonly origin: number
  private readonly shift: number
  private readonly table: (Int32Array | undefined)[] = []
  private blockOf: Uint32Array
  private pins: Uint8Array
  private dirty: Uint8Array
  private stamp: Uint32Array
  /**
   * LSN of the log group with the first change since the frame was clean, and of the record that formatted the block.
   */
  private firstChange: Float64Array
  private basis: Float64Array
  private readonly writer: WriteBack
  private readonly freeFrames: number[] = []
  private readonly recency: Recency
  private readonly eviction: Eviction
  private readonly pace: ReadPace = new ReadPace()
  private epoch = 0
  /** Position of a spare block, where the earlier state of one is shown. */
  private readonly visitor: number

  constructor(
    arena: Arena,
    start: number,
    frames: number,
    maxFrames: number,
    file: DataFile,
    log: LogWriter,
    health: Health,
    versions: BlockVersions,
    images: BlockImages,
    visitor: number,
  ) {
    this.versions = versions
    this.images = images
    this.visitor = visitor
    this.arena = arena
    this.frames = frames
    this.maxFrames = maxFrames
    this.file = file
    this.log = log
    this.health = health
    this.blockSize = file.blockSize
    this.shift = Math.log2(file.blockSize)
    this.origin = start - file.blockSize
    this.blockOf = new Uint32Array(frames + 1)
    this.pins = new Uint8Array(frames + 1)
    this.dirty = new Uint8Array(frames + 1)
    this.stamp = new Uint32Array(frames + 1)
    this.firstChange = new Float64Array(frames + 1)
    this.basis = new Float64Array(frames + 1)
    this.recency = new Recency(frames, frame => isGuide(this.arena.u8[this.position(frame) + AT_KIND]!))
    this.writer = new WriteBack(this, file, log, images, health)
    this.eviction = new Eviction(this, this.recency, file, health)
  }

  /**
   * Takes more frames, a middle size first and then all, if they are used up, or will be by `more` blocks. Nobody may
   * hold a position or a view of the arena. Where there is not so much memory, the pool stays as large as it is, for
   * good.
   */
  grow(more: number = 0): void {
    if (this.used + more < this.frames - GROWTH_RESERVE || this.frames === this.maxFrames) return
    const middle = Math.floor(MIDDLE_BYTES / this.blockSize)
    const isEnough = this.frames < middle && this.used + more < middle - GROWTH_RESERVE
    const frames = isEnough ? Math.min(middle, this.maxFrames) : this.maxFrames
    try {
      const blockOf = grown(this.blockOf, new Uint32Array(frames + 1))
      const pins = grown(this.pins, new Uint8Array(frames + 1))
      const dirty = grown(this.dirty, new Uint8Array(frames + 1))
      const stamp = grown(this.stamp, new Uint32Array(frames + 1))
      const firstChange = grown(this.firstChange, new Float64Array(frames + 1))
      const basis = grown(this.basis, new Float64Array(frames + 1))
      this.recency.grow(frames)
      this.arena.grow(this.arena.buffer.byteLength + (frames - this.frames) * this.blockSize)
      this.blockOf = blockOf
      this.pins = pins
      this.dirty = dirty
      this.stamp = stamp
      this.firstChange = firstChange
      this.basis = basis
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      this.maxFrames = this.frames
      return
    }
    this.frames = frames
  }

  /** Position of a block in the arena, read from the file if need be. */
  get(block: Block): Position {
    this.accesses++
    if (this.asOf !== 0) {
      const earlier = this.versions.find(block, this.asOf)
      if (earlier !== undefined) {
        this.arena.u8.set(earlier, this.visitor)
        return this.visitor
      }
    }
    const page = this.table[block >>> 13]
    if (page !== undefined) {
      const frame = page[block & 0x1fff]!
      if (frame !== 0) {
        if (this.stamp[frame] !== this.epoch) this.touch(frame)
        return this.origin + frame * this.blockSize
      }
    }
    return this.miss(block)
  }

  /** The same for a block that is in the pool as it stands now; 0 for any other. */
  peek(block: Block): Position {
    const frame = this.frameOf(block)
    if (frame === 0) return 0
    this.accesses++
    if (this.stamp[frame] !== this.epoch) this.touch(frame)
    return this.position(frame)
  }

  /** A block that is not in the pool will be asked for soon. */
  readAhead(block: Block): void {
    if (this.pace.isSlow && block < this.limit()) this.file.readAhead(block)
  }

  /** Runs `work` with the blocks as a snapshot of this LSN sees them; 0: as they are now. */
  readAsOf<T>(lsn: Lsn, work: () => T): T {
    const { asOf } = this
    this.asOf = lsn
    try {
      return work()
    } finally {
      this.asOf = asOf
    }
  }

  /** How many blocks there are, or were for the snapshot that is read: compaction may have cut the file since. */
  get blocks(): Block {
    const blocks = this.limit()
    return this.asOf === 0 ? blocks : Math.max(blocks, this.versions.blocks)
  }

  /** Position of a block that is about to be formatted: nothing is read, its bytes are undefined. */
  fresh(block: Block): Position {
    const known = this.frameOf(block)
    const base = this.position(known || this.install(block))
    if (this.versions.newest !== 0 && block < this.versions.blocks) {
      // A free block now, but perhaps in use when a snapshot began. One that cannot be read is shown to it as zeros.
      if (known === 0 && this.file.read(block, this.arena, base) !== undefined)
        this.arena.clear(base, base + this.blockSize)
      this.preserve(base)
    }
    return base
  }

  /** The bytes of the block at `base` are about to be changed (P4). */
  preserve(base: Position): void {
    if (this.versions.newest !== 0) this.keep(base)
  }

  /** Copies a block to another arena, without bringing it into the pool. */
  copyTo(block: Block, target: Arena, at: Position): void {
    const earlier = this.asOf === 0 ? undefined : this.versions.find(block, this.asOf)
    const frame = this.frameOf(block)
    if (earlier !== undefined) target.u8.set(earlier, at)
    else if (frame !== 0) target.u8.set(this.arena.window(this.position(frame), this.blockSize), at)
    else this.file.readSound(block, target, at)
  }

  /** Number of keys in a leaf of a tree. Who counts does not look at the keys. */
  keysIn(leaf: Block): number {
    return this.arena.u16[(this.beside(leaf) + AT_COUNT) >>> 1]!
  }

  /**
   * Position of a leaf of a tree until the next access to the pool, for who looks at it once: one that is not in the
   * pool is not taken into it, and of its contents only the checksum is checked.
   */
  beside(leaf: Block): Position {
    const { arena, file, visitor } = this
    const earlier = this.asOf === 0 ? undefined : this.versions.find(leaf, this.asOf)
    const frame = this.frameOf(leaf)
    const base = earlier === undefined && frame !== 0 ? this.position(frame) : visitor
    this.accesses++
    if (earlier !== undefined) arena.u8.set(earlier, visitor)
    else if (frame === 0) {
      this.misses++
      const problem = file.read(leaf, arena, visitor)
      if (problem !== undefined) throw new CorruptionError(file.file.path, problem, leaf)
    }
    if (arena.u8[base + AT_KIND] !== BlockKind.leaf)
      throw new CorruptionError(file.file.path, 'expected a leaf of a tree', leaf)
    return base
  }

  private keep(base: Position): void {
    const lsn = blockLsn(this.arena, base)
    const block = this.blockOf[this.frameAt(base)]!
    if (lsn < this.versions.newest && block < this.versions.blocks)
      this.versions.keep(block, lsn, this.log.endLsn, this.arena.window(base, this.blockSize))
  }

  /** For recovery: like `get`, but a block that is not sound gives the reason instead. */
  tryGet(block: Block): { base: Position; problem: string | undefined } {
    const known = this.frameOf(block)
    if (known !== 0) return { base: this.position(known), problem: undefined }
    const frame = this.install(block)
    const base = this.position(frame)
    const problem = this.file.read(block, this.arena, base)
    return { base, problem }
  }

  get framesUsed(): number {
    return this.used - this.freeFrames.length
  }

  /** True of a block in the pool whose last change came before the LSN. */
  isOlder(block: Block, than: Lsn): boolean {
    const frame = this.frameOf(block)
    const lsn = frame === 0 ? 0 : blockLsn(this.arena, this.position(frame))
    return lsn !== 0 && lsn < than
  }

  isResident(block: Block): boolean {
    return this.frameOf(block) !== 0
  }

  isDirty(block: Block): boolean {
    const frame = this.frameOf(block)
    return frame !== 0 && this.dirty[frame] === 1
  }

  /** Runs `work` while the block at `base` stays where it is. */
  holding<T>(base: Position, work: () => T): T {
    this.pin(base)
    try {
      return work()
    } finally {
      this.unpin(base)
    }
  }

  /**
   * The block at `base` stays where it is until it is unpinned: by `holding`, by a step (`txn/step.ts`), or else with
   * care.
   */
  pin(base: Position): void {
    const frame = this.frameAt(base)
    this.pins[frame] = this.pins[frame]! + 1
  }

  unpin(base: Position): void {
    const frame = this.frameAt(base)
    this.pins[frame] = this.pins[frame]! - 1
  }

  /** Pins that are held: 0 between two operations. For tests; it looks at every frame. */
  get pinned(): number {
    return this.pins.reduce((sum, pins) => sum + pins, 0)
  }

  /** The block at `base` was changed by the log record at `lsn`. */
  changed(base: Position, lsn: Lsn): void {
    const w = (base + AT_LSN) >>> 2
    if (this.versions.newest !== 0) this.requireKept(base)
    this.arena.u32[w] = lsn % 4294967296
    this.arena.u32[w + 1] = (lsn / 4294967296) | 0
    this.state++
    const frame = this.frameAt(base)
    if (this.dirty[frame] === 0) {
      this.dirty[frame] = 1
      this.dirtyFrames++
      this.firstChange[frame] = this.log.groupLsn
    }
  }

  /** The same for a record that somebody else has logged, and whose block he will write. */
  followed(base: Position, lsn: Lsn): void {
    const w = (base + AT_LSN) >>> 2
    if (this.versions.newest !== 0) this.requireKept(base)
    this.arena.u32[w] = lsn % 4294967296
    this.arena.u32[w + 1] = (lsn / 4294967296) | 0
    this.state++
  }

  /** P4 was forgotten somewhere: better an error than a snapshot that is wrong in silence. */
  private requireKept(base: Position): void {
    const { versions } = this
    const before = blockLsn(this.arena, base)
    const block = this.blockOf[this.frameAt(base)]!
    if (before >= versions.newest || block >= versions.blocks || versions.isKept(block)) return
    broken('P4', `block ${block} was changed and its earlier state not kept`, this.health)
  }

  /**
   * For recovery: the block is to be written, whether its bytes were changed or not; the log is needed from `lsn` on.
   */
  redone(base: Position, lsn: Lsn): void {
    const frame = this.frameAt(base)
    if (this.dirty[frame] === 0) this.dirtyFrames++
    this.dirty[frame] = 1
    this.firstChange[frame] = lsn
  }

  /** The same for a record that formatted the block, which makes it a basis (P2). */
  formatted(base: Position, lsn: Lsn): void {
    this.changed(base, lsn)
    this.basis[this.frameAt(base)] = lsn
  }

  /** Forgets a block that recovery found in no sound state and does not need. */
  discard(block: Block): void {
    const frame = this.frameOf(block)
    if (frame === 0) return
    if (this.dirty[frame] === 1) this.dirtyFrames--
    this.release(frame)
  }

  /** Forgets the blocks from `first` on, which the file is to end before. */
  discardFrom(first: Block): void {
    for (let frame = 1; frame <= this.used; frame++) {
      const block = this.blockOf[frame]!
      if (block >= first && this.frameOf(block) === frame) this.discard(block)
    }
  }

  /** Blocks that have been dirty since before an LSN, in file order. */
  dirtyBlocks(before: Lsn): Block[] {
    const blocks = new Uint32Array(this.dirtyFrames)
    let count = 0
    for (let frame = 1; frame <= this.used; frame++)
      if (this.dirty[frame] === 1 && this.firstChange[frame]! < before) blocks[count++] = this.blockOf[frame]!
    return Array.from(blocks.subarray(0, count).sort())
  }

  /** LSN of the log group with the oldest change that is not in the data file yet, or Infinity. */
  oldestChange(): Lsn {
    let oldest = Number.POSITIVE_INFINITY
    if (this.dirtyFrames === 0) return oldest
    for (let frame = 1; frame <= this.used; frame++)
      if (this.dirty[frame] === 1 && this.firstChange[frame]! < oldest) oldest = this.firstChange[frame]!
    return oldest
  }

  /** Writes those of the blocks (in file order) that are in the pool and dirty. */
  writeBack(blocks: readonly Block[]): void {
    this.writer.write(blocks)
  }

  /** The same while others go on (`WriteBack.writeAside`). */
  writeBackAside(blocks: readonly Block[], isCurrent: () => boolean): Promise<void> {
    return this.writer.writeAside(blocks, isCurrent)
  }

  /** @internal For `WriteBack`: LSN of the record that formatted the block in the frame, 0 if that is not known. */
  basisOf(frame: number): number {
    return this.basis[frame]!
  }

  /** @internal */
  isPinned(frame: number): boolean {
    return this.pins[frame]! > 0
  }

  /** @internal */
  isChanged(frame: number): boolean {
    return this.dirty[frame] === 1
  }

  /** @internal The block that a frame holds, or has held. */
  blockIn(frame: number): Block {
    return this.blockOf[frame]!
  }

  /** @internal The block in the frame was written as it is. */
  wrote(frame: number): void {
    this.dirty[frame] = 0
    this.dirtyFrames--
    this.health.observer?.wrote(this.blockOf[frame]!)
  }

  /** @internal A copy of it was written, of when the log ended at `lsn`: it is clean unless it was changed since. */
  wroteCopy(frame: number, changedAt: Lsn, lsn: Lsn): void {
    if (blockLsn(this.arena, this.position(frame)) === changedAt) this.wrote(frame)
    else this.firstChange[frame] = Math.max(this.firstChange[frame]!, lsn)
  }

  /** @internal Frame of a block, 0 if it is not in the pool. */
  frameOf(block: Block): number {
    return this.table[block >>> 13]?.[block & 0x1fff] ?? 0
  }

  /** @internal For the explorer: the frames that hold a block, the one that was used last first, where that is known. */
  eachFrame(visit: (block: Block, isDirty: boolean, pins: number) => void): void {
    for (const frame of this.recency.inOrder(this.used)) {
      const block = this.blockOf[frame]!
      if (this.frameOf(block) === frame) visit(block, this.dirty[frame] === 1, this.pins[frame]!)
    }
  }

  private frameAt(base: Position): number {
    return (base - this.origin) >>> this.shift
  }

  /** @internal */
  position(frame: number): Position {
    return this.origin + frame * this.blockSize
  }

  private miss(block: Block): Position {
    if (block === 0 || block >= this.limit())
      throw new CorruptionError(
        this.file.file.path,
        `a pointer leads to it, but there are ${this.limit()} blocks`,
        block,
      )
    this.misses++
    const frame = this.install(block)
    const base = this.position(frame)
    try {
      const started = performance.now()
      this.file.readSound(block, this.arena, base)
      this.pace.took(performance.now() - started)
      const lsn = blockLsn(this.arena, base)
      if (lsn > this.log.endLsn)
        throw new CorruptionError(
          this.file.file.path,
          `its LSN ${lsn} lies behind the end of the log (${this.log.endLsn}); data and log do not belong together`,
          block,
        )
    } catch (error) {
      this.discard(block)
      throw error
    }
    this.health.observer?.read(block)
    return base
  }

  private touch(frame: number): void {
    this.stamp[frame] = this.epoch
    this.recency.use(frame)
    this.health.observer?.used(this.blockOf[frame]!)
  }

  /** @internal For the explorer: the next use of each frame is told, though nothing had to make room. */
  noteUses(): void {
    this.epoch++
  }

  /** Takes a frame for a block. */
  private install(block: Block): number {
    let frame = this.freeFrames.pop()
    if (frame === undefined && this.used < this.frames) {
      frame = ++this.used
      if (frame === this.frames - GROWTH_RESERVE && this.frames < this.maxFrames) this.health.attention = true
    }
    if (frame === undefined) {
      this.evictions += this.eviction.run()
      this.epoch++
      frame = this.freeFrames.pop()!
    }
    this.blockOf[frame] = block
    this.stamp[frame] = this.epoch
    this.firstChange[frame] = 0
    this.basis[frame] = 0
    const index = block >>> 13
    let page = this.table[index]
    if (page === undefined) {
      while (this.table.length < index) this.table.push(undefined)
      page = new Int32Array(TABLE_PAGE)
      this.table[index] = page
    }
    page[block & 0x1fff] = frame
    this.recency.use(frame)
    return frame
  }

  /** @internal The frame holds no block any more. */
  release(frame: number): void {
    this.state++
    const block = this.blockOf[frame]!
    this.table[block >>> 13]![block & 0x1fff] = 0
    this.dirty[frame] = 0
    this.pins[frame] = 0
    this.freeFrames.push(frame)
    this.health.observer?.left(block)
  }
}

/** A node of a tree holds several times as many keys as a bucket, a directory leads to hundreds of buckets. */
const isGuide = (kind: number): boolean =>
  kind === BlockKind.directory || kind === BlockKind.leaf || kind === BlockKind.inner

const grown = <T extends Uint8Array | Uint32Array | Float64Array>(from: T, to: T): T => {
  to.set(from)
  return to
}
