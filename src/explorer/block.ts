/** One block of the data file, taken apart: what `xenondb inspect --block` prints and the page draws. */
import { INDEX, nameOf } from '../engine/space-names.ts'
import { InvalidArgumentError } from '../errors.ts'
import { blanks } from '../pager/blank.ts'
import { blockLsn, liveBytes } from '../pager/bucket.ts'
import { directoryCapacity, entryCount } from '../pager/directory.ts'
import {
  AT_CHECKSUM,
  AT_COUNT,
  AT_GARBAGE,
  AT_KIND,
  AT_LEVEL,
  AT_NEXT,
  BlockKind,
  HEADER_BYTES,
  kindName,
} from '../pager/layout.ts'
import { METADATA_BYTES, SECTOR } from '../pager/metadata.ts'
import { nodeLiveBytes } from '../pager/node.ts'
import type { Block, Position } from '../pager/place.ts'
import { condemnedCapacity, condemnedCount, condemnedRoot, readSpace, type SpaceFacts } from '../pager/space-block.ts'
import { Arena, toHex } from '../runtime/bytes.ts'
import { bucketRegions, viewBucket } from './bucket.ts'
import { directoryRegions, nodeRegions, viewDirectory, viewNode } from './node.ts'
import { type BlockHeader, type BlockView, KINDS, type Kind, type MetadataView, type Region } from './shapes.ts'
import { shownBytes } from './shown.ts'
import type { BlockFound, BlockSource } from './source.ts'

/** Of a block: how much of what it can hold it holds, from 0 to 1. Its contents are sound. */
export const fillOf = (a: Arena, base: Position, blockSize: number): number => {
  const usable = blockSize - HEADER_BYTES
  const kind = a.u8[base + AT_KIND]!
  if (kind === BlockKind.bucket) return liveBytes(a, base) / usable
  if (kind === BlockKind.directory) return entryCount(a, base) / directoryCapacity(blockSize)
  if (kind === BlockKind.leaf || kind === BlockKind.inner) return nodeLiveBytes(a, base) / usable
  if (kind === BlockKind.large) return a.u16[(base + AT_GARBAGE) >>> 1]! / usable
  if (kind === BlockKind.condemned) return condemnedCount(a, base) / condemnedCapacity(blockSize)
  return kind === BlockKind.space ? spaceBytes(readSpace(a, base)) / usable : 0
}

const spaceBytes = (facts: SpaceFacts): number => 40 + new TextEncoder().encode(facts.name).length + facts.note.length

/** @throws InvalidArgumentError if there is no such block */
export const viewBlock = (source: BlockSource, block: Block): BlockView => {
  if (!Number.isSafeInteger(block) || block < 0 || block >= source.blocks)
    throw new InvalidArgumentError(`there is no block ${block}: the blocks are 0 to ${source.blocks - 1}`)
  if (block === 0) return viewMetadata(source)
  const a = new Arena(source.blockSize)
  const found = source.read(block, a, 0)
  return { ...viewOf(source, block, a, found), hex: toHex(a.u8) }
}

const viewOf = (source: BlockSource, block: Block, a: Arena, found: BlockFound): Omit<BlockView, 'hex'> => {
  const { blockSize } = source
  const kindByte = a.u8[AT_KIND]!
  const common = {
    block,
    offset: block * blockSize,
    blockSize,
    kind: kindOf(kindByte),
    kindName: kindName(kindByte),
    origin: found.origin,
    dirty: found.dirty,
    problem: found.checksumProblem ?? found.problem,
    header: headerOf(a, 0),
  }
  const rest: Region = { at: HEADER_BYTES, bytes: blockSize - HEADER_BYTES, what: 'unused' }
  // Nothing of what it says can be followed.
  if (found.problem !== undefined) return { ...common, fill: 0, regions: [HEADER, rest] }
  const parts = partsOf(source, kindByte, a)
  const { regions = [rest], ...view } = parts
  const inOrder = [HEADER, ...regions].filter(({ bytes }) => bytes > 0).sort((x, y) => x.at - y.at)
  return { ...common, fill: fillOf(a, 0, blockSize), ...view, regions: inOrder }
}

const HEADER: Region = { at: 0, bytes: HEADER_BYTES, what: 'header' }

const kindOf = (kind: number): Kind => (kind <= BlockKind.condemned ? KINDS[kind]! : 'unknown')

const headerOf = (a: Arena, base: Position): BlockHeader => ({
  checksum: a.u32[(base + AT_CHECKSUM) >>> 2]!,
  level: a.u8[base + AT_LEVEL]!,
  count: a.u16[(base + AT_COUNT) >>> 1]!,
  next: a.u32[(base + AT_NEXT) >>> 2]!,
  lsn: blockLsn(a, base),
})

