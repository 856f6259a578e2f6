/**
 * Where the records of a leaf's keys were found when they were read last, so that who reads a range again need not hash
 * its keys and look through directories and slots. Kept in memory alone. Nothing depends on it but time: a place counts
 * only if the key still is there (`FindMany`), and those of a leaf are forgotten when it changes.
 *
 * A bucket that has become free may be one of another key space, with a record of the same key in it. So where there are
 * several, what was found before a block became free does not count.
 */
import type { Block, Lsn } from '../pager/place.ts'

/** The keys of a leaf, some of which are looked for. */
export interface KeysOfLeaf {
  readonly leaf: Block
  /** LSN of its last change. */
  readonly leafLsn: Lsn
  /** How many keys it has. */
  readonly leafKeys: number
  /** Index in it of the first of those that are looked for, and the way from one to the next: 1 or -1. */
  readonly firstIndex: number
  readonly direction: number
}

/** The records of the keys of one leaf. */
export class RecordsOfLeaf {
  readonly lsn: Lsn
  /** How many blocks had become free. */
  readonly freed: number
  /** Block and slot of each, two words; block 0 where that is not known yet. */
  readonly places: Uint32Array
  /** Where each lies in the pool, 0 where that is not known; all of this holds while the pool is in this state. */
  private readonly positions: Int32Array
  private state = -1

  constructor(lsn: Lsn, freed: number, keys: number) {
    this.lsn = lsn
    this.freed = freed
    this.places = new Uint32Array(2 * keys)
    this.positions = new Int32Array(keys)
  }

  /** The positions, if they are those of this state of the pool, or none. */
  positionsIn(state: number): Int32Array {
    if (this.state !== state) {
      this.state = state
      this.positions.fill(0)
    }
    return this.positions
  }

  get bytes(): number {
    return this.places.byteLength + this.positions.byteLength
  }
}

export class KnownPlaces {
  private readonly most: number
  private readonly leaves: Map<Block, RecordsOfLeaf> = new Map()
  private bytes = 0

  /** `most`: bytes that they may take. */
  constructor(most: number) {
    this.most = most
  }

  /** `freed`: how many blocks have become free, which counts where there are several key spaces. */
  of({ leaf, leafLsn, leafKeys }: KeysOfLeaf, freed: number = 0): RecordsOfLeaf {
    const known = this.leaves.get(leaf)
    if (known !== undefined) {
      if (known.lsn === leafLsn && known.freed === freed) return known
      this.forget(leaf, known)
    }
    const fresh = new RecordsOfLeaf(leafLsn, freed, leafKeys)
    this.bytes += fresh.bytes
    // The oldest go first.
    for (const [oldest, records] of this.leaves) {
      if (this.bytes <= this.most) break
      this.forget(oldest, records)
    }
    this.leaves.set(leaf, fresh)
    return fresh
  }

  private forget(leaf: Block, records: RecordsOfLeaf): void {
    this.leaves.delete(leaf)
    this.bytes -= records.bytes
  }
}
