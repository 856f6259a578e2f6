/** A small database with every kind of block, cheap enough to be opened tens of thousands of times. */
import * as zlib from 'node:zlib'
import { type Database, type OpenOptions, open, type Storage } from '../../src/index.ts'
import { isBlank } from '../../src/pager/blank.ts'
import { AT_KIND, BlockKind, INDEX_BLOCKS } from '../../src/pager/layout.ts'
import { METADATA_BYTES, Metadata } from '../../src/pager/metadata.ts'
import { hashIn, keysOfRoot } from '../hash/keys.ts'
import { type Image, readImage, storageOf } from '../support/image.ts'
import type { Records } from '../support/model.ts'
import type { Random } from '../support/random.ts'
import { groupsOf } from './groups.ts'

export const BLOCK = 4096

/** A pool that holds most of the sample. */
export const smallOptions: OpenOptions = {
  durability: 'power',
  cacheBytes: 524288,
  logSegmentBytes: 131072,
}

export interface Small {
  /** After a clean close. */
  closed: Image
  closedRecords: Records<string>
  /** Of the live database some commits later: a log of two segments, and changed blocks that are only in the log. */
  live: Image
  liveRecords: Records<string>
  /** As `liveRecords`, without the last commit, which the last group of the log alone holds. */
  beforeLast: Records<string>
  /** All states since its last checkpoint. */
  states: Records<string>[]
}

/** Storage in memory with the fast checksum, holding an image. */
export function fastStorage(image: Image): Storage {
  const { crc32 } = zlib as { crc32?: (bytes: Uint8Array, seed: number) => number }
  const storage = storageOf(image)
  return crc32 === undefined ? storage : { ...storage, crc32 }
}

export async function smallSample(random: Random): Promise<Small> {
  const storage = fastStorage(new Map())
  const records: Records<string> = new Map()
  let db = open('db', { ...smallOptions, storage })
  const states: Records<string>[] = []
  const put = (key: string, value: string): void => {
    db.put(key, value)
    records.set(key, value)
    states.push(new Map(records))
  }
  const remove = (key: string): void => {
    db.delete(key)
    records.delete(key)
    states.push(new Map(records))
  }
  const text = (from: number, to: number): string =>
    String.fromCharCode(97 + random.below(26)).repeat(random.between(from, to))
  const hash = hashIn(readImage('db', storage))
  // A root that has become a directory, one with an overflow block, and single records elsewhere.
  for (const key of keysOfRoot(hash, 7, 14, random)) put(key, text(900, 1300))
  const chained = keysOfRoot(hash, 50, 5, random)
  for (const key of chained) put(key, text(1000, 1300))
  for (let i = 0; i < 12; i++) put(`key ${i}`, text(0, 200))
  put('large', text(9_000, 12_000))
  put('large too', text(5_000, 6_000))
  put('dropped', text(9_000, 12_000))
  remove('dropped')
  remove('key 3')
  db.close()
  const closed = readImage('db', storage)
  const closedRecords = new Map(records)

  db = open('db', { ...smallOptions, storage })
  while (db.stats().log.bytes < 105_000) put('filler', text(6_000, 7_000))
  await db.checkpoint()
  states.splice(0, states.length, new Map(records))
  while (segmentsInUse(readImage('db', storage)) < 2) put('filler', text(3_000, 4_000))
  put(chained[0]!, text(1000, 1300))
  db.transaction(tx => {
    for (const key of ['key 0', 'key 1', 'large too', 'new']) {
      const value = text(100, 9_000)
      tx.put(key, value)
      records.set(key, value)
    }
  })
  states.push(new Map(records))
  remove('key 5')
  put('large', text(9_000, 16_000))
  for (let i = 12; i < 18; i++) put(`key ${i}`, text(0, 300))
  put('filler', text(6_000, 7_000))
  const beforeLast = new Map(records)
  put('last', text(10, 500))
  const live = readImage('db', storage)
  db.close()
  return { closed, closedRecords, live, liveRecords: records, beforeLast, states }
}

/** How many segments hold groups that recovery would read. */
function segmentsInUse(image: Image): number {
  return new Set(groupsOf(image, metadataIn(image).redoLsn).map(group => group.segment)).size
}

export function metadataIn(image: Image): Metadata {
  return Metadata.decode(image.get('data')!.subarray(0, METADATA_BYTES), 'data', fastStorage(new Map()))
}

/** Whether the bytes of a block count for something. */
export function isWritten(image: Image, block: number): boolean {
  return block * BLOCK < image.get('data')!.length && !isBlank(metadataIn(image).blank, block)
}

/** Offset of a byte of the data file that counts for something. */
export function writtenByte(image: Image, random: Random): number {
  for (;;) {
    const at = random.below(image.get('data')!.length)
    if (isWritten(image, Math.floor(at / BLOCK))) return at
  }
}

/** Gives a block the checksum that its bytes ask for. */
export function seal(image: Image, block: number): void {
  const { crc32 } = fastStorage(new Map())
  const number = new Uint8Array(new Uint32Array([block]).buffer)
  const bytes = image.get('data')!.subarray(block * BLOCK, (block + 1) * BLOCK)
  const checksum = crc32(bytes.subarray(4), crc32(number, crc32(metadataIn(image).identity.uuid, 0)))
  bytes.set(new Uint8Array(new Uint32Array([checksum]).buffer))
}

/** One block of each kind that there is, and of each place that a bucket can have. */
export function blockOfEachKind(image: Image): Record<string, number> {
  const data = image.get('data')!
  const find = (kind: number, from: number, wanted: (at: number) => boolean = () => true): number => {
    for (let block = from; block * BLOCK < data.length; block++)
      if (data[block * BLOCK + AT_KIND] === kind && wanted(block * BLOCK) && isWritten(image, block)) return block
    return 0
  }
  const live = (at: number): number => data[at + 10]!
  const blocks = {
    'an index block with records': find(BlockKind.bucket, 1, at => live(at) > 0),
    'an empty index block': find(BlockKind.bucket, 1, at => live(at) === 0),
    'an index block with a directory': find(BlockKind.directory, 1),
    'an overflow block': find(BlockKind.bucket, INDEX_BLOCKS + 1),
    'a large value part': find(BlockKind.large, INDEX_BLOCKS + 1),
    'a free block': find(BlockKind.free, INDEX_BLOCKS + 1),
  }
  return Object.fromEntries(Object.entries(blocks).filter(([, block]) => block > 0))
}

/** Every record, by the cursor. */
export function scanned(db: Database): Records<string> {
  const records: Records<string> = new Map()
  db.reset()
  while (db.next()) {
    const { key, value } = db.readCurrent()
    records.set(key, value)
  }
  return records
}
