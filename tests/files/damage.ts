/**
 * Damaged files and what may become of them: the damage is reported as such, or it does no harm.
 * Never a silently wrong answer, never another kind of error, and a file that is rejected stays as it is.
 */
import { expect } from 'vitest'
import { type Database, type OpenOptions, open, XenonError } from '../../src/index.ts'
import { closeQuietly } from '../support/database.ts'
import { History } from '../support/history.ts'
import { copyImage, differences, type Image, readImage, storageOf } from '../support/image.ts'
import { firstDifference, type Records, sameValue, show } from '../support/model.ts'
import type { Random } from '../support/random.ts'

export type Outcome = 'rejected' | 'reported' | 'harmless'

export const BLOCK = 4096
/** A pool that holds the whole sample, and a log of several segments in which every commit is synced. */
export const options: OpenOptions = {
  durability: 'power',
  cacheBytes: 1024 * BLOCK,
  logSegmentBytes: 128 * 1024,
}

export interface Sample {
  /** After a clean close. */
  closed: Image
  /** As SIGKILL leaves the same records, with all of them still in the log. */
  crashed: Image
  records: Records<string>
  /** What it held one commit earlier, two commits earlier, and so on up to ten. */
  earlier: Records<string>[]
  /** All its commits. */
  history: History<string>
}

/** What the sub-database of the sample holds, from its first commits on; another one was cleared and is not free yet. */
const subRecords: Records<string> = new Map(
  Array.from({ length: 150 }, (_, i) => [`sub ${i}`, `${i} `.repeat(i % 40 === 0 ? 3000 : i)]),
)

/** A database with all kinds of blocks: directories, overflow, large values, free ones, sub-databases, cleared ones. */
export function sample(random: Random): Sample {
  const storage = storageOf(new Map())
  const db = open('db', { ...options, storage })
  const history = new History<string>()
  const put = (key: string, value: string): void => {
    db.put(key, value)
    history.commit([[key, value]])
  }
  const remove = (key: string): void => {
    db.delete(key)
    history.commit([[key, undefined]])
  }
  for (const [key, value] of subRecords) db.sub('outer').sub('sub').put(key, value)
  for (let i = 0; i < 400; i++) put(`large ${i % 5} ${i}`, 'L'.repeat(random.below(1000)))
  for (let i = 0; i < 600; i++) put(`key ${i}`, `${i} `.repeat(random.between(1, 400)))
  for (let i = 0; i < 6; i++) put(`large ${i}`, `${i}`.repeat(random.between(5_000, 30_000)))
  for (let i = 0; i < 200; i++) remove(`large ${i % 5} ${i}`)
  remove('large 5')
  const cleared = db.sub('cleared')
  for (let i = 0; i < 120; i++) cleared.put(`cleared ${i}`, `${i} `.repeat(100))
  cleared.clear()
  const earlier: Records<string>[] = []
  for (let i = 0; i < 10; i++) {
    put(`last ${i}`, `${i}`)
    earlier.unshift(recordsOf(db))
  }
  const records = earlier.shift()!
  const crashed = readImage('db', storage)
  db.close()
  return { closed: readImage('db', storage), crashed, records, earlier, history }
}

/** Every record by the cursor. */
export function recordsOf(db: Database): Records<string> {
  const records: Records<string> = new Map()
  db.reset()
  while (db.next()) {
    const { key, value } = db.readCurrent()
    records.set(key, value)
  }
  return records
}

/**
 * Opens damaged files and reads all there is, in every way there is.
 * `allowed`: the states that the records may be in, when the damage is not noticed; a history stands for all of its.
 */
