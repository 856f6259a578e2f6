/**
 * One crash image: the database is opened as the next start would, and must hold the state after one of the commits
 * that may be the last, be sound by `verify`, need no second recovery, and take and keep a new commit.
 */

import type { Database } from '../../../src/database/database.ts'
import { openOn } from '../../../src/database/open.ts'
import type { Sub } from '../../../src/database/sub.ts'
import { XenonError } from '../../../src/errors.ts'
import type { CrashPolicy, FaultDisk } from '../../../src/testing/fault.ts'
import { crashPolicies } from '../../../src/testing/fault.ts'
import type { Operation } from '../../../src/testing/fault-nodes.ts'
import type { Random } from '../../../src/testing/random.ts'
import { requireIndexes } from './indexes.ts'
import type { DatabaseOptions, Recording, State } from './session.ts'
import { IS_THERE, MARK, markOf, pathOf, recordsIn, stopTimers, subsOf } from './spaces.ts'

export interface Expectation {
  states: readonly State[]
  /** Numbers of the first and the last commit after which the database may stand. */
  low: number
  high: number
  options: DatabaseOptions
}

/** What `recover` found, and every change of the disk that it made. */
export interface Recovered {
  db: Database
  commit: number
  operations: readonly Operation[]
}

const NEW_KEY = 'a commit after the crash'

/**
 * Opens the database, and keeps its timers from removing what has expired: nothing may happen but what is asked for.
 */
export const openOnDisk = (
  disk: FaultDisk,
  options: DatabaseOptions,
  directory: string = 'db',
  createIfMissing: boolean = true,
): Database => {
  const { storage } = disk
  const db = openOn(directory, { ...options, storage, createIfMissing }, storage)
  stopTimers(db)
  return db
}

/** Opens the database and checks what is in it. */
export const recover = async (disk: FaultDisk, expectation: Expectation): Promise<Recovered> => {
  const operations: Operation[] = []
  disk.journal = operations
  const db = openOnDisk(disk, expectation.options)
  disk.journal = undefined
  const found = scan(db)
  requireOrder(disk, db, found)
  requireIndexes(db, false)
  const commit = match(found, expectation)
  await requireSound(db, found)
  return { db, commit, operations }
}

/** After `recover`: all of it is durable, a second recovery has nothing to do, and life goes on. */
export const requireContinuation = async (
  disk: FaultDisk,
  state: State,
  options: DatabaseOptions,
  random: Random,
): Promise<void> => {
  const next = disk.crash('none', random)
  next.journal = []
  const db = openOnDisk(next, options)
  const changes = next.journal.filter(({ kind }) => !kind.startsWith('sync'))
  if (db.stats().recovery.needed || changes.length > 0)
    throw new Error(`a second recovery did something: ${changes.map(({ kind }) => kind).join(', ')}`)
  next.journal = undefined
  requireEqual(scan(db), state, 'after the second recovery')
  await requireNewCommit(next, db, state, options, random)
}

/** A new commit is durable, whatever a loss of power leaves of the rest. */
export const requireNewCommit = async (
  disk: FaultDisk,
  db: Database,
  state: State,
  options: DatabaseOptions,
  random: Random,
): Promise<void> => {
  const value = `${random.next()}`
  db.put(NEW_KEY, value)
  if (options.durability !== 'power') await db.flush()
  const policy: CrashPolicy = random.pick(crashPolicies)
  const last = openOnDisk(disk.crash(policy, random), options)
  const found = scan(last)
  if (found.get(NEW_KEY) !== value) throw new Error(`a commit after the recovery is lost (policy ${policy})`)
  found.delete(NEW_KEY)
  requireEqual(found, state, 'after a commit after the recovery')
  requireIndexes(last, true)
  if (random.chance(0.25)) await requireSound(last, new Map([...found, [NEW_KEY, value]]))
}

/** All records, by the cursor; those of sub-databases as `spaces.ts` names them. */
export const scan = (db: Database): Map<string, string> => {
  const found = new Map<string, string>()
  scanInto(found, db, '')
  if (db.mark !== undefined) found.set(MARK, Buffer.from(db.mark).toString())
  return found
}