const partsOf = (source: BlockSource, kind: number, a: Arena): Partial<BlockView> => {
  const { blockSize, metadata } = source
  const next = a.u32[AT_NEXT >>> 2]!
  if (kind === BlockKind.bucket) {
    const bucket = viewBucket(a, 0, blockSize, metadata.keyEncoding === 'tuple')
    return { bucket, regions: bucketRegions(bucket) }
  }
  if (kind === BlockKind.directory) {
    const directory = viewDirectory(a, 0, blockSize)
    return { directory, regions: directoryRegions(directory, blockSize) }
  }
  if (kind === BlockKind.leaf || kind === BlockKind.inner) {
    const node = viewNode(a, 0, blockSize, metadata.keyEncoding === 'tuple')
    return { node, regions: nodeRegions(node, blockSize) }
  }
  if (kind === BlockKind.large) {
    const held = Math.min(a.u16[AT_GARBAGE >>> 1]!, blockSize - HEADER_BYTES)
    return { large: { held, next }, regions: filled('data', held, blockSize) }
  }
  if (kind === BlockKind.space) {
    const facts = readSpace(a, 0)
    const space = {
      number: facts.number,
      parent: facts.parent,
      name: facts.name.slice(1),
      isIndex: facts.name.startsWith(INDEX),
      index: facts.index,
      ordered: facts.ordered,
      expiry: facts.expiry,
      createdAt: facts.createdAt,
      note: shownBytes(facts.note),
    }
    return { space, regions: filled('facts', spaceBytes(facts), blockSize) }
  }
  if (kind === BlockKind.condemned) {
    const roots = Array.from({ length: condemnedCount(a, 0) }, (_, i) => condemnedRoot(a, 0, i))
    return { condemned: { roots, next }, regions: filled('children', 4 * roots.length, blockSize) }
  }
  return {}
}

const filled = (what: Region['what'], bytes: number, blockSize: number): Region[] => [
  { at: HEADER_BYTES, bytes, what },
  { at: HEADER_BYTES + bytes, bytes: blockSize - HEADER_BYTES - bytes, what: 'unused' },
]

const viewMetadata = (source: BlockSource): BlockView => {
  const { blockSize, metadata, storage } = source
  const bytes = source.head()
  const sectors: Region[] = [0, 1, 2].map(index => ({ at: index * SECTOR, bytes: SECTOR, what: 'sector', index }))
  const rest: Region = { at: METADATA_BYTES, bytes: blockSize - METADATA_BYTES, what: 'unused' }
  // Of files that others write, the state may be newer than what was read first.
  const problems = source.pool === undefined ? [] : metadata.problems(bytes.subarray(0, METADATA_BYTES), storage)
  return {
    block: 0,
    offset: 0,
    blockSize,
    kind: 'metadata',
    kindName: 'metadata',
    origin: 'file',
    dirty: false,
    problem: problems[0],
    fill: METADATA_BYTES / blockSize,
    header: undefined,
    regions: [...sectors, rest],
    metadata: metadataFacts(source),
    hex: toHex(bytes),
  }
}

/** What block 0 says. */
export const metadataFacts = ({ metadata }: BlockSource): MetadataView => ({
  version: metadata.identity.version,
  uuid: toHex(metadata.identity.uuid),
  blockSize: metadata.identity.blockSize,
  createdAt: metadata.identity.createdAt,
  ordered: metadata.ordered,
  records: metadata.records,
  blocks: metadata.blocks,
  freeHead: metadata.freeHead,
  freeBlocks: metadata.freeBlocks,
  firstSpace: metadata.firstSpace,
  firstCondemned: metadata.firstCondemned,
  lsn: metadata.lsn,
  redoLsn: metadata.redoLsn,
  logLsn: metadata.logLsn,
  keyEncoding: metadata.keyEncoding,
  valueEncoding: metadata.valueEncoding,
  mark: metadata.mark === undefined ? '' : toHex(metadata.mark),
  blank: blanks(metadata.blank).length,
})

/** A key space beside the root, as its block says. */
export interface ListedSpace {
  readonly block: Block
  readonly facts: SpaceFacts
  readonly kind: 'sub' | 'index'
  /** The names of those that it lies in, and its own at the end; undefined: one of those is gone. */
  readonly path: readonly string[] | undefined
}

/** The key spaces, in the order of their list, as far as it can be followed. */
export const listSpaces = (source: BlockSource): ListedSpace[] => {
  const a = new Arena(source.blockSize)
  const found: { block: Block; facts: SpaceFacts }[] = []
  const seen = new Set<Block>()
  for (let block = source.metadata.firstSpace; block > 0 && block < source.blocks && !seen.has(block); ) {
    seen.add(block)
    if (source.read(block, a, 0).problem !== undefined || a.u8[AT_KIND] !== BlockKind.space) break
    found.push({ block, facts: readSpace(a, 0) })
    block = a.u32[AT_NEXT >>> 2]!
  }
  const byNumber = new Map(found.map(({ facts }) => [facts.number, facts]))
  return found.map(({ block, facts }) => {
    const name = nameOf(facts, byNumber)
    return { block, facts, kind: facts.name.startsWith(INDEX) ? 'index' : 'sub', path: name?.path }
  })
}
