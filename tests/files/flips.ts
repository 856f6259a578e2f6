/** Flips bits of a small database one at a time, opens it, and counts what becomes of them. */
import { expect } from 'vitest'
import { type Database, type OpenOptions, open, type Storage } from '../../src/index.ts'
import { closeQuietly } from '../support/database.ts'
import { differences, type Image, readImage } from '../support/image.ts'
import { firstDifference, type Records, sameValue, show } from '../support/model.ts'
import { expectReported } from './damage.ts'
import { fastStorage, scanned, smallOptions } from './small.ts'

/**
 * rejected: `open` throws, and has changed nothing. reported: reading throws or `verify` finds it. harmless: all
 * records are there and `verify` is clean. lostTail: the last commit is gone, as if its write had been torn.
 */
export type Fate = 'rejected' | 'reported' | 'harmless' | 'lostTail'

export interface Expected {
  records: Records<string>
  /** Earlier states, where damage may look like a torn write. */
  earlier?: readonly Records<string>[]
}

export class Flips {
  readonly counts: Record<Fate, number> = { rejected: 0, reported: 0, harmless: 0, lostTail: 0 }
  readonly #image: Image
  readonly #options: OpenOptions
  #storage: Storage | undefined

  constructor(image: Image, options: OpenOptions = smallOptions) {
    this.#image = image
    this.#options = options
  }

  get total(): number {
    return Object.values(this.counts).reduce((sum, count) => sum + count, 0)
  }

  /** Flips one bit of a file, tries the database, and takes the bit back. */
  async flip(file: string, byte: number, bit: number, expected: Expected): Promise<Fate> {
    const bytes = this.#image.get(file)!
    bytes[byte]! ^= 1 << bit
    try {
      const fate = await this.#try(file, byte, bit, expected)
      this.counts[fate]++
      return fate
    } catch (error) {
      const where = file === 'data' ? `, block ${Math.floor(byte / 4096)}, offset ${byte % 4096}` : ''
      if (error instanceof Error) error.message = `bit ${bit} of byte ${byte} of ${file}${where}: ${error.message}`
      throw error
    } finally {
      bytes[byte]! ^= 1 << bit
    }
  }

  async #try(file: string, byte: number, bit: number, expected: Expected): Promise<Fate> {
    const storage = this.#damagedStorage(file, byte)
    let db: Database
    try {
      db = open('db', { ...this.#options, storage })
    } catch (error) {
      expectReported(error)
      const touched = differences(this.#image, readImage('db', storage))
      if (touched.length > 0) expect.fail(`it was refused, but these files were changed: ${touched}`)
      this.#keep(storage, file, byte, bit)
      return 'rejected'
    }
    try {
      const fate = await judge(db, expected)
      closeQuietly(db)
      if (differences(this.#image, readImage('db', storage)).length === 0) this.#keep(storage, file, byte, bit)
      return fate
    } finally {
      closeQuietly(db)
    }
  }

  /** A storage of the damaged image: the one of the flip before, if that one was left as it was. */
  #damagedStorage(file: string, byte: number): Storage {
    const kept = this.#storage
    this.#storage = undefined
    if (kept === undefined) return fastStorage(this.#image)
    writeByte(kept, file, byte, this.#image.get(file)![byte]!)
    return kept
  }

  /** For the next flip, with this one taken back. */
  #keep(storage: Storage, file: string, byte: number, bit: number): void {
    writeByte(storage, file, byte, this.#image.get(file)![byte]! ^ (1 << bit))
    this.#storage = storage
  }
}

/** What a database that could be opened answers: the records, errors that name the damage, or one of the states. */
export async function judge(db: Database, { records, earlier = [] }: Expected): Promise<Fate> {
  let unreadable = 0
  let state = records
  let found: Records<string> | undefined
  try {
    found = scanned(db)
  } catch (error) {
    expectReported(error)
    unreadable++
  }
  if (found !== undefined) {
    const difference = firstDifference(found, records)
    if (difference !== undefined) {
      const known = earlier.find(state => firstDifference(found, state) === undefined)
      if (known === undefined) expect.fail(`it was opened, and holds wrong records: ${difference}`)
      state = known
    }
  }
  for (const [key, value] of state) {
    try {
      const got = db.get(key)
      if (!sameValue(got, value)) expect.fail(`get(${show(key)}) gave ${show(got)}`)
    } catch (error) {
      expectReported(error)
      unreadable++
    }
  }
  const { ok, problems, problemCount } = await db.verify()
  expect(problemCount === 0).toBe(ok)
  for (const problem of problems) if (!/^db\//.test(problem)) expect.fail(`a problem without its file: ${problem}`)
  if (unreadable > 0 && ok) expect.fail('a record cannot be read, but verify finds nothing')
  if (!ok) return 'reported'
  return state === records ? 'harmless' : 'lostTail'
}

function writeByte(storage: Storage, file: string, at: number, value: number): void {
  const handle = storage.open(storage.join('db', ...file.split('/')))
  handle.write(new Uint8Array([value]), 0, 1, at)
  handle.close()
}