const scanInto = (found: Map<string, string>, db: Database | Sub, path: string): void => {
  for (db.reset(); db.next(); ) {
    const { key, value } = db.readCurrent()
    if (found.has(path + key)) throw new Error(`the cursor gave ${path}${key} twice`)
    found.set(path + key, value)
  }
  for (const name of db.subs()) {
    found.set(markOf(path, name), IS_THERE)
    const sub = db.sub(name)
    stopTimers(sub)
    scanInto(found, sub, pathOf(path, name))
  }
}

/** `found`: the records that have not expired. */
export const requireSound = async (db: Database, found: State): Promise<void> => {
  const records = recordsIn(found, '').length
  const report = await db.verify()
  if (!report.ok) throw new Error(`verify: ${report.problems.slice(0, 3).join('; ')}`)
  const stats = db.stats()
  if (report.records !== stats.records || db.count() !== records)
    throw new Error(
      `verify counts ${report.records} records, stats ${stats.records}, count() ${db.count()}, there are ${records}`,
    )
  for (const { sub, path } of subsOf(db))
    if (sub.count() !== recordsIn(found, path).length)
      throw new Error(`${path} counts ${sub.count()} records, there are ${recordsIn(found, path).length}`)
}

/** The ordered index, if there is one, leads to the same keys, in order; one image in four: with the same values. */
const requireOrder = (disk: FaultDisk, db: Database, found: State): void => {
  if (!(db as unknown as { engine: { metadata: { ordered: boolean } } }).engine.metadata.ordered) return
  for (const { sub, path } of [{ sub: db, path: '' }, ...subsOf(db)]) requireOrderIn(disk, sub, path, found)
}

const requireOrderIn = (disk: FaultDisk, db: Database | Sub, path: string, found: State): void => {
  const sorted = recordsIn(found, path).sort()
  let count = 0
  const requireNext = (key: string): void => {
    const expected = sorted[count++]
    if (key !== expected) throw new Error(`the ordered index leads to ${key}, expected ${expected}`)
  }
  if ((disk.signature & 3) === 0) {
    for (const [key, value] of db.entries()) {
      requireNext(key)
      if (found.get(path + key) !== value) throw new Error(`the ordered index leads to ${key} = ${show(value)}`)
    }
  } else for (const key of db.keys()) requireNext(key)
  if (count !== sorted.length) throw new Error(`the ordered index leads to ${count} of ${sorted.length} records`)
}

/** A backup that was done is there; one that was not is no database, or all there. */
export const requireCopies = async (disk: FaultDisk, recording: Recording, index: number): Promise<void> => {
  for (const { directory, commit, from, done } of recording.copies) {
    if (from > index) continue
    let copy: Database
    try {
      copy = openOnDisk(disk, recording.options, directory, false)
    } catch (error) {
      const isTyped =
        error instanceof XenonError && (error.code === 'XENON_NOT_FOUND' || error.code === 'XENON_CORRUPT')
      if (isTyped && index < done) continue
      throw new Error(`the backup ${directory}: ${(error as Error).message}`, { cause: error })
    }
    const found = scan(copy)
    requireEqual(found, recording.states[commit]!, `the backup ${directory}`)
    requireOrder(disk, copy, found)
    await requireSound(copy, found)
  }
}

export const requireEqual = (found: State, state: State, when: string): void => {
  const difference = firstDifference(found, state)
  if (difference !== undefined) throw new Error(`${when}: ${difference}`)
}

/** The number of the last commit that is there. */
const match = (found: State, { states, low, high }: Expectation): number => {
  for (let number = high; number >= low; number--)
    if (firstDifference(found, states[number]!) === undefined) return number
  const other = states.findLastIndex(state => firstDifference(found, state) === undefined)
  if (other >= 0 && other < low) throw new Error(`lost: commits ${other + 1} to ${low} are gone`)
  if (other > high) throw new Error(`commit ${other} is there, but ${high} was the last to begin`)
  throw new Error(
    `half: what is there is no state after a commit; against commit ${low}: ${firstDifference(found, states[low]!)}`,
  )
}

const firstDifference = (found: State, state: State): string | undefined => {
  for (const [key, value] of state) {
    const other = found.get(key)
    if (other === undefined) return `${key} is missing`
    if (other !== value) return `${key} is ${show(other)}, expected ${show(value)}`
  }
  if (found.size === state.size) return undefined
  for (const key of found.keys()) if (!state.has(key)) return `${key} should not be there`
  return undefined
}

const show = (value: string): string =>
  value.length > 30 ? `"${value.slice(0, 24)}…" (${value.length})` : `"${value}"`
