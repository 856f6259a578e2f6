/**
 * What leads to each block of the file: found by a walk over everything, in slices, and looked at again when a block is
 * about to be moved, since others may have changed anything meanwhile.
 */
import { childrenOf, type LargeChain, largeChainsOf } from '../engine/block-children.ts'
import type { Engine } from '../engine/engine.ts'
import { bucketNext } from '../pager/bucket.ts'
import { childOf, childOffset, directoryCapacity, entryCount } from '../pager/directory.ts'
import {
  AT_KIND,
  AT_NEXT,
  BlockKind,
  EXPIRY_ROOT,
  FIRST_OVERFLOW_BLOCK,
  INDEX_BLOCKS,
  ORDERED_ROOT,
} from '../pager/layout.ts'
import { nodeChild, nodeChildOffset, nodeCount } from '../pager/node.ts'
import type { Block, Position } from '../pager/place.ts'
import { AT_EXPIRY_ROOT, AT_INDEX_ROOT, AT_ORDERED_ROOT } from '../pager/space-block.ts'

/** In place of the number of a block: block 0, whose state names the first key space. */
const STATE = 0xffffffff

/** Where the number of a block stands. */
export interface Link {
  readonly block: Block
  readonly offset: number
}

/** What leads to a block: words of other blocks, or the state of block 0, which names the first key space. */
export interface Links {
  readonly words: readonly Link[]
  readonly isFirstSpace: boolean
  /** The block is one that `Spaces` knows by its number. */
  readonly isKnownToSpaces: boolean
}

/** Where a block that says what a key space is leads to others. */
const SPACE_WORDS: readonly number[] = [AT_NEXT, AT_INDEX_ROOT, AT_ORDERED_ROOT, AT_EXPIRY_ROOT]

const inWords = (words: readonly Link[]): Links => ({ words, isFirstSpace: false, isKnownToSpaces: false })
const FIRST_SPACE: Links = { words: [], isFirstSpace: true, isKnownToSpaces: true }

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
    const { firstSpace } = engine.metadata
    if (!this.isNew(firstSpace)) return
    this.parents[firstSpace] = STATE
    await this.walk(firstSpace, turn)
  }

  /** Each block once: what others have changed meanwhile must not lead in a circle. */
  private isNew(block: Block): boolean {
    return block >= FIRST_OVERFLOW_BLOCK && block < this.parents.length && this.parents[block] === 0
  }

  private async walk(root: Block, turn: Turn): Promise<void> {
    const due = [root]
    while (due.length > 0) {
      const block = due.pop()!
      const { children, values } = this.childrenOf(block)
      for (const child of children) {
        if (!this.isNew(child)) continue
        this.parents[child] = block
        due.push(child)
      }
      for (const pointer of values) await this.followValue(block, pointer, turn)
      await turn()
    }
  }

  /** The blocks that a block leads to, and the large values. */
  private childrenOf(block: Block): { children: readonly Block[]; values: readonly LargeChain[] } {
    const { pool } = this.engine
    const { arena, blockSize } = pool
    const base = pool.get(block)
    if (arena.u8[base + AT_KIND] === BlockKind.space)
      return { children: SPACE_WORDS.map(offset => arena.u32[(base + offset) >>> 2]!), values: [] }
    return { children: childrenOf(arena, base, blockSize) ?? [], values: largeChainsOf(arena, base) }
  }

  /** The parts of a large value lead to each other. */
  private async followValue(bucket: Block, { head, tail, blocks }: LargeChain, turn: Turn): Promise<void> {
    const { pool } = this.engine
    let from = bucket
    let block = head
    for (let i = 0; i < blocks; i++) {
      if (!this.isNew(block)) return
      this.parents[block] = from
      from = block
      const base = pool.get(block)
      if (pool.arena.u8[base + AT_KIND] !== BlockKind.large) return
      block = pool.arena.u32[(base + AT_NEXT) >>> 2]!
      await turn()
    }
    if (from === tail) this.owners.set(tail, bucket)
  }

  /** Undefined if nothing leads to it, or not what the walk has seen. */
  to(block: Block): Links | undefined {
    const { pool, metadata } = this.engine
    const { arena } = pool
    const parent = this.parents[block]!
    if (parent === STATE) return metadata.firstSpace === block ? FIRST_SPACE : undefined
    if (parent === 0 || parent >= metadata.blocks) return undefined
    const kind = arena.u8[pool.get(block) + AT_KIND]!
    const base = pool.get(parent)
    const parentKind = arena.u8[base + AT_KIND]!
    if (parentKind === BlockKind.directory && (kind === BlockKind.bucket || kind === BlockKind.directory)) {
      for (let entry = 0; entry < entryCount(arena, base); entry++)
        if (childOf(arena, base, this.capacity, entry) === block)
          return inWords([{ block: parent, offset: childOffset(this.capacity, entry) }])
      return undefined
    }
    if (parentKind === BlockKind.inner && (kind === BlockKind.leaf || kind === BlockKind.inner)) {
      for (let entry = 0; entry < nodeCount(arena, base); entry++)
        if (nodeChild(arena, base, entry) === block)
          return inWords([{ block: parent, offset: nodeChildOffset(arena, base, entry) }])
      return undefined
    }
    if (parentKind === BlockKind.bucket && kind === BlockKind.bucket)
      return bucketNext(arena, base) === block ? inWords([{ block: parent, offset: AT_NEXT }]) : undefined
    if (parentKind === BlockKind.space) {
      const offset = SPACE_WORDS.find(word => arena.u32[(base + word) >>> 2] === block)
      if (offset === undefined) return undefined
      return { words: [{ block: parent, offset }], isFirstSpace: false, isKnownToSpaces: true }
    }
    const words = kind === BlockKind.large ? this.linksToPart(block, parent, base, parentKind) : undefined
    return words === undefined ? undefined : inWords(words)
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
      const value = largeChainsOf(pool.arena, base).find(({ head }) => head === block)
      if (value === undefined) return undefined
      links.push({ block: parent, offset: value.at - base })
    } else return undefined
    const owner = this.owners.get(block)
    if (owner === undefined) return links
    const ownerBase = pool.get(owner)
    if (pool.arena.u8[ownerBase + AT_KIND] !== BlockKind.bucket) return undefined
    const value = largeChainsOf(pool.arena, ownerBase).find(({ tail }) => tail === block)
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
    const { arena } = this.engine.pool
    const base = this.engine.pool.get(target)
    const follow = (child: number): void => {
      if (child < parents.length && parents[child] === block) parents[child] = target
    }
    if (arena.u8[base + AT_KIND] === BlockKind.large) {
      follow(arena.u32[(base + AT_NEXT) >>> 2]!)
      return
    }
    const { children, values } = this.childrenOf(target)
    for (const child of children) follow(child)
    for (const { head, tail } of values) {
      follow(head)
      if (owners.get(tail) === block) owners.set(tail, target)
    }
  }
}
