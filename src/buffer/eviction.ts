/** Which blocks leave the pool when it is full, and how, on a full disk too. Invariant P3 of the pool is watched here. */
import { DiskFullError, XenonError } from '../errors.ts'
import type { Health } from '../log/health.ts'
import type { DataFile } from '../pager/data-file.ts'
import type { Block } from '../pager/place.ts'
import { broken } from '../runtime/invariant.ts'
import type { Recency } from './recency.ts'

const BATCH = 256

/** The pool, as far as eviction goes. Frame numbers begin at 1. */
export interface EvictablePool {
  /** Frames that there are, and that have been used, which are numbered first. */
  readonly frames: number
  readonly used: number
  /** No block can leave the pool, since the disk is full; true if there is room for so many bytes of them now. */
  onStuck: (bytes: number) => boolean
  isPinned(frame: number): boolean
  isChanged(frame: number): boolean
  blockIn(frame: number): Block
  /** Writes those of the blocks (in file order) that are in the pool and dirty. */
  writeBack(blocks: readonly Block[]): void
  release(frame: number): void
}

export class Eviction {
  private readonly pool: EvictablePool
  private readonly recency: Recency
  private readonly file: DataFile
  private readonly health: Health

  constructor(pool: EvictablePool, recency: Recency, file: DataFile, health: Health) {
    this.pool = pool
    this.recency = recency
    this.file = file
    this.health = health
  }

  /**
   * Frees a batch of the least recently used frames: one log flush, writes in block order. Returns how many.
   * @throws DiskFullError
   */
  run(): number {
    const { pool } = this
    let victims = this.coldest(() => true)
    if (victims.length === 0)
      throw new XenonError('XENON_INVALID_ARGUMENT', 'every frame of the buffer pool is pinned; raise cacheBytes')
    try {
      this.write(victims)
    } catch (error) {
      if (!(error instanceof DiskFullError)) throw error
      victims = this.victimsOnFullDisk(victims)
      if (victims.length === 0) throw error
    }
    for (const frame of victims) {
      if (pool.isPinned(frame)) broken('P3', `block ${pool.blockIn(frame)} is pinned and was to leave`, this.health)
      pool.release(frame)
    }
    return victims.length
  }

  /** The least recently used frames of a kind, as many as are evicted together. */
  private coldest(isWanted: (frame: number) => boolean): number[] {
    const { pool } = this
    const wanted = Math.max(1, Math.min(BATCH, pool.frames >>> 2))
    return this.recency.coldest(wanted, pool.used, frame => !pool.isPinned(frame) && isWanted(frame))
  }

  /**
   * What need not be written, or can be where the file has room for it already, or else of `wanted` what there is some
   * room for.
   */
  private victimsOnFullDisk(wanted: number[]): number[] {
    const { pool, file } = this
    const clean = this.coldest(frame => !pool.isChanged(frame))
    if (clean.length > 0) return clean
    const end = Math.floor(file.file.size() / file.blockSize)
    const inPlace = this.writtenOf(this.coldest(frame => pool.blockIn(frame) < end))
    // A file has holes where blocks were skipped when those behind them were written.
    if (inPlace.length > 0 || !pool.onStuck(wanted.length * file.blockSize)) return inPlace
    return this.writtenOf(wanted)
  }

  /** Writes the blocks in frames; those that there was room for. */
  private writtenOf(frames: number[]): number[] {
    try {
      this.write(frames)
    } catch (error) {
      if (!(error instanceof DiskFullError)) throw error
    }
    return frames.filter(frame => !this.pool.isChanged(frame))
  }

  private write(frames: readonly number[]): void {
    const { pool } = this
    pool.writeBack(frames.map(frame => pool.blockIn(frame)).sort((a, b) => a - b))
  }
}
