/** Keys in their order, read from the leaves of the tree: what a search box offers while somebody types. */
import { AT_KIND, BlockKind } from '../pager/layout.ts'
import { nodeChild, nodeCount, searchNode } from '../pager/node.ts'
import type { Block } from '../pager/place.ts'
import { Arena } from '../runtime/bytes.ts'
import { performance } from '../runtime/timers.ts'
import { keyOfEntry } from './node.ts'
import { type ShownBytes, shownBytes } from './shown.ts'
import type { BlockSource } from './source.ts'
import type { SpaceView } from './space.ts'

const KEY_ROOM = 2048
/** A search for a part of a key ends after so long. */
const SEARCH_MS = 400

/** What a search has found. */
export interface Search {
  readonly keys: readonly ShownBytes[]
  /** There may be more: enough were found, or it took too long. */
  readonly more: boolean
}

/**
 * The keys that begin with some text; if there are none, those that hold it anywhere, whatever the case of its letters.
 * A database without the ordered index has no keys in order, and none are found.
 */
export const searchKeys = (source: BlockSource, space: SpaceView, text: string, limit: number): Search => {
  if (!source.metadata.ordered) return { keys: [], more: false }
  const prefix = new TextEncoder().encode(text)
  const shown = (keys: readonly Uint8Array[], more: boolean): Search => ({
    keys: keys.slice(0, limit).map(key => shownBytes(key, space.isTuple)),
    more,
  })
  const begun: Uint8Array[] = []
  for (const key of keysFrom(source, space, prefix)) {
    if (prefix.some((byte, i) => key[i] !== byte)) break
    if (begun.push(key) > limit) break
  }
  if (begun.length > 0 || text === '') return shown(begun, begun.length > limit)
  const wanted = text.toLowerCase()
  const utf8 = new TextDecoder()
  const until = performance.now() + SEARCH_MS
  const found: Uint8Array[] = []
  let looked = 0
  for (const key of keysFrom(source, space, new Uint8Array(0))) {
    if (utf8.decode(key).toLowerCase().includes(wanted) && found.push(key) > limit) break
    if ((++looked & 0x3ff) === 0 && performance.now() > until) return shown(found, true)
  }
  return shown(found, found.length > limit)
}

/** The keys from one on, as far as the nodes of the tree are sound. */
export function* keysFrom(source: BlockSource, space: SpaceView, first: Uint8Array): Generator<Uint8Array, void, void> {
  yield* keysBelow(source, space.ordered, first, new Set())
}

function* keysBelow(
  source: BlockSource,
  block: Block,
  first: Uint8Array | undefined,
  seen: Set<Block>,
): Generator<Uint8Array, void, void> {
  const { blockSize } = source
  if (block < 1 || block >= source.blocks || seen.has(block)) return
  seen.add(block)
  const a = new Arena(blockSize + KEY_ROOM)
  const { problem, checksumProblem } = source.read(block, a, 0)
  if (problem !== undefined || checksumProblem !== undefined) return
  const isInner = a.u8[AT_KIND] === BlockKind.inner
  if (!isInner && a.u8[AT_KIND] !== BlockKind.leaf) return
  let entry = 0
  if (first !== undefined) {
    const key = first.subarray(0, KEY_ROOM)
    a.u8.set(key, blockSize)
    const at = searchNode(a, 0, blockSize, blockSize, key.length)
    entry = isInner && (at & 1) === 0 ? Math.max(0, (at >>> 1) - 1) : at >>> 1
  }
  for (let i = entry; i < nodeCount(a, 0); i++)
    if (isInner) yield* keysBelow(source, nodeChild(a, 0, i), i === entry ? first : undefined, seen)
    else yield keyOfEntry(a, 0, blockSize, i)
}
