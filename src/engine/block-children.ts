/** The blocks that a block of an index or a tree leads to. */
import { pointerAt } from '../hash/hash.ts'
import { type LargePointer, LargeValues } from '../hash/large.ts'
import {
  bucketNext,
  RECORD_HEADER_BYTES,
  RecordFlag,
  recordAt,
  recordFlags,
  recordKeyLength,
  slotInUse,
  slotWord,
} from '../pager/bucket.ts'
import { childOf, directoryCapacity, entryCount } from '../pager/directory.ts'
import { AT_COUNT, AT_KIND, BlockKind } from '../pager/layout.ts'
import { nodeChild, nodeCount } from '../pager/node.ts'
import type { Block, Position } from '../pager/place.ts'
import type { Arena } from '../runtime/bytes.ts'

/** A value that lies in blocks of its own. */
export interface LargeChain extends LargePointer {
  /** Positions of the record that leads to it, and of the pointer in it. */
  readonly record: Position
  readonly at: Position
}

/** Those of its own kind, and the overflow block of a bucket; undefined: the block is of another kind. */
export const childrenOf = (a: Arena, base: Position, blockSize: number): Block[] | undefined => {
  const kind = a.u8[base + AT_KIND]!
  if (kind === BlockKind.directory) {
    const capacity = directoryCapacity(blockSize)
    return Array.from({ length: entryCount(a, base) }, (_, entry) => childOf(a, base, capacity, entry))
  }
  if (kind === BlockKind.inner) return Array.from({ length: nodeCount(a, base) }, (_, i) => nodeChild(a, base, i))
  if (kind === BlockKind.leaf) return []
  if (kind !== BlockKind.bucket) return undefined
  const next = bucketNext(a, base)
  return next === 0 ? [] : [next]
}

/** The large values of a bucket's records. */
export const largeChainsOf = (a: Arena, base: Position): LargeChain[] => {
  const chains: LargeChain[] = []
  if (a.u8[base + AT_KIND] !== BlockKind.bucket) return chains
  const count = a.u16[(base + AT_COUNT) >>> 1]!
  for (let slot = 0; slot < count; slot++) {
    if (!slotInUse(slotWord(a, base, slot))) continue
    const record = recordAt(a, base, slot)
    const flags = recordFlags(a, record)
    if ((flags & RecordFlag.large) === 0) continue
    const at = pointerAt(record + RECORD_HEADER_BYTES + recordKeyLength(a, record), flags)
    chains.push({ ...LargeValues.pointer(a, at), record, at })
  }
  return chains
}
