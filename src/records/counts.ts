/**
 * Counts records of a snapshot by the trees over keys and over times of expiry, which are counted leaf by leaf: what has
 * expired but is not removed yet is taken off, and what open transactions had changed is set right key by key.
 */
import type { Bounds } from '../runtime/bytes.ts'
import { countBetween, SCAN_KEYS, TreeScan } from '../tree/tree-scan.ts'
import { fromLatin1 } from '../txn/changed-keys.ts'
import type { ResolvedRange } from '../values/range.ts'
import { countPassed, passedWithin } from './expiry.ts'
import type { Store, View } from './store.ts'

/** Reading so many expired keys from the tree over times takes as long as looking for one record. */
const EXPIRED_PER_RECORD = 8

/** Of the records that were committed at the moment of a snapshot, those that have expired by now. */
export const countPast = <V>(store: Store<V>, view: View): number => {
  const { engine } = store
  const { before } = view
  const inBlocks = store.asOf(view, () => {
    const passed = countPassed(engine)
    if (passed === 0 || before.isEmpty) return passed
    if (passed < before.size) return passed - passedWithin(engine, EVERYTHING, name => before.has(name))
    let changed = 0
    for (const [name] of before) if (stands(store, name) === 'past') changed++
    return passed - changed
  })
  if (before.isEmpty) return inBlocks
  let past = inBlocks
  for (const [, record] of before) if (record !== undefined && store.isPast(record)) past++
  return past
}

/** Number of records of a range, as a snapshot sees it; without one, as the blocks are. */
export const countRange = <V>(store: Store<V>, view: View | undefined, range: ResolvedRange): number => {
  if (range.isEmpty) return 0
  if (view === undefined) return Math.min(range.limit, countInBlocks(store, range, range.limit))
  const found = store.asOf(view, () => {
    const changed = [...namesWithin(view, range)]
    let count = countInBlocks(store, range, range.limit + changed.length)
    for (const name of changed) {
      if (stands(store, name) === 'there') count--
      const record = view.before.get(name)
      if (record !== undefined && !store.isPast(record)) count++
    }
    return count
  })
  return Math.min(range.limit, found)
}

/** From `enough` on it may be more than are counted. */
const countInBlocks = <V>(store: Store<V>, range: ResolvedRange, enough: number): number => {
  const { engine } = store
  const { pool, ordered, scanRoom } = engine
  const passed = countPassed(engine)
  const all = countBetween(pool, ordered, scanRoom.boundAt, range, enough + passed)
  // Even if all that have expired lay in the range, enough would be left.
  if (passed === 0 || all >= enough + passed) return all - passed
  if (all * EXPIRED_PER_RECORD >= passed) return all - passedWithin(engine, range)
  return all - pastWithin(store, range)
}

const pastWithin = <V>(store: Store<V>, range: Bounds): number => {
  const { pool, ordered, scanRoom, index } = store.engine
  const scan = new TreeScan(pool, ordered, scanRoom, range, false)
  let past = 0
  while (!scan.done) {
    scan.step(SCAN_KEYS)
    for (let i = 0; i < scan.count; i++) {
      index.key.use(scan.at[i]!, scan.length[i]!)
      const record = index.find()
      if (record !== 0 && store.hasExpired(record)) past++
    }
  }
  return past
}

const namesWithin = function* (view: View, range: Bounds): Generator<string, undefined> {
  for (const names = view.before.within(range, false); names.name !== undefined; names.advance())
    yield names.name
}

/** What the blocks that are read at the moment say of a key. */
const stands = <V>(store: Store<V>, name: string): 'absent' | 'there' | 'past' => {
  const { index } = store.engine
  index.key.set(fromLatin1(name))
  const record = index.find()
  return record === 0 ? 'absent' : store.hasExpired(record) ? 'past' : 'there'
}

const EVERYTHING: Bounds = { lower: undefined, upper: undefined }
