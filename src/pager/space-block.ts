/**
 * The blocks that lead to what does not belong to the root's key space (little-endian).
 *
 *   key space: what a space of its own is         list of what was cleared or dropped
 *   offset size                                   offset size
 *       32    4  number of the space, from 1          32    4 each: roots of what is to be freed,
 *       36    4  number of the one that it                    as many as the header's count says
 *                lies in, 0 = the root
 *       40    4  its index block
 *       44    4  root of the tree over its keys
 *       48    4  root of the tree over its times of expiry
 *       52    8  key of its hash
 *       60    8  creation time, ms since 1970
 *       68    2  bytes of its name
 *       70    2  bytes of what callers keep about it
 *       72       name (UTF-8), then those bytes
 */
import { type Arena, copyBytes } from '../runtime/bytes.ts'
import { AT_COUNT, HEADER_BYTES } from './layout.ts'
import type { Block, Position } from './place.ts'

const AT_NUMBER = 32
const AT_PARENT = 36
export const AT_INDEX_ROOT = 40
export const AT_ORDERED_ROOT = 44
export const AT_EXPIRY_ROOT = 48
/** From the index block to the root of the last tree. */
export const ROOTS_BYTES = 12
const AT_HASH_KEY = 52
const AT_CREATED = 60
const AT_NAME_LENGTH = 68
const AT_NOTE_LENGTH = 70
const AT_NAME = 72

/** Most bytes of a name, and of a note, in the smallest block. */
export const MAX_SPACE_NAME_BYTES = 1024
export const MAX_SPACE_NOTE_BYTES = 2048

/** What a block of a key space says. */
export interface SpaceFacts {
  readonly number: number
  /** Number of the space that it lies in, 0 = the root. */
  readonly parent: number
  readonly index: Block
  readonly ordered: Block
  readonly expiry: Block
  readonly hashKey: readonly [number, number]
  /** Milliseconds since 1970. */
  readonly createdAt: number
  readonly name: string
  /** What callers keep about it: nothing to the layers below. */
  readonly note: Uint8Array
}

const utf8 = new TextEncoder()
const text = new TextDecoder()

export const readSpace = (a: Arena, base: Position): SpaceFacts => {
  const word = (at: number): number => a.u32[(base + at) >>> 2]!
  const nameLength = a.u16[(base + AT_NAME_LENGTH) >>> 1]!
  const noteAt = base + AT_NAME + nameLength
  return {
    number: word(AT_NUMBER),
    parent: word(AT_PARENT),
    index: word(AT_INDEX_ROOT),
    ordered: word(AT_ORDERED_ROOT),
    expiry: word(AT_EXPIRY_ROOT),
    hashKey: [word(AT_HASH_KEY), word(AT_HASH_KEY + 4)],
    createdAt: word(AT_CREATED) + word(AT_CREATED + 4) * 4294967296,
    name: text.decode(copyBytes(a.u8, base + AT_NAME, noteAt)),
    note: copyBytes(a.u8, noteAt, noteAt + a.u16[(base + AT_NOTE_LENGTH) >>> 1]!),
  }
}

/** Writes the facts into a block that has been formatted; returns how many bytes behind the header they take. */
export const writeSpace = (a: Arena, base: Position, facts: SpaceFacts): number => {
  const name = utf8.encode(facts.name)
  const words: [number, number][] = [
    [AT_NUMBER, facts.number],
    [AT_PARENT, facts.parent],
    [AT_INDEX_ROOT, facts.index],
    [AT_ORDERED_ROOT, facts.ordered],
    [AT_EXPIRY_ROOT, facts.expiry],
    [AT_HASH_KEY, facts.hashKey[0]],
    [AT_HASH_KEY + 4, facts.hashKey[1]],
    [AT_CREATED, facts.createdAt % 4294967296],
    [AT_CREATED + 4, Math.floor(facts.createdAt / 4294967296)],
  ]
  for (const [at, value] of words) a.u32[(base + at) >>> 2] = value
  a.u16[(base + AT_NAME_LENGTH) >>> 1] = name.length
  a.u16[(base + AT_NOTE_LENGTH) >>> 1] = facts.note.length
  a.u8.set(name, base + AT_NAME)
  a.u8.set(facts.note, base + AT_NAME + name.length)
  return AT_NAME + name.length + facts.note.length - HEADER_BYTES
}

/** Bytes of a name as it is stored. */
export const spaceNameBytes = (name: string): number => utf8.encode(name).length

/** What is wrong with the contents of such a block, or undefined. */
export const spaceProblem = (a: Arena, base: Position, blockSize: number): string | undefined => {
  const bytes = a.u16[(base + AT_NAME_LENGTH) >>> 1]! + a.u16[(base + AT_NOTE_LENGTH) >>> 1]!
  if (AT_NAME + bytes > blockSize) return `a key space whose name and note take ${bytes} bytes`
  if (a.u32[(base + AT_NUMBER) >>> 2] === 0) return 'a key space without a number'
  return undefined
}

/** Roots that a list can hold. */
export const condemnedCapacity = (blockSize: number): number => (blockSize - HEADER_BYTES) >>> 2

export const condemnedCount = (a: Arena, base: Position): number => a.u16[(base + AT_COUNT) >>> 1]!

export const condemnedRoot = (a: Arena, base: Position, index: number): Block =>
  a.u32[((base + HEADER_BYTES) >>> 2) + index]!

export const condemnedProblem = (a: Arena, base: Position, blockSize: number): string | undefined => {
  const count = condemnedCount(a, base)
  return count > condemnedCapacity(blockSize) ? `a list of ${count} blocks` : undefined
}
