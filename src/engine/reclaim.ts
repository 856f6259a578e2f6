/**
 * Frees what was cleared or dropped, a few blocks at a time: from the lists that block 0 leads to, each root becomes
 * free, and what it leads to takes its place on the list. Every step is atomic, so that a crash leaves a list that leads
 * to exactly what is not free yet.
 */
import { CorruptionError } from '../errors.ts'
import { RecordFlag } from '../pager/bucket.ts'
import { AT_COUNT, AT_KIND, AT_NEXT, BlockKind, HEADER_BYTES, kindName } from '../pager/layout.ts'
import type { Block } from '../pager/place.ts'
import { condemnedCapacity, condemnedCount, condemnedRoot } from '../pager/space-block.ts'
import { performance } from '../runtime/timers.ts'
import { type Pinned, Step } from '../txn/step.ts'
import { childrenOf, type LargeChain, largeChainsOf } from './block-children.ts'
import { logList } from './condemned.ts'
import type { Layers } from './space.ts'

/** Blocks, and chains of large values, that one step frees at most. */
const MOST_BLOCKS = 32
const MOST_CHAINS = 4

export class Reclaimer {
  private readonly layers: Layers
  private readonly step: Step

  constructor(layers: Layers) {
    this.layers = layers
    this.step = new Step(layers)
  }

  get isDone(): boolean {
    return this.layers.metadata.firstCondemned === 0
  }

  /** Frees blocks for about so many milliseconds; false once there is nothing left to free. */
  slice(milliseconds: number): boolean {
    const until = performance.now() + milliseconds
    while (!this.isDone) {
      this.step.run(() => this.next())
      if (performance.now() > until) break
    }
    return !this.isDone
  }

  private next(): void {
    const { step } = this
    const { pool, metadata } = this.layers
    const { arena } = pool
    const block = metadata.firstCondemned
    const list = step.pin(block)
    if (arena.u8[list.base + AT_KIND] !== BlockKind.condemned)
      throw this.damaged(block, 'the list of what was cleared leads to it, but it holds no such list')
    const count = condemnedCount(arena, list.base)
    if (count === 0) {
      step.begin(128, [list])
      step.setState('firstCondemned', arena.u32[(list.base + AT_NEXT) >>> 2]!)
      step.free(list)
      step.end()
      return
    }
    this.freeRoots(list, count)
  }

  /** Takes roots from the end of the list as long as what they lead to finds room there. */
  private freeRoots(list: Pinned, count: number): void {
    const { step } = this
    const { pool } = this.layers
    const { arena, blockSize } = pool
    const capacity = condemnedCapacity(blockSize)
    const most = Math.max(1, Math.min(MOST_BLOCKS, pool.maxFrames >>> 2))
    const freed: Pinned[] = []
    const found: Block[] = []
    const tails: LargeChain[] = []
    let left = count
    while (left > 0 && freed.length < most) {
      const root = step.pin(condemnedRoot(arena, list.base, left - 1))
      const children = this.childrenOf(root)
      const large = this.chainsOf(root)
      if (tails.length + large.length > MOST_CHAINS) {
        if (freed.length === 0) this.freeChains(root, large.slice(0, MOST_CHAINS))
        break
      }
      if (left - 1 + found.length + children.length > capacity) {
        if (freed.length === 0) this.moveOn(list, left, root, children)
        break
      }
      left--
      freed.push(root)
      found.push(...children)
      tails.push(...large)
    }
    if (freed.length === 0) return
    const chains = tails.map(chain => ({ ...chain, place: step.fresh(chain.tail) }))
    step.begin(256 + 48 * (freed.length + chains.length) + 4 * found.length, [list, ...freed])
    for (const { head, place, blocks } of chains) step.freeChain(head, place, blocks)
    for (const root of freed) step.free(root)
    this.logRoots(list, left, found)
    step.end()
  }

  /** Inside a record: the list ends with `found` behind its first `left` roots. */
  private logRoots(list: Pinned, left: number, found: readonly Block[]): void {
    const { step } = this
    const { pool, log } = this.layers
    const { arena } = pool
    const { base } = list
    arena.u16[(base + AT_COUNT) >>> 1] = left + found.length
    arena.u32.set(found, ((base + HEADER_BYTES) >>> 2) + left)
    step.part(list)
    log.set(AT_COUNT, 2, base + AT_COUNT)
    if (found.length > 0) log.set(HEADER_BYTES + 4 * left, 4 * found.length, base + HEADER_BYTES + 4 * left)
    step.endPart()
  }

  /** A root that leads to more than the list has room for: what it leads to gets a list of its own. */
  private moveOn(list: Pinned, count: number, root: Pinned, children: readonly Block[]): void {
    const { step } = this
    const fresh = step.fresh(step.takeOne())
    step.begin(256 + 4 * children.length, [list, root])
    this.logRoots(list, count - 1, [])
    step.free(root)
    logList(this.layers, step, fresh, children)
    step.end()
  }

  /** Frees some of the large values of a bucket, whose records go. */
  private freeChains(bucket: Pinned, chains: readonly LargeChain[]): void {
    const { step } = this
    const { pool, log } = this.layers
    const { arena } = pool
    const places = chains.map(chain => ({ ...chain, place: step.fresh(chain.tail) }))
    step.begin(256 + 64 * chains.length, [bucket])
    for (const { head, place, blocks } of places) step.freeChain(head, place, blocks)
    step.part(bucket)
    for (const { record } of places) {
      // The record stays where it is, and leads to nothing any more.
      arena.u8[record] = arena.u8[record]! & ~RecordFlag.large
      log.set(record - bucket.base, 1, record)
    }
    step.endPart()
    step.end()
  }

  /** The blocks that a root leads to, but for those of large values. */
  private childrenOf({ block, base }: Pinned): Block[] {
    const { arena, blockSize } = this.layers.pool
    const children = childrenOf(arena, base, blockSize)
    if (children === undefined)
      throw this.damaged(block, `it was cleared, but holds a ${kindName(arena.u8[base + AT_KIND]!)}`)
    return children
  }

  private chainsOf({ block, base }: Pinned): LargeChain[] {
    const { arena } = this.layers.pool
    const { blocks } = this.layers.metadata
    const chains = largeChainsOf(arena, base)
    for (const { head, tail } of chains)
      if (head >= blocks || tail >= blocks) throw this.damaged(block, 'a large value in it leads behind the last block')
    return chains
  }

  private damaged(block: Block, what: string): CorruptionError {
    return new CorruptionError(this.layers.file.file.path, what, block)
  }
}
