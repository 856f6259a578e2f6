/**
 * The map of the data file: of every block what it is, how full, and whether the pool has it. Blocks are read once, in
 * runs; then what they lead to tells what they are used as, and the counts are those of `verify`.
 */
import { childrenOf, largeChainsOf } from '../engine/block-children.ts'
import { blockLsn } from '../pager/bucket.ts'
import { blockProblem } from '../pager/data-file.ts'
import { AT_KIND, AT_NEXT, BlockKind, INDEX_BLOCKS } from '../pager/layout.ts'
import type { Block } from '../pager/place.ts'
import { condemnedCount, condemnedRoot } from '../pager/space-block.ts'
import { Arena } from '../runtime/bytes.ts'
import { fillOf, listSpaces } from './block.ts'
import { MapFlag, USES, type Use } from './shapes.ts'
import type { BlockSource } from './source.ts'

/** Blocks by what they are used as; as of `verify`, but that leaves and inner nodes are counted apart. */
export type UseCounts = Record<Use, number>

const codeOf = (use: Use): number => USES.indexOf(use)
const DAMAGED = codeOf('damaged')
/** By the kind of a block, before it is known what leads to it. */
const CODE_OF_KIND = [
  codeOf('free'),
  codeOf('overflow'),
  codeOf('directory'),
  codeOf('large'),
  codeOf('leaf'),
  codeOf('inner'),
  codeOf('space'),
  codeOf('condemned'),
]

export class FileMap {
  /** Of each block the index of its use in `USES`, how full it is from 0 to 255, and its flags. */
  uses: Uint8Array
  fills: Uint8Array
  flags: Uint8Array
  /** Of each block the LSN of its last change, as it was when it was looked at. */
  lsns: Float64Array
  private readonly source: BlockSource
  private readonly a: Arena
  /** What each says that it is, as a code, and the block that it leads to by its header: the next one of a list. */
  private kinds: Uint8Array
  private next: Uint32Array

  constructor(source: BlockSource) {
    const { blocks } = source
    this.source = source
    this.uses = new Uint8Array(blocks)
    this.fills = new Uint8Array(blocks)
    this.flags = new Uint8Array(blocks)
    this.lsns = new Float64Array(blocks)
    this.kinds = new Uint8Array(blocks)
    this.next = new Uint32Array(blocks)
    this.a = new Arena(source.blockSize)
  }

  /** All at once. */
  static of(source: BlockSource): FileMap {
    const map = new FileMap(source)
    for (let block = 1; block < map.blocks; block++) map.look(block)
    map.place()
    return map
  }

  get blocks(): number {
    return this.uses.length
  }

  /** There are more blocks now, or fewer; those that are new are to be looked at. */
  resize(blocks: number): void {
    this.uses = resized(this.uses, new Uint8Array(blocks))
    this.fills = resized(this.fills, new Uint8Array(blocks))
    this.flags = resized(this.flags, new Uint8Array(blocks))
    this.lsns = resized(this.lsns, new Float64Array(blocks))
    this.kinds = resized(this.kinds, new Uint8Array(blocks))
    this.next = resized(this.next, new Uint32Array(blocks))
  }

  /** Reads one block. */
  look(block: Block): void {
    const { a, source } = this
    const found = source.read(block, a, 0)
    const isDamaged = found.checksumProblem !== undefined || found.problem !== undefined
    this.kinds[block] = isDamaged ? DAMAGED : CODE_OF_KIND[a.u8[AT_KIND]!]!
    this.fills[block] = isDamaged ? 0 : shareOf(fillOf(a, 0, source.blockSize))
    this.flags[block] =
      (found.origin === 'pool' ? MapFlag.resident : 0) |
      (found.dirty ? MapFlag.dirty : 0) |
      (found.origin === 'blank' ? MapFlag.blank : 0)
    this.next[block] = a.u32[AT_NEXT >>> 2]!
    this.lsns[block] = isDamaged ? 0 : blockLsn(a, 0)
  }

