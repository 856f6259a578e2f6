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

export function db_put<V>(db: Database<V>, key: Key, value: V): void {
  db.put(key, value)
}

export function db_get<V>(db: Database<V>, key: Key): V | undefined {
  return db.get(key)
}

export function db_delete<V>(db: Database<V>, key: Key): boolean {
  return db.delete(key)
}

export function db_reset<V>(db: Database<V>): void {
  db.reset()
}

export function db_next<V>(db: Database<V>): boolean {
  return db.next()
}

export function db_read_current<V>(db: Database<V>): Entry<V> {
  return db.readCurrent()
}

export function db_close<V>(db: Database<V>): void {
  db.close()
}

export function tx_init<V>(db: Database<V>, options?: TransactionOptions): Transaction<V> {
  return db.begin(options)
}

export function tx_put<V>(tx: Transaction<V>, key: Key, value: V): void {
  tx.put(key, value)
}

export function tx_get<V>(tx: Transaction<V>, key: Key): V | undefined {
  return tx.get(key)
}

export function tx_delete<V>(tx: Transaction<V>, key: Key): boolean {
  return tx.delete(key)
}

export function tx_commit<V>(tx: Transaction<V>): void {
  tx.commit()
}

export function tx_rollback<V>(tx: Transaction<V>): void {
  tx.rollback()
}
