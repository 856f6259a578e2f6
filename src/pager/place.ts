/**
 * Numbers that mean different things, told apart by the compiler alone: a bare number may become any of them, and none
 * of them another one. At run time they are numbers.
 */

/** Number of a block of the data file. */
export type Block = number & { readonly of?: 'block' }

/** Byte offset into the arena: of a block, of a record, of a key. */
export type Position = number & { readonly of?: 'position' }

/** Byte position in the endless stream of the log (`log/format.ts`). */
export type Lsn = number & { readonly of?: 'lsn' }

/** A block, and where it lies in the pool. */
export interface Place {
  readonly block: Block
  readonly base: Position
}
