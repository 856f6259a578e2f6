/**
 * The blocks that one step works on, and that stay where they are in the pool until it ends. Whoever begins a step calls
 * `release` in a `finally`: so nothing stays pinned, whatever block of the step turns out to be damaged, or locked.
 */
import type { BufferPool } from './pool.ts'

export class Pins {
  private readonly pool: BufferPool
  private readonly held: number[] = []

  constructor(pool: BufferPool) {
    this.pool = pool
  }

  /** Position of a block, which stays there from now on. */
  get(block: number): number {
    return this.pin(this.pool.get(block))
  }

  /**
   * The same for a block that is about to be formatted. Its bytes are undefined, so a step takes it last, when nothing
   * can keep it from formatting the block any more.
   */
  fresh(block: number): number {
    return this.pin(this.pool.fresh(block))
  }

  pin(base: number): number {
    this.pool.pin(base)
    this.held.push(base)
    return base
  }

  /** The step has ended. */
  release(): void {
    const { pool, held } = this
    while (held.length > 0) pool.unpin(held.pop()!)
  }
}
