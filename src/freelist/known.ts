/**
 * Which blocks are free: found by walking the list in steps, while others take blocks from its head and put blocks
 * there. `FreeBlocks` tells of each such change; so what was found stays right, and after the last step it is all there
 * is.
 */
import { CorruptionError } from '../errors.ts'
import type { Metadata } from '../pager/metadata.ts'
import type { Block } from '../pager/place.ts'
import type { FreeBlocks, FreeListener } from './blocks.ts'

export class KnownFree implements FreeListener {
  /** By block: 1 if it is known to be free. */
  readonly isFree: Uint8Array
  /** A chain has become free whose blocks nobody has named, or a block that was not there: begin again. */
  isStale = false
  /** The end of the list was reached: every free block is known. */
  isWhole = false
  /** The block that was looked at last: in the end, the last one of the list. */
  at: Block = 0
  private readonly free: FreeBlocks
  private readonly metadata: Metadata
  /** The block to be looked at next; -1: the head of the list. */
  private next: Block = -1
  private steps = 0
  private lowest: Block = 0

  constructor(free: FreeBlocks, metadata: Metadata) {
    this.free = free
    this.metadata = metadata
    this.isFree = new Uint8Array(metadata.blocks)
  }

  /** Hears of every change from now on, until another one does, or nobody. */
  listen(): this {
    this.free.listener = this
    return this
  }

  /** Looks at one more block. */
  step(): void {
    const block = this.next < 0 ? this.metadata.freeHead : this.next
    if (block === 0) {
      this.isWhole = true
      return
    }
    if (block >= this.isFree.length) {
      this.isStale = true
      return
    }
    if (++this.steps > 2 * this.metadata.blocks)
      throw new CorruptionError(this.free.path, 'the free-block list has no end', block)
    this.next = this.free.nextOf(block)
    this.at = block
    this.add(block)
  }

  changed(taken: readonly Block[], given: readonly Block[]): void {
    for (const block of taken) {
      if (block < this.isFree.length) this.isFree[block] = 0
      // All before it were taken as well.
      if (block === this.at && !this.isWhole) this.next = -1
    }
    for (const block of given)
      if (block < this.isFree.length) this.add(block)
      else this.isStale = true
  }

  spliced(): void {
    this.isStale = true
  }

  /** True if a free block is known that lies before this one. */
  hasBefore(block: Block): boolean {
    const { isFree } = this
    if (isFree[this.lowest] !== 1) {
      const found = isFree.indexOf(1, this.lowest)
      this.lowest = found < 0 ? isFree.length : found
    }
    return this.lowest < block
  }

  /** The first block of the file's end where all blocks are free, and the free ones before it. */
  split(): { end: Block; before: Block[] } {
    const { isFree, metadata } = this
    let end = metadata.blocks
    while (end > 1 && isFree[end - 1] === 1) end--
    const before: Block[] = []
    for (let block = isFree.indexOf(1); block >= 0 && block < end; block = isFree.indexOf(1, block + 1))
      before.push(block)
    return { end, before }
  }

  private add(block: Block): void {
    this.isFree[block] = 1
    if (block < this.lowest) this.lowest = block
  }
}
