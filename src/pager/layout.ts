/**
 * The header that every block of the data file but block 0 begins with (little-endian):
 *
 *   offset size
 *        0    4  checksum: CRC-32 of bytes 4 to the end, seeded with the database's UUID and the block's number
 *        4    1  kind (BlockKind)
 *        5    1  directory: level (0 = its children are buckets); tree node: level (0 = leaf)
 *        6    2  count: slots of a bucket, entries of a directory or of a tree node
 *        8    2  bucket: first free slot + 1, 0 = none; tree node: bytes of the prefix that its keys share
 *       10    2  bucket: live records
 *       12    2  bucket, tree node: bytes of the record area, which grows down from the end of the block
 *       14    2  the same: garbage, bytes of the record area that belong to no live record; large: bytes held
 *       16    4  next: overflow block of a bucket, next part of a large value, next free block, next key space,
 *                next list of what was cleared; 0 = none
 *       20    4  reserved, zero
 *       24    8  LSN of the last log record that changed the block
 *       32       contents
 */
export const HEADER_BYTES = 32
export const AT_CHECKSUM = 0
export const AT_KIND = 4
export const AT_LEVEL = 5
export const AT_COUNT = 6
export const AT_FREE_SLOT = 8
export const AT_LIVE = 10
export const AT_RECORD_BYTES = 12
export const AT_GARBAGE = 14
export const AT_NEXT = 16
export const AT_LSN = 24

/** The run of header bytes that a change of a bucket's records may touch: count to garbage. */
export const BUCKET_STATE_OFFSET: number = AT_COUNT
export const BUCKET_STATE_BYTES = 10

/** Number of fixed hash index blocks: blocks 1 to 101. */
export const INDEX_BLOCKS = 101
/** Root of the tree over the times of expiry, and of the tree over the keys: fixed too. */
export const EXPIRY_ROOT: number = INDEX_BLOCKS + 1
export const ORDERED_ROOT: number = INDEX_BLOCKS + 2
/** First block that allocation may hand out. */
export const FIRST_OVERFLOW_BLOCK: number = INDEX_BLOCKS + 3

export const BlockKind = {
  /** Never written, or on the free list. */
  free: 0,
  /** Holds records: an index block that is still a bucket, or an overflow block. */
  bucket: 1,
  /** Maps intervals of hash positions to blocks. */
  directory: 2,
  /** Part of a value too large for a bucket. */
  large: 3,
  /** Of a B+tree: sorted keys. */
  leaf: 4,
  /** Of a B+tree: separators and children. */
  inner: 5,
  /** Says what a key space of its own is: its name, and the roots of its index and trees. */
  space: 6,
  /** Leads to what was cleared or dropped and is not free yet. */
  condemned: 7,
} as const

const KIND_NAMES = [
  'free block',
  'bucket',
  'directory',
  'large value part',
  'tree leaf',
  'inner tree node',
  'key space',
  'list of what was cleared',
]

export const kindName = (kind: number): string => KIND_NAMES[kind] ?? `unknown kind ${kind}`

export const MIN_BLOCK_SIZE = 4096
export const MAX_BLOCK_SIZE = 65536

/** Longest record (header, key, value) that stays in its bucket; a longer one keeps its value in large blocks. */
export const maxInlineRecord = (blockSize: number): number => Math.floor((blockSize - HEADER_BYTES) / 3)
