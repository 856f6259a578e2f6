/**
 * Clearing a key space whatever it holds. What its index and trees begin with goes on a list of what is condemned, whose
 * first one block 0 names; `Reclaimer` frees what that leads to later, a few blocks at a time. A space of its own begins
 * at fresh blocks from then on (`spaces.ts`). The root cannot, since its blocks are fixed: what they hold goes, as it
 * is, to fresh blocks, and they become empty.
 */
import { formatEmpty } from '../pager/blank.ts'
import { bucketNext } from '../pager/bucket.ts'
import { childOffset, directoryCapacity, separatorOffset } from '../pager/directory.ts'
import { AT_COUNT, AT_KIND, AT_LEVEL, AT_NEXT, AT_RECORD_BYTES, BlockKind, HEADER_BYTES } from '../pager/layout.ts'
import { SPACES_VERSION } from '../pager/metadata.ts'
import { NODE_SLOT_BYTES } from '../pager/node.ts'
import type { Block, Place, Position } from '../pager/place.ts'
import type { Arena } from '../runtime/bytes.ts'
import { type Pinned, Step } from '../txn/step.ts'
import { largeChainsOf } from './block-children.ts'
import type { Layers, Space } from './space.ts'

/** Log that clearing may take at once, and the share of the pool that it may hold. */
const MOST_LOG_BYTES = 524288
const MOST_FRAMES = 1 / 4

/**
 * Inside a record: `list` leads to these roots, and to the list that was the first one.
 */
export const logList = ({ pool, log, metadata }: Layers, step: Step, list: Pinned, roots: readonly Block[]): void => {
  const { arena, blockSize } = pool
  const { base, block } = list
  arena.clear(base, base + blockSize)
  arena.u8[base + AT_KIND] = BlockKind.condemned
  arena.u16[(base + AT_COUNT) >>> 1] = roots.length
  arena.u32[(base + AT_NEXT) >>> 2] = metadata.firstCondemned
  arena.u32.set(roots, (base + HEADER_BYTES) >>> 2)
  step.format(list, BlockKind.condemned, 0)
  log.set(AT_COUNT, 2, base + AT_COUNT)
  log.setWord(AT_NEXT, metadata.firstCondemned)
  log.set(HEADER_BYTES, 4 * roots.length, base + HEADER_BYTES)
  step.endPart()
  step.setState('firstCondemned', block)
}

/** Inside a record: a block is the empty first one of a tree, or of the hash index. */
export const logEmpty = ({ pool }: Layers, step: Step, place: Pinned, isTree: boolean): void => {
  const { arena, blockSize } = pool
  formatEmpty(arena, place.base, blockSize, isTree)
  step.format(place, isTree ? BlockKind.leaf : BlockKind.bucket, 0)
  step.endPart()
}

/** The parts of a block that hold something behind its header: offset and length. */
const usedParts = (a: Arena, base: Position, blockSize: number): [number, number][] => {
  const count = a.u16[(base + AT_COUNT) >>> 1]!
  if (a.u8[base + AT_KIND] === BlockKind.directory) {
    const capacity = directoryCapacity(blockSize)
    return [
      [separatorOffset(0), 4 * count],
      [childOffset(capacity, 0), 4 * count],
    ]
  }
  const bytes = a.u16[(base + AT_RECORD_BYTES) >>> 1]!
  return [
    [HEADER_BYTES, NODE_SLOT_BYTES * count],
    [blockSize - bytes, bytes],
  ]
}

const logCopy = ({ pool, log }: Layers, step: Step, from: Place, to: Pinned): void => {
  const { arena, blockSize } = pool
  const { u8 } = arena
  const header: [number, number] = [AT_COUNT, AT_NEXT + 4 - AT_COUNT]
  const parts = [header, ...usedParts(arena, from.base, blockSize)].filter(([, length]) => length > 0)
  arena.clear(to.base, to.base + blockSize)
  u8[to.base + AT_KIND] = u8[from.base + AT_KIND]!
  u8[to.base + AT_LEVEL] = u8[from.base + AT_LEVEL]!
  step.format(to, u8[to.base + AT_KIND]!, u8[to.base + AT_LEVEL]!)
  for (const [offset, length] of parts) {
    u8.copyWithin(to.base + offset, from.base + offset, from.base + offset + length)
    log.set(offset, length, to.base + offset)
  }
  step.endPart()
}

/** Whether a first block leads to other blocks, which somebody has to free. */
const leadsOn = (a: Arena, base: Position): boolean => {
  const kind = a.u8[base + AT_KIND]
  if (kind === BlockKind.directory || kind === BlockKind.inner) return true
  return kind === BlockKind.bucket && (bucketNext(a, base) !== 0 || largeChainsOf(a, base).length > 0)
}

/**
 * Empties the root's key space by one record of the log. No open transaction has touched it. False, and nothing has
 * changed, if that record would be too large, or the pool too small: then there is not much in it, or little memory.
 */
export const clearRoot = (layers: Layers, root: Space): boolean => {
  const { pool, metadata, file } = layers
  const { arena, blockSize } = pool
  const trees = [root.ordered.root, root.expiry.root]
  const blocks = [...root.indexBlocks, ...trees]
  if (2 * blocks.length > MOST_FRAMES * pool.maxFrames) return false
  const step = new Step(layers)
  const isDone = step.run(() => {
    const changing: Pinned[] = []
    const kept: Pinned[] = []
    let bytes = 512
    for (const block of blocks) {
      const place = step.pin(block)
      if (arena.u16[(place.base + AT_COUNT) >>> 1] === 0) continue
      changing.push(place)
      bytes += 64
      if (!leadsOn(arena, place.base)) continue
      kept.push(place)
      bytes += 68 + usedParts(arena, place.base, blockSize).reduce((sum, [, length]) => sum + length + 8, 0)
    }
    if (bytes > MOST_LOG_BYTES) return false
    if (kept.length > 0) file.raiseVersion(metadata, SPACES_VERSION)
    const [list, ...copies] = step.take(kept.length === 0 ? 0 : kept.length + 1).map(block => step.fresh(block))
    step.begin(bytes, changing)
    for (const [i, place] of kept.entries()) logCopy(layers, step, place, copies[i]!)
    for (const place of changing) logEmpty(layers, step, place, trees.includes(place.block))
    const roots = copies.map(({ block }) => block)
    if (list !== undefined) logList(layers, step, list, roots)
    step.end(-metadata.records)
    return true
  })
  if (isDone) root.index.version++
  return isDone
}
