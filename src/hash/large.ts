/**
 * Large values: a value that does not fit in a bucket lies in a chain of large blocks, and its record holds a
 * pointer to it. The chain's last `next` pointer means nothing to a reader, who stops by the length; the transaction
 * manager links chains through it that a commit will free.
 */

import type { BufferPool } from '../buffer/pool.ts'
import { CorruptionError } from '../errors.ts'
import type { FreeBlocks } from '../freelist/blocks.ts'
import { UndoKind } from '../log/format.ts'
import type { LogWriter } from '../log/writer.ts'
import { AT_GARBAGE, AT_KIND, AT_NEXT, BlockKind, HEADER_BYTES, kindName } from '../pager/layout.ts'
import type { Block, Position } from '../pager/place.ts'
import type { Arena } from '../runtime/bytes.ts'
import type { TransactionManager } from '../txn/manager.ts'
import { Step } from '../txn/step.ts'
import type { TransactionState } from '../txn/transaction-state.ts'
import { MAX_VALUE_BYTES } from '../values/limits.ts'

/** Blocks that one log record allocates: undoing it is one compensation record, which pins so many frames. */
const ALLOCATE_AT_ONCE = 8

export interface LargePointer {
  head: Block
  tail: Block
  blocks: number
  bytes: number
}

export class LargeValues {
  private readonly pool: BufferPool
  private readonly log: LogWriter
  private readonly step: Step
  private readonly transactions: TransactionManager
  private readonly path: string
  /** Written since the open: values, their bytes, and the blocks that they took. */
  readonly written: { values: number; bytes: number; blocks: number } = { values: 0, bytes: 0, blocks: 0 }
  /** Spare bytes for a list of block numbers. */
  private readonly scratch: Position

  constructor(
    pool: BufferPool,
    log: LogWriter,
    free: FreeBlocks,
    transactions: TransactionManager,
    path: string,
    scratch: number,
  ) {
    this.pool = pool
    this.log = log
    this.step = new Step({ pool, log, free })
    this.transactions = transactions
    this.path = path
    this.scratch = scratch
  }

  get bytesPerBlock(): number {
    return this.pool.blockSize - HEADER_BYTES
  }

  /** Writes a value to a fresh chain, as part of a transaction. */
  write(state: TransactionState, value: Uint8Array): LargePointer {
    const perBlock = this.bytesPerBlock
    const count = Math.ceil(value.length / perBlock)
    const blocks: Block[] = []
    while (blocks.length < count) {
      const more = Math.min(ALLOCATE_AT_ONCE, count - blocks.length)
      blocks.push(...this.step.run(() => this.allocate(state, more)))
    }
    for (let i = 0; i < count; i++) {
      const bytes = value.subarray(i * perBlock, (i + 1) * perBlock)
      this.step.run(() => this.writePart(blocks[i]!, blocks[i + 1] ?? 0, bytes))
    }
    this.written.values++
    this.written.bytes += value.length
    this.written.blocks += count
    return { head: blocks[0]!, tail: blocks[count - 1]!, blocks: count, bytes: value.length }
  }

  private allocate(state: TransactionState, count: number): Block[] {
    const { log, pool, step } = this
    const blocks = step.take(count)
    step.beginOf(state, 1024)
    for (let i = 0; i < count; i++) pool.arena.u32[(this.scratch >>> 2) + i] = blocks[i]!
    log.undo(UndoKind.allocate, 0, this.scratch, 0, this.scratch, 4 * count)
    this.transactions.changed(state, step.end(), 0)
    return blocks
  }