  /** True if it would find the block as it has found it before. Of blocks in the pool this touches a few bytes of each. */
  isKnown(block: Block, isDirty: boolean): boolean {
    const { pool } = this.source
    const frame = pool?.frameOf(block) ?? 0
    if (pool === undefined || frame === 0) return false
    const flags = MapFlag.resident | (isDirty ? MapFlag.dirty : 0)
    return this.flags[block] === flags && blockLsn(pool.arena, pool.position(frame)) === this.lsns[block]
  }

  /** When all have been looked at: what the blocks are used as that do not say so themselves. */
  place(): void {
    const { source, uses } = this
    const { metadata } = source
    uses.set(this.kinds)
    uses[0] = codeOf('metadata')
    this.fills[0] = Math.round(255 * 0.375)
    for (let block = 1; block <= INDEX_BLOCKS; block++) this.mark(block, 'index')
    for (const { facts } of listSpaces(source)) this.mark(facts.index, 'index')
    for (const block of this.list(metadata.firstCondemned)) this.condemn(block)
    // A large value's blocks keep their kind when they are freed.
    for (const block of this.list(metadata.freeHead)) this.mark(block, 'free')
  }

  counts(): UseCounts {
    const counts = Object.fromEntries(USES.map(use => [use, 0])) as UseCounts
    for (const code of this.uses) counts[USES[code]!]++
    return counts
  }

  /** Of what is damaged nothing else is known. */
  private mark(block: Block, use: Use): void {
    if (block > 0 && block < this.blocks && this.uses[block] !== DAMAGED) this.uses[block] = codeOf(use)
  }

  /** The blocks of a list that is linked by headers, as far as it can be followed. */
  private list(head: Block): Set<Block> {
    const seen = new Set<Block>()
    for (let block = head; block > 0 && block < this.blocks && !seen.has(block); block = this.next[block]!) {
      if (this.uses[block] === DAMAGED) break
      seen.add(block)
    }
    return seen
  }

  /** Marks a list of what was cleared, and all that hangs on it. */
  private condemn(list: Block): void {
    const { a, source } = this
    this.mark(list, 'condemned')
    if (source.read(list, a, 0).problem !== undefined || a.u8[AT_KIND] !== BlockKind.condemned) return
    const due = Array.from({ length: condemnedCount(a, 0) }, (_, i) => condemnedRoot(a, 0, i))
    const seen = new Set<Block>()
    for (let block = due.pop(); block !== undefined; block = due.pop()) {
      if (block < 1 || block >= this.blocks || seen.has(block)) continue
      seen.add(block)
      if (this.uses[block] === DAMAGED) continue
      source.read(block, a, 0)
      if (blockProblem(a, 0, source.blockSize) !== undefined) continue
      this.mark(block, 'condemned')
      due.push(...(childrenOf(a, 0, source.blockSize) ?? []))
      for (const chain of largeChainsOf(a, 0)) this.condemnChain(chain.head, chain.blocks)
    }
  }

  private condemnChain(head: Block, blocks: number): void {
    let block = head
    for (let i = 0; i < blocks && block > 0 && block < this.blocks; i++) {
      this.mark(block, 'condemned')
      block = this.next[block]!
    }
  }
}

/** What a block is, and how full, as on a map that knows nothing of what leads to it. */
export const blockLooks = (source: BlockSource, block: Block, a: Arena): { use: number; fill: number } => {
  const { problem, checksumProblem } = source.read(block, a, 0)
  if (problem !== undefined || checksumProblem !== undefined) return { use: DAMAGED, fill: 0 }
  return { use: CODE_OF_KIND[a.u8[AT_KIND]!]!, fill: shareOf(fillOf(a, 0, source.blockSize)) }
}

/** From 0 to 255. */
const shareOf = (fill: number): number => Math.min(255, Math.round(255 * fill))

const resized = <T extends Uint8Array | Uint32Array | Float64Array>(from: T, to: T): T => {
  to.set(from.length > to.length ? from.subarray(0, to.length) : from)
  return to
}
