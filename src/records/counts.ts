/**
 * Counts records of a snapshot by the trees over keys and over times of expiry, which are counted leaf by leaf: what
 * has expired but is not removed yet is taken off, and what open transactions had changed is set right key by key.
 */
import type { Space } from '../engine/space.ts'
import type { Bounds } from '../runtime/bytes.ts'
import { countBetween, SCAN_KEYS, TreeScan } from '../tree/tree-scan.ts'
import { fromLatin1 } from '../txn/changed-keys.ts'
import type { ResolvedRange } from '../values/range.ts'
import type { AsOf } from './as-of.ts'
import { countPassed, hasExpired, hasPassed, passedWithin } from './expiry.ts'

/** Reading so many expired keys from the tree over times takes as long as looking for one record. */
const EXPIRED_PER_RECORD = 8

/** Of the records that were committed at the moment of a snapshot, those that have expired by now. */
export const countPast = (space: Space, view: AsOf): number => {
  const { before } = view
  const inBlocks = view.read(() => {
    const passed = countPassed(space)
    if (passed === 0 || before.isEmpty) return passed
    if (passed < before.size) return passed - passedWithin(space, EVERYTHING, name => before.has(name))
    let changed = 0
    for (const [name] of before) if (stands(space, name) === 'past') changed++
    return passed - changed
  })
  if (before.isEmpty) return inBlocks
  let past = inBlocks
  for (const [, record] of before) if (record !== undefined && hasPassed(space, record.flags, record.field, 0)) past++
  return past
}

/** Number of records of a range, as a snapshot sees it; without one, as the blocks are. */
export const countRange = (space: Space, view: AsOf | undefined, range: ResolvedRange): number => {
  if (range.isEmpty) return 0
  if (view === undefined) return Math.min(range.limit, countInBlocks(space, range, range.limit))
  const found = view.read(() => {
    const changed = [...namesWithin(view, range)]
    let count = countInBlocks(space, range, range.limit + changed.length)
    for (const name of changed) {
      if (stands(space, name) === 'there') count--
      const record = view.before.get(name)
      if (record !== undefined && !hasPassed(space, record.flags, record.field, 0)) count++
    }
    return count
  })
  return Math.min(range.limit, found)
}

/** From `enough` on it may be more than are counted. */
const countInBlocks = (space: Space, range: ResolvedRange, enough: number): number => {
  const { pool, ordered, scanRoom } = space
  const passed = countPassed(space)
  const all = countBetween(pool, ordered, scanRoom.boundAt, range, enough + passed)
  // Even if all that have expired lay in the range, enough would be left.
  if (passed === 0 || all >= enough + passed) return all - passed
  if (all * EXPIRED_PER_RECORD >= passed) return all - passedWithin(space, range)
  return all - pastWithin(space, range)
}

const pastWithin = (space: Space, range: Bounds): number => {
  const { pool, ordered, scanRoom, index } = space
  const scan = new TreeScan(pool, ordered, scanRoom, range, false)
  let past = 0
  while (!scan.done) {
    scan.step(SCAN_KEYS)
    for (let i = 0; i < scan.count; i++) {
      index.key.use(scan.at[i]!, scan.length[i]!)
      const record = index.find()
      if (record !== 0 && hasExpired(space, record)) past++
    }
  }
  return past
}

const namesWithin = function* (view: AsOf, range: Bounds): Generator<string, undefined> {
  for (const names = view.before.within(range, false); names.name !== undefined; names.advance()) yield names.name
}

/** What the blocks that are read at the moment say of a key. */
const stands = (space: Space, name: string): 'absent' | 'there' | 'past' => {
  const { index } = space
  index.key.set(fromLatin1(name))
  const record = index.find()
  return record === 0 ? 'absent' : hasExpired(space, record) ? 'past' : 'there'
}

const EVERYTHING: Bounds = { lower: undefined, upper: undefined }
