/**
 * Earlier states of blocks, kept while a snapshot needs them.
 *
 * A snapshot is an LSN: it sees every block as the log records below that LSN left it. Before the first change of a
 * block since the newest snapshot, its bytes are copied; a copy goes when the last snapshot that can see it ends.
 *
 * Invariants
 *  V1  For each open snapshot S and block b: b's bytes as of S are the copy with from < S <= to, or, if there is
 *      none, the block as it is.
 */
import { XenonError } from '../errors.ts'
import type { Block, Lsn } from '../pager/place.ts'
import { broken } from '../runtime/invariant.ts'
import { performance } from '../runtime/timers.ts'

interface Version {
  /** LSN of the last change that the bytes hold, and the end of the log when the next change was about to be made. */
  from: Lsn
  to: Lsn
  bytes: Uint8Array
}

/** An open snapshot. */
export interface SnapshotHandle {
  readonly lsn: Lsn
  /** Number of blocks when it began. */
  readonly blocks: number
  /** It was given up, because the copies it needs would take too much memory. */
  lost: boolean
  /** When it began, as `performance.now` tells; NaN as long as nobody wants to know: most are of short ranges. */
  began: number
  closed: boolean
}

/** Copies are looked through for those that nobody needs when they have grown to this multiple. */
const SWEEP_AT = 2
const SWEEP_LEAST = 256

export class BlockVersions {
  /** LSN of the newest snapshot; 0 while there is none. */
  newest: Lsn = 0
  /** The most blocks that there were when one of the open snapshots began: blocks behind them are seen by none. */
  blocks: Block = 0
  bytes = 0
  copies = 0
  /** Snapshots that were given up. */
  lost = 0
  readonly limit: number
  private readonly versions: Map<number, Version[]> = new Map()
  private readonly open: SnapshotHandle[] = []
  private sweepAt = SWEEP_LEAST
  private count = 0

  /** `limit`: bytes that the copies may take. */
  constructor(limit: number) {
    this.limit = limit
  }

  get snapshots(): number {
    return this.open.length
  }

  get isEmpty(): boolean {
    return this.count === 0
  }

  /**
   * The oldest snapshot: milliseconds since it began (of an iterator: since it first kept a block, or was asked about),
   * and bytes of the blocks that are kept for it.
   */
  get oldestKept(): { milliseconds: number; bytes: number } | undefined {
    const [oldest] = this.open
    if (oldest === undefined) return undefined
    if (Number.isNaN(oldest.began)) oldest.began = performance.now()
    // Each block that was changed since it began is kept once for it, whoever else needs other states of that block.
    const bytes = this.count === 0 ? 0 : (this.bytes / this.count) * this.versions.size
    return { milliseconds: performance.now() - oldest.began, bytes }
  }

  /** LSN of the oldest snapshot, or 0. */
  get oldest(): Lsn {
    return this.open[0]?.lsn ?? 0
  }

  /** Begins a snapshot of everything below `lsn`, where the log ends now; `blocks`: how many there are. */
  begin(lsn: Lsn, blocks: number): SnapshotHandle {
    const handle: SnapshotHandle = { lsn, blocks, lost: false, closed: false, began: Number.NaN }
    this.open.push(handle)
    this.newest = lsn
    this.blocks = Math.max(this.blocks, blocks)
    return handle
  }

  /** The snapshot needs nothing any more. */
  end(handle: SnapshotHandle): void {
    if (handle.closed) return
    handle.closed = true
    const at = this.open.indexOf(handle)
    if (at < 0) return
    this.remove(at)
    if (this.count >= this.sweepAt) this.sweep()
  }

  private remove(at: number): void {
    const { open } = this
    open.splice(at, 1)
    this.newest = open[open.length - 1]?.lsn ?? 0
    let blocks = 0
    for (const handle of open) blocks = Math.max(blocks, handle.blocks)
    this.blocks = blocks
    // Most snapshots are of short ranges, and nothing was kept for them.
    if (this.newest !== 0 || this.count === 0) return
    this.versions.clear()
    this.bytes = 0
    this.count = 0
    this.sweepAt = SWEEP_LEAST
  }

  /** @throws XenonError `XENON_SNAPSHOT_LOST` if the snapshot had to be given up. */
  static requireKept(handle: SnapshotHandle): void {
    if (handle.lost)
      throw new XenonError(
        'XENON_SNAPSHOT_LOST',
        'the snapshot was given up, because the blocks changed since it began took more memory than snapshotBytes; begin another one, or raise snapshotBytes',
      )
  }

  /** True if a block was kept since the newest snapshot began. */
  isKept(block: Block): boolean {
    const list = this.versions.get(block)
    return list !== undefined && list[list.length - 1]!.to >= this.newest
  }

  /** Keeps the bytes of a block whose last change is `from`, before a change behind `to`. */
  keep(block: Block, from: Lsn, to: Lsn, bytes: Uint8Array): void {
    if (this.isKept(block)) return
    const list = this.versions.get(block)
    const last = list?.[list.length - 1]?.to ?? 0
    if (to <= last) broken('V1', `block ${block} was kept through ${last}, then through ${to}`)
    // It may be older than what was kept last: it was not changed after that, or is a free block, as the file has it.
    const version = { from: Math.max(from, last), to, bytes: new Uint8Array(bytes) }
    if (list === undefined) this.versions.set(block, [version])
    else list.push(version)
    const oldest = this.open[0]
    if (oldest !== undefined && Number.isNaN(oldest.began)) oldest.began = performance.now()
    this.count++
    this.copies++
    this.bytes += bytes.length
    if (this.bytes > this.limit) this.makeRoom()
  }

  /** The bytes of a block as a snapshot sees them, unless those are the block as it is. */
  find(block: Block, lsn: Lsn): Uint8Array | undefined {
    const list = this.versions.get(block)
    if (list === undefined) return undefined
    for (const version of list) if (version.from < lsn && lsn <= version.to) return version.bytes
    return undefined
  }

  /** Gives up the oldest snapshots until the copies fit. */
  private makeRoom(): void {
    this.sweep()
    while (this.bytes > this.limit && this.open.length > 0) {
      this.open[0]!.lost = true
      this.lost++
      this.remove(0)
      this.sweep()
    }
  }

  /** Gives up all snapshots. */
  giveUp(): void {
    for (const handle of this.open) handle.lost = true
    this.lost += this.open.length
    while (this.open.length > 0) this.remove(0)
  }

  private sweep(): void {
    const needed = this.open.map(handle => handle.lsn)
    for (const [block, list] of this.versions) {
      const kept = list.filter(version => needed.some(lsn => version.from < lsn && lsn <= version.to))
      this.count -= list.length - kept.length
      for (const version of list) if (!kept.includes(version)) this.bytes -= version.bytes.length
      if (kept.length === 0) this.versions.delete(block)
      else this.versions.set(block, kept)
    }
    this.sweepAt = Math.max(SWEEP_LEAST, SWEEP_AT * this.count)
  }
}
