/** Reads large values whose parts may be damaged: a value is whole, or it is lost. */

import { type LargePointer, LargeValues } from '../hash/large.ts'
import { blockLsn, LARGE_POINTER_BYTES } from '../pager/bucket.ts'
import { AT_GARBAGE, AT_KIND, AT_NEXT, BlockKind, HEADER_BYTES, kindName } from '../pager/layout.ts'
import { Arena } from '../runtime/bytes.ts'
import { MAX_VALUE_BYTES } from '../values/limits.ts'
import type { Blocks } from './blocks.ts'

const MOST_USES = 4

export interface LostValue {
  block: number
  reason: string
}

export class LargeReader {
  private readonly blocks: Blocks
  private readonly arena: Arena
  private readonly field: Arena = new Arena(LARGE_POINTER_BYTES)
  private readonly perBlock: number
  private readonly end: number
  /** How often each block was read as a part. */
  private readonly uses: Uint8Array

  /** `end`: LSN behind the readable log. */
  constructor(blocks: Blocks, blockSize: number, end: number) {
    this.blocks = blocks
    this.arena = new Arena(blockSize)
    this.perBlock = blockSize - HEADER_BYTES
    this.end = end
    this.uses = new Uint8Array(blocks.total)
  }

  /**
   * The value that a record's field points to, or why it is lost. A part that is newer than the readable log may
   * belong to another value by now, and so may any part of a record that is newer itself.
   */
  read(field: Uint8Array, block: number, isNewer: boolean): Uint8Array | LostValue {
    if (field.length !== LARGE_POINTER_BYTES)
      return { block, reason: `its pointer to a large value has ${field.length} bytes` }
    this.field.u8.set(field)
    const pointer = LargeValues.pointer(this.field, 0)
    if (
      pointer.bytes > MAX_VALUE_BYTES ||
      pointer.blocks >= this.blocks.total ||
      pointer.blocks !== Math.ceil(pointer.bytes / this.perBlock)
    )
      return { block, reason: `a large value of ${pointer.bytes} bytes claims ${pointer.blocks} blocks` }
    if (isNewer)
      return {
        block,
        reason: 'its block is newer than the readable log, so its large value cannot be checked',
      }
    return this.readParts(pointer)
  }

  private readParts({ head, tail, bytes }: LargePointer): Uint8Array | LostValue {
    const { arena, perBlock } = this
    let value: Uint8Array | undefined
    let block = head
    for (let at = 0; at < bytes; ) {
      const problem =
        this.useProblem(block) ?? this.blocks.read(block, arena) ?? this.partProblem(Math.min(perBlock, bytes - at))
      if (problem !== undefined) {
        this.blocks.noteUse(block, 'large value')
        return { block, reason: problem }
      }
      value ??= new Uint8Array(bytes)
      const held = arena.u16[AT_GARBAGE >>> 1]!
      value.set(arena.u8.subarray(HEADER_BYTES, HEADER_BYTES + held), at)
      at += held
      if (at === bytes && block !== tail) return { block, reason: `the value ends here instead of in block ${tail}` }
      block = arena.u32[AT_NEXT >>> 2]!
    }
    return value ?? new Uint8Array(0)
  }

  /** A part belongs to one value; where damage leads several records to it, time is bounded all the same. */
  private useProblem(block: number): string | undefined {
    if (block >= this.uses.length) return undefined
    if (this.uses[block]! >= MOST_USES) return 'more records than one lead to this part of a large value'
    this.uses[block]!++
    return undefined
  }

  private partProblem(expected: number): string | undefined {
    const { u8, u16 } = this.arena
    const held = u16[AT_GARBAGE >>> 1]!
    if (u8[AT_KIND] !== BlockKind.large || held !== expected)
      return `expected a large value part of ${expected} bytes, found a ${kindName(u8[AT_KIND]!)} of ${held}`
    if (blockLsn(this.arena, 0) > this.end)
      return 'this part of a large value is newer than the readable log, so it may belong to another one'
    return undefined
  }
}
