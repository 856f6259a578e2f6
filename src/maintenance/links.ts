/**
 * What leads to each block of the file: found by a walk over everything, in slices, and looked at again when a block is
 * about to be moved, since others may have changed anything meanwhile.
 */
import type { Engine } from '../engine/engine.ts'
import { pointerAt } from '../hash/hash.ts'
import { LargeValues } from '../hash/large.ts'
import {
  bucketNext,
  RECORD_HEADER_BYTES,
  RecordFlag,
  recordFlags,
  recordKeyLength,
  slotInUse,
} from '../pager/bucket.ts'
import { childOf, childOffset, directoryCapacity, entryCount } from '../pager/directory.ts'
import {
  AT_COUNT,
  AT_KIND,
  AT_NEXT,
  BlockKind,
  EXPIRY_ROOT,
  FIRST_OVERFLOW_BLOCK,
  HEADER_BYTES,
  INDEX_BLOCKS,
  ORDERED_ROOT,
} from '../pager/layout.ts'
import { nodeChild, nodeChildOffset, nodeCount, nodeLevel } from '../pager/node.ts'
import type { Block, Position } from '../pager/place.ts'

/** Where the number of a block stands. */
export interface Link {
  readonly block: Block
  readonly offset: number
}

type LargePointer = ReturnType<typeof LargeValues.pointer>

/** Lets others go first now and then. */
type Turn = () => Promise<void>

/** @internal */
export class BlockLinks {
  private readonly engine: Engine
  private readonly capacity: number
  /** By block: what leads to it. Of the tail of a large value also the bucket with its pointer. */
  private parents: Uint32Array = new Uint32Array(0)
  private owners: Map<number, number> = new Map()
  /** `free.splices` when the walk began: parts of a value that was freed since still lead to each other. */
  private splices = 0

  constructor(engine: Engine) {
    this.engine = engine
    this.capacity = directoryCapacity(engine.pool.blockSize)
  }

  /** Blocks that there were when the walk began. */
  get blocks(): Block {
    return this.parents.length
  }

  /** A large value was freed since the walk began, which nobody has told the blocks of. */
  get areStale(): boolean {
    return this.splices !== this.engine.free.splices
  }

  /** Walks everything that leads to blocks. */
  async find(turn: Turn, report: (share: number) => void): Promise<void> {
    const { engine } = this
    this.parents = new Uint32Array(engine.metadata.blocks)
    this.owners = new Map()
    this.splices = engine.free.splices
    for (let root = 1; root <= INDEX_BLOCKS; root++) {
      await this.walk(root, turn)
      report(root / INDEX_BLOCKS)
    }
    await this.walk(EXPIRY_ROOT, turn)
    await this.walk(ORDERED_ROOT, turn)
  }

  private async walk(root: Block, turn: Turn): Promise<void> {
    const due = [root]
    while (due.length > 0) {
      const block = due.pop()!
      const { children, values } = this.childrenOf(block)
      for (const child of children) {
        // Each block once: what others have changed meanwhile must not lead in a circle.
        if (child < FIRST_OVERFLOW_BLOCK || child >= this.parents.length || this.parents[child] !== 0) continue
        this.parents[child] = block
        due.push(child)
      }
      for (const pointer of values) await this.followValue(block, pointer, turn)
      await turn()
    }
  }

  /** The blocks that a block leads to, and the large values. */
  private childrenOf(block: Block): { children: Block[]; values: readonly LargePointer[] } {
    const { pool } = this.engine
    const { arena } = pool
    const base = pool.get(block)
    const kind = arena.u8[base + AT_KIND]!
    if (kind === BlockKind.directory)
      return {
        children: Array.from({ length: entryCount(arena, base) }, (_, i) => childOf(arena, base, this.capacity, i)),
        values: [],
      }
    if (kind === BlockKind.inner)
      return {
        children: Array.from({ length: nodeCount(arena, base) }, (_, i) => nodeChild(arena, base, i)),
        values: [],
      }
    if (kind !== BlockKind.bucket) return { children: [], values: [] }
    const next = bucketNext(arena, base)
    const values = this.largeValues(base).map(({ pointer }) => pointer)
    return { children: next === 0 ? [] : [next], values }
  }

  private largeValues(base: Position): { at: Position; pointer: LargePointer }[] {
    const { arena } = this.engine
    const count = arena.u16[(base + AT_COUNT) >>> 1]!
    const values: { at: Position; pointer: LargePointer }[] = []
    for (let slot = 0; slot < count; slot++) {
      const word = arena.u32[((base + HEADER_BYTES) >>> 2) + slot]!
      if (!slotInUse(word)) continue
      const record = base + (word & 0xffff)
      const flags = recordFlags(arena, record)
      if ((flags & RecordFlag.large) === 0) continue
      const at = pointerAt(record + RECORD_HEADER_BYTES + recordKeyLength(arena, record), flags)
      values.push({ at, pointer: LargeValues.pointer(arena, at) })
    }
    return values
  }

