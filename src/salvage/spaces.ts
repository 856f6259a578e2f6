/**
 * The key spaces of a damaged database beside its root, as far as the blocks that say what they are can be read. Where
 * the list of these blocks is whole, it counts. Where it breaks off, or block 0 is lost, every sound block of the kind
 * counts: nothing else looks like one. A space whose own block is damaged is lost by name, and with it the key of its
 * hash, by which its records could be told from others.
 */
import { INDEX, nameOf, SUB } from '../engine/space-names.ts'
import { blockLsn } from '../pager/bucket.ts'
import { AT_KIND, AT_NEXT, BlockKind, kindName } from '../pager/layout.ts'
import { OLDEST_FORMAT_VERSION } from '../pager/metadata.ts'
import { readSpace, type SpaceFacts } from '../pager/space-block.ts'
import { Arena } from '../runtime/bytes.ts'
import type { Blocks } from './blocks.ts'
import type { Source } from './source.ts'

export interface FoundSpace {
  readonly facts: SpaceFacts
  /** The names of those that it lies in, and its own at the end. */
  readonly path: string[]
  /** An index is not rescued: it is built anew from the records. */
  readonly isIndex: boolean
}

export interface FoundSpaces {
  /** Outer ones before those that lie in them. */
  readonly spaces: readonly FoundSpace[]
  /** There are no others. */
  readonly areAll: boolean
  readonly warnings: readonly string[]
}

/** What stands in place of an outer space that is lost: encodings that any record can be read with as bytes. */
const LOST_NOTE: Uint8Array = new TextEncoder().encode('{"keyEncoding":"utf8","valueEncoding":"utf8"}')

/** `end`: LSN behind the readable log. */
export const findSpaces = (source: Source, blocks: Blocks, end: number): FoundSpaces => {
  const warnings: string[] = []
  const chain = followList(source, blocks, warnings)
  const areAll = chain.isWhole
  const byNumber = new Map<number, SpaceFacts>()
  const byName = new Map<string, SpaceFacts>()
  const add = (facts: SpaceFacts): void => {
    const name = `${facts.parent} ${facts.name}`
    const same = byName.get(name)
    // Of blocks of different times the later space has the name.
    if (byNumber.has(facts.number) || (same !== undefined && same.number > facts.number)) return
    if (same !== undefined) byNumber.delete(same.number)
    byNumber.set(facts.number, facts)
    byName.set(name, facts)
  }
  for (const facts of chain.listed) add(facts)
  const arena = new Arena(source.data.blockSize)
  for (const block of blocks.ofKind(BlockKind.space)) {
    if (blocks.read(block, arena) !== undefined) continue
    if (!chain.isLed || !areAll || blockLsn(arena, 0) > end) add(readSpace(arena, 0))
  }
  if (!areAll) addLost(byNumber, warnings)
  return { spaces: inOrder(byNumber), areAll, warnings }
}

/** The list as block 0 leads to it, if it does (`isLed`). */
const followList = (
  { data, metadata, soundStates }: Source,
  blocks: Blocks,
  warnings: string[],
): { listed: SpaceFacts[]; isWhole: boolean; isLed: boolean } => {
  const listed: SpaceFacts[] = []
  if (soundStates === 0) {
    // A database of the first version has none; in another one a damaged block may have been one.
    const hasNone = metadata.identity.version === OLDEST_FORMAT_VERSION && blocks.ofKind(BlockKind.space).length === 0
    return { listed, isWhole: hasNone || blocks.damaged === 0, isLed: false }
  }
  const arena = new Arena(data.blockSize)
  const seen = new Set<number>()
  for (let block = metadata.firstSpace; block !== 0; block = arena.u32[AT_NEXT >>> 2]!) {
    const kind = (): number => arena.u8[AT_KIND]!
    const problem = seen.has(block) ? 'the list is cyclic' : blocks.read(block, arena)
    const reason = problem ?? (kind() === BlockKind.space ? undefined : `it is a ${kindName(kind())}`)
    if (reason !== undefined) {
      blocks.noteUse(block, 'sub-database')
      warnings.push(
        `the list of sub-databases breaks off at block ${block} (${reason}): one of them is lost, by name and with its records; those behind it were looked for among all blocks`,
      )
      return { listed, isWhole: false, isLed: true }
    }
    seen.add(block)
    listed.push(readSpace(arena, 0))
  }
  return { listed, isWhole: true, isLed: true }
}

/** Puts something in the place of lost spaces that others lie in, so that these can be rescued. */
const addLost = (byNumber: Map<number, SpaceFacts>, warnings: string[]): void => {
  for (const { parent } of [...byNumber.values()]) {
    if (parent === 0 || byNumber.has(parent)) continue
    const names = new Set([...byNumber.values()].filter(facts => facts.parent === 0).map(({ name }) => name))
    let name = `lost-${parent}`
    while (names.has(SUB + name)) name += '-'
    const nothing = { index: 0, ordered: 0, expiry: 0, createdAt: 0, hashKey: [0, 0] as const }
    byNumber.set(parent, { ...nothing, number: parent, parent: 0, name: SUB + name, note: LOST_NOTE })
    warnings.push(`the name of a sub-database that others lie in is lost: '${name}' stands for it`)
  }
}

/** A space is younger than the one that it lies in. */
const inOrder = (byNumber: ReadonlyMap<number, SpaceFacts>): FoundSpace[] => {
  const found: FoundSpace[] = []
  for (const facts of [...byNumber.values()].sort((a, b) => a.number - b.number)) {
    const name = nameOf(facts, byNumber)
    if (name !== undefined) found.push({ facts, path: name.path, isIndex: facts.name.startsWith(INDEX) })
  }
  return found
}
