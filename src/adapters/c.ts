/**
 * The names of `xenon_db.h`, so that a program written for the C interface ports line by line.
 * Thin functions over the classes; they throw what the methods throw instead of returning an error number.
 *
 * | xenon_db.h        | here                            | the same as                        | answers               |
 * | ----------------- | ------------------------------- | ---------------------------------- | --------------------- |
 * | `db_open`         | `db_open(directory, options?)`  | `open(directory, options?)`        | a `Database`          |
 * | `db_put`          | `db_put(db, key, value)`        | `db.put(key, value)`               |                       |
 * | `db_get`          | `db_get(db, key)`               | `db.get(key)`                      | value or `undefined`  |
 * | `db_delete`       | `db_delete(db, key)`            | `db.delete(key)`                   | was it there?         |
 * | `db_reset`        | `db_reset(db)`                  | `db.reset()`                       |                       |
 * | `db_next`         | `db_next(db)`                   | `db.next()`                        | is there a record?    |
 * | `db_read_current` | `db_read_current(db)`           | `db.readCurrent()`                 | `{ key, value }`      |
 * | `db_close`        | `db_close(db)`                  | `db.close()`                       |                       |
 * | `tx_init`         | `tx_init(db, options?)`         | `db.begin(options?)`               | a `Transaction`       |
 * | `tx_put`          | `tx_put(tx, key, value)`        | `tx.put(key, value)`               |                       |
 * | `tx_get`          | `tx_get(tx, key)`               | `tx.get(key)`                      | value or `undefined`  |
 * | `tx_delete`       | `tx_delete(tx, key)`            | `tx.delete(key)`                   | was it there?         |
 * | `tx_commit`       | `tx_commit(tx)`                 | `tx.commit()`                      |                       |
 * | `tx_rollback`     | `tx_rollback(tx)`               | `tx.rollback()`                    |                       |
 *
 * The cursor starts before the first record: `db_reset(db); while (db_next(db)) use(db_read_current(db))`.
 */
import type { Database, Entry, Key, Transaction, TransactionOptions } from '../index.ts'

export { db_open } from '../index.ts'

/**
 * Stores a record: `db.put`.
 * @example db_put(db, 'ada', 'Ada Lovelace')
 */
export function db_put<V>(db: Database<V>, key: Key, value: V): void {
  db.put(key, value)
}

/**
 * The value of a key, or `undefined`: `db.get`.
 * @example const name = db_get(db, 'ada')
 */
export function db_get<V>(db: Database<V>, key: Key): V | undefined {
  return db.get(key)
}

/**
 * Removes a record; true if it was there: `db.delete`.
 * @example const wasThere = db_delete(db, 'ada')
 */
export function db_delete<V>(db: Database<V>, key: Key): boolean {
  return db.delete(key)
}

/**
 * Puts the cursor before the first record: `db.reset`.
 * @example for (db_reset(db); db_next(db); ) console.log(db_read_current(db).key)
 */
export function db_reset<V>(db: Database<V>): void {
  db.reset()
}

/**
 * Moves the cursor to the next record; false behind the last one: `db.next`.
 * @example for (db_reset(db); db_next(db); ) console.log(db_read_current(db).key)
 */
export function db_next<V>(db: Database<V>): boolean {
  return db.next()
}

/**
 * The record under the cursor: `db.readCurrent`.
 * @example for (db_reset(db); db_next(db); ) console.log(db_read_current(db).value)
 */
export function db_read_current<V>(db: Database<V>): Entry<V> {
  return db.readCurrent()
}

/**
 * Closes the database: `db.close`.
 * @example db_close(db)
 */
export function db_close<V>(db: Database<V>): void {
  db.close()
}

/**
 * Begins a transaction: `db.begin`.
 * @example const transaction = tx_init(db)
 */
export function tx_init<V>(db: Database<V>, options?: TransactionOptions): Transaction<V> {
  return db.begin(options)
}

/**
 * Stores a record in a transaction: `tx.put`.
 * @example tx_put(tx, 'ada', 'Ada Lovelace')
 */
export function tx_put<V>(tx: Transaction<V>, key: Key, value: V): void {
  tx.put(key, value)
}

/**
 * The value of a key as the transaction sees it: `tx.get`.
 * @example const name = tx_get(tx, 'ada')
 */
export function tx_get<V>(tx: Transaction<V>, key: Key): V | undefined {
  return tx.get(key)
}

/**
 * Removes a record in a transaction; true if it was there: `tx.delete`.
 * @example const wasThere = tx_delete(tx, 'ada')
 */
export function tx_delete<V>(tx: Transaction<V>, key: Key): boolean {
  return tx.delete(key)
}

/**
 * Makes all changes permanent: `tx.commit`.
 * @example tx_commit(tx)
 */
export function tx_commit<V>(tx: Transaction<V>): void {
  tx.commit()
}

/**
 * Takes back everything: `tx.rollback`.
 * @example tx_rollback(tx)
 */
export function tx_rollback<V>(tx: Transaction<V>): void {
  tx.rollback()
}