export async function tryDamaged(
  image: Image,
  allowed: readonly Records<string>[] | History<string>,
  extra: OpenOptions = {},
): Promise<Outcome> {
  const before = copyImage(image)
  const storage = storageOf(image)
  let db: Database
  try {
    db = open('db', { ...options, ...extra, storage })
  } catch (error) {
    expectReported(error)
    const touched = differences(before, readImage('db', storage))
    if (touched.length > 0) expect.fail(`it was rejected, but these files were changed: ${touched}`)
    return 'rejected'
  }
  try {
    const states = allowed instanceof History ? stateOf(db, allowed) : allowed
    const expected = states.find(records => mayBe(db, records))
    if (expected === undefined) {
      expect.fail(`it was opened, and holds wrong records: ${wrongness(db, states[0]!)}`)
    }
    const subIsReadable = readSub(db, allowed instanceof History)
    const readable = readAll(db, expected) && subIsReadable
    const { ok, problems, problemCount } = await db.verify()
    expect(problemCount === 0).toBe(ok)
    if (!readable && ok) expect.fail('a record cannot be read, but verify finds nothing')
    for (const problem of problems) expect(problem).not.toBe('')
    return ok ? 'harmless' : 'reported'
  } finally {
    closeQuietly(db)
  }
}

/** The one state that a scan finds, which must be one of the history's; none when it cannot be scanned. */
function stateOf(db: Database, history: History<string>): Records<string>[] {
  const found = attempt(() => recordsOf(db))
  if (found === REPORTED) return [new Map()]
  history.expectRecovered(found)
  return [found]
}

/** Every answer that `db` gives is that of `records`, whatever it refuses to answer. */
function mayBe(db: Database, records: Records<string>): boolean {
  for (const [key, value] of records) {
    const found = attempt(() => db.get(key))
    if (found !== REPORTED && !sameValue(found, value)) return false
    const there = attempt(() => db.has(key))
    if (there !== REPORTED && there !== true) return false
  }
  const scanned = attempt(() => recordsOf(db))
  return scanned === REPORTED || firstDifference(scanned, records) === undefined
}

/** Whether every record could be read. */
function readAll(db: Database, records: Records<string>): boolean {
  let readable = true
  for (const [key, value] of records) {
    const found = attempt(() => db.getMany([key])[0])
    if (found === REPORTED) readable = false
    else if (!sameValue(found, value)) expect.fail(`getMany(${show(key)}) gave ${show(found)}`)
  }
  const absent = attempt(() => [db.get('absent'), db.has('absent')])
  if (absent !== REPORTED) expect(absent).toEqual([undefined, false])
  return readable
}

/** The sub-database answers as it should, or says that it cannot; `isYoung`: it may not be there yet. */
function readSub(db: Database, isYoung: boolean): boolean {
  const found = attempt(() => new Map(db.sub('outer').sub('sub').entries()))
  if (found === REPORTED) return false
  for (const [key, value] of found)
    if (!sameValue(subRecords.get(key), value)) expect.fail(`sub: ${show(key)} is wrong`)
  if (!isYoung && found.size !== subRecords.size) expect.fail(`sub: ${found.size} records`)
  const sub = db.sub('outer').sub('sub')
  const values = attempt(() => [...subRecords.keys()].map(key => sub.get(key)))
  if (values === REPORTED) return false
  for (const [i, value] of [...subRecords.values()].entries())
    if (!sameValue(values[i], value) && !(isYoung && values[i] === undefined)) expect.fail(`sub: record ${i} is wrong`)
  return true
}

function wrongness(db: Database, records: Records<string>): string {
  for (const [key, value] of records) {
    const found = attempt(() => db.get(key))
    if (found !== REPORTED && !sameValue(found, value)) return `get(${show(key)}) gave ${show(found)}`
  }
  const scanned = attempt(() => recordsOf(db))
  return scanned === REPORTED ? 'has() is wrong' : `scan: ${firstDifference(scanned, records)}`
}

const REPORTED: unique symbol = Symbol('reported')

function attempt<T>(action: () => T): T | typeof REPORTED {
  try {
    return action()
  } catch (error) {
    expectReported(error)
    return REPORTED
  }
}

/**
 * Damage has one code, a sound file of another format its own; after damage in what it must write, a handle may have
 * stopped.
 */
export function expectReported(error: unknown): void {
  const codes: readonly unknown[] = ['XENON_CORRUPT', 'XENON_FORMAT_VERSION', 'XENON_FAILED']
  if (error instanceof XenonError && codes.includes(error.code)) {
    expect(error.message.length).toBeGreaterThan(10)
    return
  }
  throw error
}
