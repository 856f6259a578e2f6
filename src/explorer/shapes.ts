/** What the explorer says of blocks and keys: plain objects, ready for JSON. Offsets count bytes from the block's start. */

import type { ShownBytes } from './shown.ts'
import type { BlockOrigin } from './source.ts'

export const KINDS = [
  'free',
  'bucket',
  'directory',
  'large',
  'leaf',
  'inner',
  'space',
  'condemned',
  'metadata',
  'unknown',
] as const
/** What the first byte of a block says that it is; `unknown`: nothing that there is. */
export type Kind = (typeof KINDS)[number]

/** What a block is used as: the codes of a map. */
export const USES = [
  'metadata',
  'index',
  'directory',
  'overflow',
  'large',
  'leaf',
  'inner',
  'free',
  'space',
  'condemned',
  'damaged',
] as const
export type Use = (typeof USES)[number]

export const MapFlag = {
  /** In the pool. */
  resident: 1,
  /** Changed since it was last written to the file. */
  dirty: 2,
  /** Laid out and never written. */
  blank: 4,
} as const

/** A run of bytes of a block and what it is. All of them together are the block, without gaps. */
export interface Region {
  readonly at: number
  readonly bytes: number
  readonly what:
    | 'header'
    | 'slots'
    | 'record'
    | 'hole'
    | 'entry'
    | 'prefix'
    | 'separators'
    | 'children'
    | 'data'
    | 'facts'
    | 'unused'
    | 'sector'
  /** Of a record its slot, of an entry its index, of a sector its number. */
  readonly index?: number
}

export interface BlockHeader {
  readonly checksum: number
  readonly level: number
  readonly count: number
  readonly next: number
  readonly lsn: number
}

/** Where a value lies that is too long for a bucket. */
export interface LargePlace {
  readonly head: number
  readonly tail: number
  readonly blocks: number
  readonly bytes: number
}

/** A record of a bucket. */
export interface RecordView {
  readonly slot: number
  readonly tag: number
  readonly at: number
  readonly bytes: number
  readonly key: ShownBytes
  readonly compressed: 'deflate' | 'codec' | undefined
  /** Milliseconds since 1970. */
  readonly expiresAt: number | undefined
  /** Of a compressed value the compressed bytes; undefined: it lies in blocks of its own. */
  readonly value: ShownBytes | undefined
  readonly large: LargePlace | undefined
}

/** A slot without a record: on the list of free slots, in this order. */
export interface FreeSlot {
  readonly slot: number
  /** Offset of the hole that its record has left; 0: none is known. */
  readonly hole: number
  readonly next: number | undefined
}

export interface BucketView {
  readonly slots: number
  readonly live: number
  /** Bytes that records may take between the slots and the record area. */
  readonly gap: number
  /** Bytes of the record area that belong to no record. */
  readonly garbage: number
  readonly records: readonly RecordView[]
  readonly freeSlots: readonly FreeSlot[]
  readonly holes: readonly { readonly at: number; readonly bytes: number }[]
  /** The next block of the chain, 0: none. */
  readonly next: number
}

/** An entry of a directory: the positions from `from` up to the next entry's lead to `child`. */
export interface DirectoryEntry {
  readonly from: number
  readonly child: number
}

export interface DirectoryView {
  readonly level: number
  readonly capacity: number
  readonly entries: readonly DirectoryEntry[]
}

/** An entry of a node: the key, and of an inner node the block with the keys from there on. */
export interface NodeEntry {
  readonly key: ShownBytes
  readonly child: number | undefined
  readonly at: number
  readonly bytes: number
}

export interface NodeView {
  readonly level: number
  readonly prefix: ShownBytes
  readonly gap: number
  readonly garbage: number
  readonly entries: readonly NodeEntry[]
}

export interface SpaceView {
  readonly number: number
  readonly parent: number
  readonly name: string
  readonly isIndex: boolean
  readonly index: number
  readonly ordered: number
  readonly expiry: number
  readonly createdAt: number
  readonly note: ShownBytes
}

export interface MetadataView {
  readonly version: number
  readonly uuid: string
  readonly blockSize: number
  readonly createdAt: number
  readonly ordered: boolean
  readonly records: number
  readonly blocks: number
  readonly freeHead: number
  readonly freeBlocks: number
  readonly firstSpace: number
  readonly firstCondemned: number
  readonly lsn: number
  readonly redoLsn: number
  readonly logLsn: number
  readonly keyEncoding: string
  readonly valueEncoding: string
  /** What the last commit with a mark says, in hexadecimal digits; '': there was none. */
  readonly mark: string
  /** Blocks that were laid out and never written. */
  readonly blank: number
}

/** One block, taken apart. */
export interface BlockView {
  readonly block: number
  /** Of its first byte in the file. */
  readonly offset: number
  readonly blockSize: number
  readonly kind: Kind
  /** The same in words: `bucket`, `tree leaf`. */
  readonly kindName: string
  readonly origin: BlockOrigin
  readonly dirty: boolean
  /** What is wrong with it, if anything. */
  readonly problem: string | undefined
  /** From 0 to 1: how much of what it can hold it holds. */
  readonly fill: number
  readonly header: BlockHeader | undefined
  readonly regions: readonly Region[]
  readonly metadata?: MetadataView
  readonly bucket?: BucketView
  readonly directory?: DirectoryView
  readonly node?: NodeView
  readonly large?: { readonly held: number; readonly next: number }
  readonly space?: SpaceView
  readonly condemned?: { readonly roots: readonly number[]; readonly next: number }
  /** All bytes in hexadecimal digits. */
  readonly hex: string
}