  /** The parts of a large value lead to each other. */
  private async followValue(bucket: Block, { head, tail, blocks }: LargePointer, turn: Turn): Promise<void> {
    const { pool } = this.engine
    let from = bucket
    let block = head
    for (let i = 0; i < blocks; i++) {
      if (block < FIRST_OVERFLOW_BLOCK || block >= this.parents.length || this.parents[block] !== 0) return
      this.parents[block] = from
      from = block
      const base = pool.get(block)
      if (pool.arena.u8[base + AT_KIND] !== BlockKind.large) return
      block = pool.arena.u32[(base + AT_NEXT) >>> 2]!
      await turn()
    }
    if (from === tail) this.owners.set(tail, bucket)
  }

  /**
   * Where the number of a block stands: block and offset of each word. Undefined if nothing leads to it, or not what
   * the walk has seen.
   */
  to(block: Block): Link[] | undefined {
    const { pool, metadata } = this.engine
    const { arena } = pool
    const parent = this.parents[block]!
    if (parent === 0 || parent >= metadata.blocks) return undefined
    const kind = arena.u8[pool.get(block) + AT_KIND]!
    const base = pool.get(parent)
    const parentKind = arena.u8[base + AT_KIND]!
    if (parentKind === BlockKind.directory && (kind === BlockKind.bucket || kind === BlockKind.directory)) {
      for (let entry = 0; entry < entryCount(arena, base); entry++)
        if (childOf(arena, base, this.capacity, entry) === block)
          return [{ block: parent, offset: childOffset(this.capacity, entry) }]
      return undefined
    }
    if (parentKind === BlockKind.inner && (kind === BlockKind.leaf || kind === BlockKind.inner)) {
      for (let entry = 0; entry < nodeCount(arena, base); entry++)
        if (nodeChild(arena, base, entry) === block)
          return [{ block: parent, offset: nodeChildOffset(arena, base, entry) }]
      return undefined
    }
    if (parentKind === BlockKind.bucket && kind === BlockKind.bucket)
      return bucketNext(arena, base) === block ? [{ block: parent, offset: AT_NEXT }] : undefined
    return kind === BlockKind.large ? this.linksToPart(block, parent, base, parentKind) : undefined
  }

  /** A part of a large value: the record's pointer names its head and its tail, each part the next one. */
  private linksToPart(block: Block, parent: Block, base: Position, parentKind: number): Link[] | undefined {
    const { pool, free } = this.engine
    if (free.splices !== this.splices) return undefined
    const links: Link[] = []
    if (parentKind === BlockKind.large) {
      if (pool.arena.u32[(base + AT_NEXT) >>> 2] !== block) return undefined
      links.push({ block: parent, offset: AT_NEXT })
    } else if (parentKind === BlockKind.bucket) {
      const value = this.largeValues(base).find(({ pointer }) => pointer.head === block)
      if (value === undefined) return undefined
      links.push({ block: parent, offset: value.at - base })
    } else return undefined
    const owner = this.owners.get(block)
    if (owner === undefined) return links
    const ownerBase = pool.get(owner)
    if (pool.arena.u8[ownerBase + AT_KIND] !== BlockKind.bucket) return undefined
    const value = this.largeValues(ownerBase).find(({ pointer }) => pointer.tail === block)
    if (value === undefined) return undefined
    links.push({ block: owner, offset: value.at - ownerBase + 4 })
    return links
  }

  /** What the block led to is led to from another place now. */
  moved(block: Block, target: Block): void {
    const { parents, owners } = this
    parents[target] = parents[block]!
    parents[block] = 0
    const owner = owners.get(block)
    if (owner !== undefined) {
      owners.delete(block)
      owners.set(target, owner)
    }
    const { pool } = this.engine
    const { arena } = pool
    const base = pool.get(target)
    const kind = arena.u8[base + AT_KIND]!
    const follow = (child: number): void => {
      if (child < parents.length && parents[child] === block) parents[child] = target
    }
    if (kind === BlockKind.large) follow(arena.u32[(base + AT_NEXT) >>> 2]!)
    else if (kind === BlockKind.bucket) {
      follow(bucketNext(arena, base))
      for (const { pointer } of this.largeValues(base)) {
        follow(pointer.head)
        if (owners.get(pointer.tail) === block) owners.set(pointer.tail, target)
      }
    } else if (kind === BlockKind.inner && nodeLevel(arena, base) > 0)
      for (let i = 0; i < nodeCount(arena, base); i++) follow(nodeChild(arena, base, i))
    else if (kind === BlockKind.directory)
      for (let i = 0; i < entryCount(arena, base); i++) follow(childOf(arena, base, this.capacity, i))
  }
}