  private writePart(block: Block, next: Block, bytes: Uint8Array): void {
    const { log, pool, step } = this
    const { u8, u16, u32 } = pool.arena
    const part = step.fresh(block)
    const { base } = part
    step.begin(pool.blockSize + 128)
    u8.fill(0, base, base + HEADER_BYTES)
    u8[base + AT_KIND] = BlockKind.large
    u16[(base + AT_GARBAGE) >>> 1] = bytes.length
    u32[(base + AT_NEXT) >>> 2] = next
    u8.set(bytes, base + HEADER_BYTES)
    u8.fill(0, base + HEADER_BYTES + bytes.length, base + pool.blockSize)
    step.format(part, BlockKind.large, 0)
    log.set(AT_GARBAGE, AT_NEXT + 4 - AT_GARBAGE, base + AT_GARBAGE)
    log.set(HEADER_BYTES, bytes.length, base + HEADER_BYTES)
    step.endPart()
    step.end()
  }

  /** Undo of an allocation: the blocks listed in the field become free, in one compensation record. */
  undoAllocate(state: TransactionState, log: Arena, field: Position, fieldLength: number): void {
    const { step } = this
    const blocks: Block[] = []
    for (let at = 0; at < fieldLength; at += 4) blocks.push(log.u32[(field + at) >>> 2]!)
    step.run(() => {
      const parts = blocks.map(block => step.fresh(block))
      step.beginOf(state, 128 + 32 * blocks.length)
      for (const part of parts) step.free(part)
      this.transactions.changed(state, step.end(), 0)
    })
  }

  /** Reads a chain into bytes of its own. */
  read(pointer: LargePointer): Uint8Array {
    const { pool, path, bytesPerBlock } = this
    const { u8, u16, u32 } = pool.arena
    if (pointer.blocks !== Math.ceil(pointer.bytes / bytesPerBlock))
      throw new CorruptionError(
        path,
        `a large value of ${pointer.bytes} bytes claims ${pointer.blocks} blocks`,
        pointer.head,
      )
    // Before anything is allocated for it.
    if (pointer.bytes > MAX_VALUE_BYTES || pointer.blocks >= pool.blocks)
      throw new CorruptionError(
        path,
        `a large value claims ${pointer.bytes} bytes, in a file of ${pool.blocks} blocks`,
        pointer.head,
      )
    const value = new Uint8Array(pointer.bytes)
    let block = pointer.head
    for (let at = 0; at < pointer.bytes; ) {
      const base = pool.get(block)
      const held = u16[(base + AT_GARBAGE) >>> 1]!
      if (u8[base + AT_KIND] !== BlockKind.large || held !== Math.min(bytesPerBlock, pointer.bytes - at))
        throw new CorruptionError(
          path,
          `expected a large value part of ${Math.min(bytesPerBlock, pointer.bytes - at)} bytes, found a ${kindName(u8[base + AT_KIND]!)} of ${held}`,
          block,
        )
      value.set(u8.subarray(base + HEADER_BYTES, base + HEADER_BYTES + held), at)
      at += held
      block = u32[(base + AT_NEXT) >>> 2]!
    }
    return value
  }

  /** The blocks of a chain. */
  blocksOf({ head, blocks }: LargePointer): Block[] {
    const { pool } = this
    const chain = [head]
    while (chain.length < blocks) chain.push(pool.arena.u32[(pool.get(chain[chain.length - 1]!) + AT_NEXT) >>> 2]!)
    return chain
  }

  /** Decodes the value field of a large record at `position`. */
  static pointer({ u8 }: { readonly u8: Uint8Array }, position: Position): LargePointer {
    const word = (at: number): number =>
      (u8[at]! | (u8[at + 1]! << 8) | (u8[at + 2]! << 16) | (u8[at + 3]! << 24)) >>> 0
    return {
      head: word(position),
      tail: word(position + 4),
      blocks: word(position + 8),
      bytes: word(position + 12),
    }
  }

  /** Encodes a pointer at a 4-byte aligned position. */
  static encode(a: Arena, position: Position, pointer: LargePointer): void {
    const w = position >>> 2
    a.u32[w] = pointer.head
    a.u32[w + 1] = pointer.tail
    a.u32[w + 2] = pointer.blocks
    a.u32[w + 3] = pointer.bytes
  }
}
