/**
 * Blocks that creation lays out and does not write: the index blocks and the roots of the trees. Such a block is blank,
 * which is to say that it is empty and that its bytes in the file mean nothing, until it is written for the first time;
 * so that a new database is one block long. One bit each, of block 1 first, in 4 words.
 *
 * Block 0 says which ones are blank, as of its redo LSN: what has changed a block that it calls blank lies behind that
 * in the log, though the block may have been written since. So recovery makes such a block from an empty one.
 */
import type { Arena } from '../runtime/bytes.ts'
import { formatBucket } from './bucket.ts'
import { FIRST_OVERFLOW_BLOCK, INDEX_BLOCKS } from './layout.ts'
import { formatNode } from './node.ts'
import type { Block, Position } from './place.ts'

export const BLANK_WORDS: number = Math.ceil((FIRST_OVERFLOW_BLOCK - 1) / 32)

export type BlankBits = Uint32Array

/** None is blank: as in a database of format version 2. */
export const noneBlank = (): BlankBits => new Uint32Array(BLANK_WORDS)

/** All are: as in a new database. */
export const allBlank = (): BlankBits => {
  const bits = noneBlank()
  for (let block = 1; block < FIRST_OVERFLOW_BLOCK; block++) bits[(block - 1) >>> 5]! |= 1 << ((block - 1) & 31)
  return bits
}

export const isBlank = (bits: BlankBits, block: Block): boolean =>
  block < FIRST_OVERFLOW_BLOCK && block > 0 && ((bits[(block - 1) >>> 5]! >>> ((block - 1) & 31)) & 1) === 1

/** Blocks `first` to `first + count - 1` are written. */
export const noteWritten = (bits: BlankBits, first: Block, count: number): void => {
  const end = Math.min(first + count, FIRST_OVERFLOW_BLOCK)
  for (let block = first; block < end; block++) bits[(block - 1) >>> 5]! &= ~(1 << ((block - 1) & 31))
}

/** The blank blocks. */
export const blanks = (bits: BlankBits): Block[] => {
  const found: Block[] = []
  if (bits.some(word => word !== 0))
    for (let block = 1; block < FIRST_OVERFLOW_BLOCK; block++) if (isBlank(bits, block)) found.push(block)
  return found
}

/** Makes the bytes of a blank block. */
export const formatBlank = (block: Block, a: Arena, base: Position, blockSize: number): void =>
  formatEmpty(a, base, blockSize, block > INDEX_BLOCKS)

/** The empty first block of a tree, or of the hash index. */
export const formatEmpty = (a: Arena, base: Position, blockSize: number, isTree: boolean): void => {
  if (isTree) formatNode(a, base, blockSize, 0, a.u8, 0, 0)
  else formatBucket(a, base, blockSize)
}
