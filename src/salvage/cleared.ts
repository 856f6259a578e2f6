/**
 * What was cleared or dropped and is not free yet looks like buckets that the index has lost. So it is walked, to be left
 * alone: a record of it must not come back.
 */
import { childrenOf } from '../engine/block-children.ts'
import { AT_KIND, AT_NEXT, BlockKind } from '../pager/layout.ts'
import { OLDEST_FORMAT_VERSION } from '../pager/metadata.ts'
import { condemnedCount, condemnedRoot } from '../pager/space-block.ts'
import { Arena } from '../runtime/bytes.ts'
import type { Blocks } from './blocks.ts'
import type { Source } from './source.ts'

export interface Cleared {
  /** The blocks that hold, or held, nothing that counts any more. */
  readonly blocks: ReadonlySet<number>
  /** There are no others; else a sound bucket that nothing leads to may be one of them. */
  readonly areAll: boolean
}

export const findCleared = (source: Source, blocks: Blocks): Cleared => {
  const { data, metadata, soundStates } = source
  const arena = new Arena(data.blockSize)
  const seen = new Set<number>()
  const due: number[] = []
  let areAll = true
  const visit = (block: number): boolean => {
    if (seen.has(block)) return false
    if (blocks.read(block, arena) !== undefined) {
      blocks.noteUse(block, 'cleared')
      areAll = false
      return false
    }
    seen.add(block)
    return true
  }
  const takeRoots = (): void => {
    for (let i = condemnedCount(arena, 0) - 1; i >= 0; i--) due.push(condemnedRoot(arena, 0, i))
  }
  if (soundStates > 0)
    for (let block = metadata.firstCondemned; block !== 0 && areAll; block = arena.u32[AT_NEXT >>> 2]!) {
      if (visit(block) && arena.u8[AT_KIND] === BlockKind.condemned) takeRoots()
      else areAll = false
    }
  else {
    const mayHaveSome = metadata.identity.version > OLDEST_FORMAT_VERSION || source.identityProblem !== undefined
    areAll = !mayHaveSome || blocks.damaged === 0
  }
  // Where the lists break off, or nothing leads to them, each sound one counts.
  if (!areAll || soundStates === 0)
    for (const block of blocks.ofKind(BlockKind.condemned)) if (visit(block)) takeRoots()
  for (let block = due.pop(); block !== undefined; block = due.pop())
    if (visit(block)) due.push(...(childrenOf(arena, 0, data.blockSize) ?? []))
  return { blocks: seen, areAll }
}
