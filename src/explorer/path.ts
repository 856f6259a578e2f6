/**
 * The way to a key: its hash, the index block, the directories, the bucket and its overflow blocks, the slot, the blocks
 * of a large value; and beside it the way through the tree over the keys. The steps are those of a lookup
 * (`hash/search.ts`), done here on copies of the blocks, so that whoever looks changes nothing.
 */
import { CorruptionError, InvalidArgumentError } from '../errors.ts'
import { bucketNext, findSlot, slotWord } from '../pager/bucket.ts'
import { childOf, directoryCapacity, directoryLevel, entryCount, findEntry, separatorOf } from '../pager/directory.ts'
import { AT_COUNT, AT_GARBAGE, AT_KIND, AT_NEXT, BlockKind, kindName } from '../pager/layout.ts'
import { nodeChild, nodeCount, nodeLevel, searchNode } from '../pager/node.ts'
import type { Block } from '../pager/place.ts'
import { Arena } from '../runtime/bytes.ts'
import { MAX_KEY_BYTES } from '../values/limits.ts'
import { viewRecord } from './bucket.ts'
import { keyOfEntry } from './node.ts'
import type { RecordView } from './shapes.ts'
import { type ShownBytes, shownBytes } from './shown.ts'
import type { BlockSource } from './source.ts'
import { hashOf, type SpaceView } from './space.ts'

/** Blocks of a large value that are listed. */
const SHOWN_PARTS = 256
const POSITIONS = 4294967296
const KEY_ROOM = 2048

/** A directory on the way. */
export interface DirectoryStep {
  readonly block: number
  readonly level: number
  readonly entries: number
  readonly entry: number
  /** The positions that the entry covers: from the first up to, and without, the last. */
  readonly from: number
  readonly to: number
  readonly child: number
}

/** A bucket on the way: the first one, then its overflow blocks. */
export interface BucketStep {
  readonly block: number
  readonly slots: number
  /** Slots with the tag of the key, whose keys are compared. */
  readonly tagged: readonly number[]
  /** The slot of the key, if it is here. */
  readonly slot: number | undefined
  readonly next: number
}

/** A node of the tree on the way. */
export interface TreeStep {
  readonly block: number
  readonly level: number
  readonly entries: number
  /** The entry that was followed; of a leaf, where the key is or would go. */
  readonly entry: number
  readonly key: ShownBytes | undefined
  readonly child: number | undefined
}

/** The way to one key. */
export interface KeyPath {
  readonly key: ShownBytes
  readonly sub: readonly string[]
  readonly hash: {
    readonly position: number
    readonly tag: number
    readonly indexBlock: number
    readonly indexBlocks: number
  }
  readonly directories: readonly DirectoryStep[]
  readonly buckets: readonly BucketStep[]
  readonly found: boolean
  /** The record and its block; undefined: there is none. */
  readonly record: (RecordView & { readonly block: number }) | undefined
  /** The blocks of a large value, the first of them. */
  readonly parts: readonly { readonly block: number; readonly bytes: number }[]
  /** Through the tree over the keys, from its root to a leaf; undefined: the database keeps none. */
  readonly tree: readonly TreeStep[] | undefined
  /** The leaf holds the key. */
  readonly inTree: boolean
  /** The blocks that a lookup touches: directories and buckets. */
  readonly touched: readonly number[]
}

/** @throws InvalidArgumentError for what is no key, CorruptionError if a block on the way is damaged or not what leads to it says */
export const pathOf = (source: BlockSource, space: SpaceView, key: Uint8Array): KeyPath => {
  if (key.length === 0 || key.length > MAX_KEY_BYTES)
    throw new InvalidArgumentError(`a key has 1 to ${MAX_KEY_BYTES} bytes, this one has ${key.length}`)
  const walk = new Walk(source)
  const hash = hashOf(space, key)
  const { position, tag, root } = hash
  const directories: DirectoryStep[] = []
  let block = root
  for (walk.take(block); walk.kind === BlockKind.directory; walk.take(block)) {
    const step = directoryStep(walk, block, position)
    directories.push(step)
    block = step.child
  }
  const buckets: BucketStep[] = []
  let record: KeyPath['record']
  while (record === undefined) {
    const step = bucketStep(walk, block, tag, key)
    buckets.push(step)
    if (step.slot !== undefined) record = { ...viewRecord(walk.a, 0, step.slot, space.isTuple), block }
    if (step.next === 0 || record !== undefined) break
    block = step.next
    walk.take(block)
  }
  const tree = source.metadata.ordered ? treeSteps(walk, space, key) : undefined
  return {
    key: shownBytes(key, space.isTuple),
    sub: space.path,
    hash: { position, tag: tag & 0x7fff, indexBlock: root, indexBlocks: space.index === 0 ? 101 : 1 },
    directories,
    buckets,
    found: record !== undefined,
    record,
    parts: record?.large === undefined ? [] : partsOf(walk, record.large),
    tree: tree?.steps,
    inTree: tree?.holds ?? false,
    touched: [...directories, ...buckets].map(step => step.block),
  }
}

