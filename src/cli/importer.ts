/** Stores records in batches, and knows at any moment how many are in the database. */
import { isError, XenonError } from '../errors.ts'
import type { Transaction } from '../index.ts'
import type { ByteDatabase } from './database.ts'
import { RecordError } from './errors.ts'
import type { ImportedRecord } from './records/record.ts'
import { count } from './render.ts'

const BATCH_RECORDS = 1000
const BATCH_BYTES = 8 * 1024 * 1024

/** The codes with which the engine refuses a record for what it is. */
const REFUSALS: ReadonlySet<string> = new Set([
  'XENON_INVALID_ARGUMENT',
  'XENON_KEY_TOO_LARGE',
  'XENON_VALUE_TOO_LARGE',
])

export class Importer {
  readonly #db: ByteDatabase
  #batch: ImportedRecord[] = []
  #bytes = 0
  #imported = 0
  #expired = 0

  readonly #onBad: ((error: RecordError) => void) | undefined

  /** `onBad`: hears of records that the database refuses, which are passed over; undefined: the import ends there. */
  constructor(db: ByteDatabase, onBad?: (error: RecordError) => void) {
    this.#db = db
    this.#onBad = onBad
  }

  /** Records committed so far. */
  get imported(): number {
    return this.#imported
  }

  /** Of them, records whose time had passed: what there was of their keys is gone. */
  get expired(): number {
    return this.#expired
  }

  add(record: ImportedRecord): void {
    this.#batch.push(record)
    this.#bytes += record.key.length + record.value.length
    if (this.#batch.length >= BATCH_RECORDS || this.#bytes >= BATCH_BYTES) this.flush()
  }

  /** Commits what was added. When a record is refused, those before it are stored and it is named by its line. */
  flush(): void {
    const batch = this.#batch
    this.#batch = []
    this.#bytes = 0
    if (batch.length === 0) return
    try {
      if (batch.some(({ expiresAt }) => expiresAt !== undefined)) this.#commitTimed(batch)
      else if (batch.some(({ place }) => place !== batch[0]!.place)) this.#commitTimed(batch)
      else batch[0]!.place.store.batch(batch.map(({ key, value }) => ({ type: 'put', key, value })))
      this.#imported += batch.length
    } catch (error) {
      if (!isRefusal(error)) throw error
      this.#flushOneByOne(batch)
    }
  }

  #flushOneByOne(batch: readonly ImportedRecord[]): void {
    for (const record of batch) {
      try {
        this.#commitTimed([record])
        this.#imported++
      } catch (error) {
        if (!isRefusal(error)) throw error
        const refused = new RecordError(record.line, (error as Error).message)
        if (this.#onBad === undefined) throw refused
        this.#onBad(refused)
      }
    }
  }

  #commitTimed(batch: readonly ImportedRecord[]): void {
    let expired = 0
    this.#db.transaction(tx => {
      for (const record of batch) if (!put(tx.in<Uint8Array, string>(record.place.store), record)) expired++
    })
    this.#expired += expired
  }

  /** A failure of the import, with the place and with what stays in the database. */
  explain(error: unknown, inputName: string): unknown {
    if (!isError(error)) return error
    const stays = `; ${count(this.#imported)} records were imported before it`
    if (error instanceof RecordError) error.message = `${inputName}, ${error.message}${stays}`
    else error.message += stays
    return error
  }
}

/** How often a record is put again to hit the very millisecond. */
const TRIES = 5

/**
 * False if its time has passed. A ttl counts from the moment of the put: when the clock has moved on meanwhile, the
 * record is put again, so that it expires exactly when it should. For large values that would take too long.
 */
function put(tx: Transaction<Uint8Array>, { key, value, expiresAt }: ImportedRecord): boolean {
  if (expiresAt === undefined) {
    tx.put(key, value)
    return true
  }
  const tries = value.length > 65536 ? 1 : TRIES
  for (let i = 0; i < tries; i++) {
    const now = Date.now()
    if (expiresAt <= now) {
      tx.delete(key)
      return false
    }
    tx.put(key, value, { ttl: expiresAt - now })
    if (Date.now() === now) break
  }
  return true
}

function isRefusal(error: unknown): boolean {
  return error instanceof XenonError && REFUSALS.has(error.code)
}
