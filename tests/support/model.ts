/** A Map as the model of a database, and the comparison of the two. */
import type { Database } from '../../src/index.ts'

export type Records<V> = Map<string, V>

export function sameValue(a: unknown, b: unknown): boolean {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0
  return a === b
}

/** All records by the cursor; a record that it gives twice is an error. */
export function scan<V>(db: Database<V>): Records<V> {
  const records: Records<V> = new Map()
  const cursor = db.cursor()
  cursor.reset()
  while (cursor.next()) {
    const { key, value } = cursor.readCurrent() as { key: string; value: V }
    if (records.has(key)) throw new Error(`the cursor gave ${show(key)} twice`)
    records.set(key, value)
  }
  cursor.close()
  return records
}

/** `db` holds exactly the records of `expected`: by `get`, by `has`, by a full scan and by count. */
export function expectEqual<V>(db: Database<V>, expected: ReadonlyMap<string, V>): void {
  const count = db.stats().records
  if (count !== expected.size) throw new Error(`stats count ${count} records, expected ${expected.size}`)
  for (const [key, value] of expected) {
    if (!db.has(key)) throw new Error(`has(${show(key)}) is false`)
    const found = db.get(key)
    if (!sameValue(found, value)) {
      throw new Error(`get(${show(key)}) gave ${show(found)}, expected ${show(value)}`)
    }
  }
  const difference = firstDifference(scan(db), expected)
  if (difference !== undefined) throw new Error(`scan: ${difference}`)
}

/** The first record in which two sets differ, in words. */
export function firstDifference<V>(
  found: ReadonlyMap<string, V>,
  expected: ReadonlyMap<string, V>,
): string | undefined {
  for (const [key, value] of expected) {
    if (!found.has(key)) return `${show(key)} is missing`
    if (!sameValue(found.get(key), value)) {
      return `${show(key)} is ${show(found.get(key))}, expected ${show(value)}`
    }
  }
  for (const key of found.keys()) if (!expected.has(key)) return `${show(key)} should not be there`
  return undefined
}

/** A key or value, short enough for a message. */
export function show(value: unknown): string {
  if (value instanceof Uint8Array) {
    return `${value.length} bytes ${Buffer.from(value.subarray(0, 16)).toString('hex')}…`
  }
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return text.length > 60 ? `${text.slice(0, 50)}… (${text.length} characters)` : text
}
