/**
 * For recovery, before it writes: reads the way to the key in the key buffer, as a search will after redo. It ends at
 * the first block that redo is going to change, since what that leads to is not known before; up to there every block
 * stands as the search will find it, and one that cannot be read makes the search fail.
 */
import type { BufferPool } from '../buffer/pool.ts'
import { bucketNext, findSlot } from '../pager/bucket.ts'
import { childOf, directoryCapacity, findEntry } from '../pager/directory.ts'
import { AT_KIND, BlockKind } from '../pager/layout.ts'
import type { Block } from '../pager/place.ts'
import type { KeyBuffer } from './key.ts'

export const probeWay = (pool: BufferPool, key: KeyBuffer, willChange: (block: Block) => boolean): void => {
  const { arena } = pool
  const { root, position, tag } = key.hash
  const capacity = directoryCapacity(pool.blockSize)
  let block = root
  // No way is longer than the file; of one that is, the search says what is wrong with it.
  for (let hops = 0; block !== 0 && hops < pool.limit() && !willChange(block); hops++) {
    const base = pool.get(block)
    const kind = arena.u8[base + AT_KIND]
    if (kind === BlockKind.directory) block = childOf(arena, base, capacity, findEntry(arena, base, position))
    else if (kind !== BlockKind.bucket || findSlot(arena, base, tag, key.at, key.length) >= 0) return
    else block = bucketNext(arena, base)
  }
}
