/** The keys of a range as they stand in the blocks, whether the time of their records has passed or not. */
import type { Space } from '../engine/space.ts'
import { RECORD_HEADER_BYTES, recordKeyLength } from '../pager/bucket.ts'
import { type Bound, type Bounds, copyBytes } from '../runtime/bytes.ts'
import { SCAN_KEYS, TreeScan } from '../tree/tree-scan.ts'
import { isWithin } from '../txn/range-locks.ts'

/**
 * With the ordered index in order, without it as they lie, in a look at all records. Records that were given may be
 * removed meanwhile; nobody may add any.
 */
export const keysBetween = (space: Space, bounds: Bounds): Iterable<Uint8Array> =>
  space.metadata.ordered ? inOrder(space, bounds) : asTheyLie(space, bounds)

function* inOrder({ pool, ordered, scanRoom, arena }: Space, { lower, upper }: Bounds): Generator<Uint8Array> {
  for (let from: Bound | undefined = lower; ; ) {
    const scan = new TreeScan(pool, ordered, scanRoom, { lower: from, upper }, false)
    const keys: Uint8Array[] = []
    while (!scan.done && keys.length === 0) {
      scan.step(SCAN_KEYS)
      for (let i = 0; i < scan.count; i++) keys.push(copyBytes(arena.u8, scan.at[i]!, scan.at[i]! + scan.length[i]!))
    }
    if (keys.length === 0) return
    yield* keys
    from = { key: keys[keys.length - 1]!, inclusive: false }
  }
}

function* asTheyLie(space: Space, bounds: Bounds): Generator<Uint8Array> {
  const scan = space.bucketScan()
  while (scan.advance()) {
    const { copy } = scan
    const keys = scan.records.map(record => {
      const start = record + RECORD_HEADER_BYTES
      return copyBytes(copy.u8, start, start + recordKeyLength(copy, record))
    })
    for (const key of keys) if (isWithin(key, bounds)) yield key
  }
}
