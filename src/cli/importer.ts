/** Stores records in batches, and knows at any moment how many are in the database. */
import { XenonError } from '../errors.ts'
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

  constructor(db: ByteDatabase) {
    this.#db = db
  }

  /** Records committed so far. */
  get imported(): number {
    return this.#imported
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
      this.#db.batch(batch.map(({ key, value }) => ({ type: 'put', key, value })))
      this.#imported += batch.length
    } catch (error) {
      if (!isRefusal(error)) throw error
      this.#flushOneByOne(batch)
    }
  }

  #flushOneByOne(batch: readonly ImportedRecord[]): void {
    for (const { key, value, line } of batch) {
      try {
        this.#db.put(key, value)
        this.#imported++
      } catch (error) {
        throw isRefusal(error) ? new RecordError(line, (error as Error).message) : error
      }
    }
  }

  /** A failure of the import, with the place and with what stays in the database. */
  explain(error: unknown, inputName: string): unknown {
    if (!(error instanceof Error)) return error
    const stays = `; ${count(this.#imported)} records were imported before it`
    if (error instanceof RecordError) error.message = `${inputName}, ${error.message}${stays}`
    else error.message += stays
    return error
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof XenonError && REFUSALS.has(error.code)
}
