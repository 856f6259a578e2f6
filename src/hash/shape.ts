/** What the changes of the shape of the hash index share: the layers below, and the way to the bucket at hand. */
import type { BufferPool } from '../buffer/pool.ts'
import { CorruptionError } from '../errors.ts'
import type { LogWriter } from '../log/writer.ts'
import { bucketNext } from '../pager/bucket.ts'
import { childOf, entryCount, findEntry, separatorOf } from '../pager/directory.ts'
import { AT_KIND, BlockKind } from '../pager/layout.ts'
import type { Block } from '../pager/place.ts'
import type { Step } from '../txn/step.ts'
import type { SortedRecords } from './sorted-records.ts'

export interface Shape {
  readonly pool: BufferPool
  readonly log: LogWriter
  /** Every change is one. */
  readonly step: Step
  readonly way: Way
  readonly records: SortedRecords
  /** Entries of a directory, and bytes of a block behind its header. */
  readonly capacity: number
  readonly usable: number
  readonly counts: { splits: number; redistributions: number; merges: number }
}

/** A bucket filled to less than this share looks for a neighbour to merge with, a directory likewise … */
export const MERGE_BELOW = 0.2
/** … if both together fill one to at most this share. */
export const MERGE_UP_TO = 0.6

/**
 * Compaction makes chains of up to so many blocks, the index block included; if one that is no longer has no room, its
 * records are spread over fresh buckets. A longer one, which only equal positions make, is not taken apart again.
 */
export const LONGEST_CHAIN = 4

/** A directory, and the entry of it that the way takes. */
export interface Turn {
  readonly block: Block
  readonly entry: number
}

/** The way from an index block down to a bucket. */
export class Way {
  /** From the index block on; none where that is a bucket itself. */
  readonly turns: Turn[] = []
  private readonly pool: BufferPool
  private readonly capacity: number

  constructor(pool: BufferPool, capacity: number) {
    this.pool = pool
    this.capacity = capacity
  }

  /** Goes to the bucket of a position below an index block; returns its head block. */
  descend(root: Block, position: number): Block {
    const { pool, turns } = this
    turns.length = 0
    let block = root
    let base = pool.get(block)
    while (pool.arena.u8[base + AT_KIND] === BlockKind.directory) {
      const entry = findEntry(pool.arena, base, position)
      turns.push({ block, entry })
      block = childOf(pool.arena, base, this.capacity, entry)
      base = pool.get(block)
    }
    return block
  }

  /** Depth of the directory that the bucket stands in; -1 if it stands in none. */
  get depth(): number {
    return this.turns.length - 1
  }

  /** The turn to the bucket. */
  get last(): Turn | undefined {
    return this.turns[this.turns.length - 1]
  }

  /** Where the positions end that the way's last directory covers; -1 if they are the last ones. */
  end(): number {
    const { pool, turns } = this
    for (let depth = turns.length - 1; depth >= 0; depth--) {
      const { block, entry } = turns[depth]!
      const base = pool.get(block)
      if (entry + 1 < entryCount(pool.arena, base)) return separatorOf(pool.arena, base, entry + 1)
    }
    return -1
  }
}

/** The blocks of a bucket: its head block and its overflow blocks. */
export const chainOf = (pool: BufferPool, bucket: Block): Block[] => {
  const chain: Block[] = []
  for (let block = bucket; block !== 0; block = bucketNext(pool.arena, pool.get(block))) {
    if (chain.length > pool.limit()) throw new CorruptionError('data', 'its overflow chain is cyclic', bucket)
    chain.push(block)
  }
  return chain
}