/** One block at a time, and no block twice on one way. */
class Walk {
  /** The block at hand, and behind it room for a key. */
  readonly a: Arena
  readonly keyAt: number
  readonly blockSize: number
  private readonly source: BlockSource
  private readonly seen: Set<Block> = new Set()

  constructor(source: BlockSource) {
    this.source = source
    this.blockSize = source.blockSize
    this.keyAt = source.blockSize
    this.a = new Arena(source.blockSize + KEY_ROOM)
  }

  get kind(): number {
    return this.a.u8[AT_KIND]!
  }

  take(block: Block): void {
    const { source } = this
    if (block < 1 || block >= source.blocks)
      throw this.damage(block, `a pointer leads to it, but there are ${source.blocks} blocks`)
    if (this.seen.has(block)) throw this.damage(block, 'the way leads to it a second time')
    this.seen.add(block)
    const { checksumProblem, problem } = source.read(block, this.a, 0)
    if (checksumProblem !== undefined || problem !== undefined) throw this.damage(block, checksumProblem ?? problem!)
  }

  expect(block: Block, ...kinds: number[]): void {
    if (!kinds.includes(this.kind))
      throw this.damage(block, `expected a ${kindName(kinds[0]!)}, found a ${kindName(this.kind)}`)
  }

  private damage(block: Block, problem: string): CorruptionError {
    return new CorruptionError(this.source.data.file.path, problem, block)
  }
}

const directoryStep = ({ a, blockSize }: Walk, block: Block, position: number): DirectoryStep => {
  const entries = entryCount(a, 0)
  const entry = findEntry(a, 0, position)
  return {
    block,
    level: directoryLevel(a, 0),
    entries,
    entry,
    from: separatorOf(a, 0, entry),
    to: entry + 1 < entries ? separatorOf(a, 0, entry + 1) : POSITIONS,
    child: childOf(a, 0, directoryCapacity(blockSize), entry),
  }
}

const bucketStep = (walk: Walk, block: Block, tag: number, key: Uint8Array): BucketStep => {
  walk.expect(block, BlockKind.bucket)
  const { a, keyAt } = walk
  a.u8.set(key, keyAt)
  const slots = a.u16[AT_COUNT >>> 1]!
  const tagged: number[] = []
  for (let slot = 0; slot < slots; slot++) if (slotWord(a, 0, slot) >>> 16 === tag) tagged.push(slot)
  const slot = findSlot(a, 0, tag, keyAt, key.length)
  return { block, slots, tagged, slot: slot < 0 ? undefined : slot, next: bucketNext(a, 0) }
}

const partsOf = (
  walk: Walk,
  { head, blocks }: { head: number; blocks: number },
): { block: number; bytes: number }[] => {
  const parts: { block: number; bytes: number }[] = []
  for (let block = head; parts.length < Math.min(blocks, SHOWN_PARTS); ) {
    walk.take(block)
    walk.expect(block, BlockKind.large)
    parts.push({ block, bytes: walk.a.u16[AT_GARBAGE >>> 1]! })
    block = walk.a.u32[AT_NEXT >>> 2]!
  }
  return parts
}

const treeSteps = (walk: Walk, space: SpaceView, key: Uint8Array): { steps: TreeStep[]; holds: boolean } => {
  const { a, keyAt, blockSize } = walk
  const steps: TreeStep[] = []
  for (let block = space.ordered; ; ) {
    walk.take(block)
    walk.expect(block, BlockKind.leaf, BlockKind.inner)
    a.u8.set(key, keyAt)
    const at = searchNode(a, 0, blockSize, keyAt, key.length)
    const isHere = (at & 1) === 1
    const isInner = walk.kind === BlockKind.inner
    // In an inner node the last separator that is not above the key.
    const entry = isInner && !isHere ? Math.max(0, (at >>> 1) - 1) : at >>> 1
    const entries = nodeCount(a, 0)
    const shown = entry < entries ? shownBytes(keyOfEntry(a, 0, blockSize, entry), space.isTuple) : undefined
    const child = isInner ? nodeChild(a, 0, entry) : undefined
    steps.push({ block, level: nodeLevel(a, 0), entries, entry, key: shown, child })
    if (child === undefined) return { steps, holds: isHere }
    block = child
  }
}
