/** Nodes of trees and directories taken apart. The block has been found sound. */
import { childOf, directoryCapacity, directoryLevel, entryCount, separatorOf } from '../pager/directory.ts'
import { AT_GARBAGE, AT_KIND, BlockKind, HEADER_BYTES } from '../pager/layout.ts'
import {
  entryBytes,
  MAX_TREE_KEY_BYTES,
  NODE_SLOT_BYTES,
  nodeChild,
  nodeChildOffset,
  nodeCount,
  nodeGap,
  nodeKey,
  nodeLevel,
  prefixLength,
  suffixLengthAt,
} from '../pager/node.ts'
import type { Position } from '../pager/place.ts'
import type { Arena } from '../runtime/bytes.ts'
import type { DirectoryView, NodeView, Region } from './shapes.ts'
import { shownBytes } from './shown.ts'

export const viewDirectory = (a: Arena, base: Position, blockSize: number): DirectoryView => {
  const capacity = directoryCapacity(blockSize)
  return {
    level: directoryLevel(a, base),
    capacity,
    entries: Array.from({ length: entryCount(a, base) }, (_, entry) => ({
      from: separatorOf(a, base, entry),
      child: childOf(a, base, capacity, entry),
    })),
  }
}

export const directoryRegions = ({ capacity, entries }: DirectoryView, blockSize: number): Region[] => {
  const bytes = 4 * entries.length
  const half = 4 * capacity
  const childrenAt = HEADER_BYTES + half
  return [
    { at: HEADER_BYTES, bytes, what: 'separators' },
    { at: HEADER_BYTES + bytes, bytes: half - bytes, what: 'unused' },
    { at: childrenAt, bytes, what: 'children' },
    { at: childrenAt + bytes, bytes: blockSize - childrenAt - bytes, what: 'unused' },
  ]
}

/** The key of an entry, in bytes of its own. */
export const keyOfEntry = (a: Arena, base: Position, blockSize: number, index: number): Uint8Array => {
  const key = new Uint8Array(MAX_TREE_KEY_BYTES)
  return key.subarray(0, nodeKey(a, base, blockSize, index, key, 0))
}

export const viewNode = (a: Arena, base: Position, blockSize: number, isTuple: boolean): NodeView => {
  const isInner = a.u8[base + AT_KIND] === BlockKind.inner
  const prefix = prefixLength(a, base)
  return {
    level: nodeLevel(a, base),
    prefix: shownBytes(a.u8.subarray(base + blockSize - prefix, base + blockSize)),
    gap: nodeGap(a, base, blockSize),
    garbage: a.u16[(base + AT_GARBAGE) >>> 1]!,
    entries: Array.from({ length: nodeCount(a, base) }, (_, index) => ({
      key: shownBytes(keyOfEntry(a, base, blockSize, index), isTuple),
      child: isInner ? nodeChild(a, base, index) : undefined,
      at: nodeChildOffset(a, base, index),
      bytes: entryBytes(suffixLengthAt(a, base, index), isInner),
    })),
  }
}

export const nodeRegions = ({ gap, prefix, entries }: NodeView, blockSize: number): Region[] => {
  const slots = entries.length * NODE_SLOT_BYTES
  const gapAt = HEADER_BYTES + slots
  const regions: Region[] = [
    { at: HEADER_BYTES, bytes: slots, what: 'slots' },
    { at: gapAt, bytes: gap, what: 'unused' },
  ]
  let at = gapAt + gap
  const inPlace = entries.map((entry, index) => ({ at: entry.at, bytes: entry.bytes, index }))
  for (const entry of inPlace.sort((x, y) => x.at - y.at)) {
    if (entry.at > at) regions.push({ at, bytes: entry.at - at, what: 'hole' })
    regions.push({ ...entry, what: 'entry' })
    at = entry.at + entry.bytes
  }
  const prefixAt = blockSize - prefix.bytes
  if (prefixAt > at) regions.push({ at, bytes: prefixAt - at, what: 'hole' })
  return [...regions, { at: prefixAt, bytes: prefix.bytes, what: 'prefix' }]
}
