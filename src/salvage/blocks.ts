/** Every block of the source, looked at once: which are sound, and what kind they are of. */

import { blockLsn } from '../pager/bucket.ts'
import { blockProblem } from '../pager/data-file.ts'
import { AT_KIND, AT_NEXT, BlockKind, EXPIRY_ROOT, FIRST_OVERFLOW_BLOCK, ORDERED_ROOT } from '../pager/layout.ts'
import { nodeChild, nodeCount } from '../pager/node.ts'
import type { Block } from '../pager/place.ts'
import { Arena } from '../runtime/bytes.ts'
import { KEPT } from './notes.ts'
import type { SalvageBlock } from './shapes.ts'
import type { Source } from './source.ts'

export class Blocks {
  /** End of the file that matters, in blocks. */
  readonly total: number
  sound = 0
  /** Sound buckets. */
  buckets = 0
  damaged = 0
  /** Highest LSN of a sound block. */
  maxLsn = 0
  /** The first damaged blocks; their use is filled in by whoever comes to them. */
  readonly damagedBlocks: Map<number, SalvageBlock> = new Map()
  /** Kind + 1 of each sound block. */
  private readonly kinds: Uint8Array
  private readonly source: Source
  private readonly arena: Arena

  constructor(source: Source, total: number) {
    this.source = source
    this.total = total
    this.kinds = new Uint8Array(total)
    this.arena = new Arena(source.data.blockSize)
  }

  /** Reads a block to the beginning of `arena`; says what is wrong with it, or returns undefined. */
  read(block: number, arena: Arena): string | undefined {
    if (block === 0 || block >= this.total) return `a pointer leads to it, but there are ${this.total} blocks`
    const { data } = this.source
    return data.readWritten(block, arena, 0) ?? blockProblem(arena, 0, data.blockSize)
  }

  /** Looks at a block. `ignore`: a block that need not hold anything. */
  look(block: number, ignore: boolean): void {
    const { arena } = this
    const problem = this.read(block, arena)
    if (problem === undefined) {
      this.sound++
      this.kinds[block] = arena.u8[AT_KIND]! + 1
      if (this.isBucket(block)) this.buckets++
      this.maxLsn = Math.max(this.maxLsn, blockLsn(arena, 0))
    } else if (!ignore) {
      this.damaged++
      if (this.damagedBlocks.size < KEPT) this.damagedBlocks.set(block, { block, use: 'unknown', reason: problem })
    }
  }

  isBucket(block: number): boolean {
    return this.kinds[block] === BlockKind.bucket + 1
  }

  /** The sound blocks of a kind. */
  ofKind(kind: number): number[] {
    const found: number[] = []
    for (let block = this.kinds.indexOf(kind + 1); block > 0; block = this.kinds.indexOf(kind + 1, block + 1))
      found.push(block)
    return found
  }

  /** A damaged block turns out to be of some use. */
  noteUse(block: number, use: SalvageBlock['use']): void {
    const known = this.damagedBlocks.get(block)
    if (known?.use === 'unknown') known.use = use
  }

  /** Follows the trees as far as they go, to tell their damaged nodes from others: nothing is lost with those. */
  noteTrees(places: readonly { ordered: Block; expiry: Block }[]): void {
    if (this.damaged === 0) return
    for (const { ordered, expiry } of [{ ordered: ORDERED_ROOT, expiry: EXPIRY_ROOT }, ...places]) {
      this.noteTree(ordered, 'ordered index')
      this.noteTree(expiry, 'times of expiry')
    }
  }

  private noteTree(root: number, use: SalvageBlock['use']): void {
    const seen = new Set<number>()
    for (const pending = [root]; pending.length > 0; ) {
      const block = pending.pop()!
      if (block >= this.total || this.kinds[block] === BlockKind.leaf + 1 || seen.has(block)) continue
      seen.add(block)
      if (this.kinds[block] === 0) this.noteUse(block, use)
      if (this.kinds[block] !== BlockKind.inner + 1 || this.read(block, this.arena) !== undefined) continue
      for (let i = nodeCount(this.arena, 0) - 1; i >= 0; i--) pending.push(nodeChild(this.arena, 0, i))
    }
  }

  /** Follows the free-block list as far as it goes, to tell damaged free blocks from others. */
  noteFree(head: number): void {
    const seen = new Set<number>()
    for (let block = head; block >= FIRST_OVERFLOW_BLOCK && !seen.has(block); ) {
      seen.add(block)
      if (this.read(block, this.arena) !== undefined) {
        this.noteUse(block, 'free')
        return
      }
      block = this.arena.u32[AT_NEXT >>> 2]!
    }
  }
}
