/**
 * Which records of the log have changed which blocks: what a block lacks of a log that somebody else writes can then be
 * found when the block is read. A record that formats a block makes the earlier ones of that block superfluous.
 */
import type { Block, Lsn } from '../pager/place.ts'

/** LSNs in order; below 0 (`-lsn`) is the first one if its record needs nothing of what the block held before. */
export type Changes = readonly number[]

const NONE: Changes = []

export class BlockChanges {
  /** How many records of blocks there are. */
  size = 0
  private readonly lists: Map<Block, number[]> = new Map()

  add(block: Block, lsn: Lsn, isBeginning: boolean): void {
    const list = this.lists.get(block)
    if (isBeginning) {
      this.size += 1 - (list?.length ?? 0)
      this.lists.set(block, [-lsn])
    } else {
      this.size++
      if (list === undefined) this.lists.set(block, [lsn])
      else list.push(lsn)
    }
  }

  of(block: Block): Changes {
    return this.lists.get(block) ?? NONE
  }

  /** Forgets what lies below an LSN. */
  forget(before: Lsn): void {
    for (const [block, list] of this.lists) {
      const kept = list.filter(lsn => Math.abs(lsn) >= before)
      this.size -= list.length - kept.length
      if (kept.length === 0) this.lists.delete(block)
      else if (kept.length < list.length) this.lists.set(block, kept)
    }
  }

  clear(): void {
    this.lists.clear()
    this.size = 0
  }
}
