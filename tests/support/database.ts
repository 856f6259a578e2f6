import type { Engine } from '../../src/engine/engine.ts'
import { type Database, memoryStorage, type OpenOptions, open, type VerifyReport } from '../../src/index.ts'
import { withDirectory } from './directory.ts'
import { type Image, readImage } from './image.ts'

/** A database under test. */
export interface Subject<V> {
  /** The handle opened last. */
  readonly db: Database<V>
  readonly directory: string
  readonly options: OpenOptions<V>
  /** Closes the handle, if it is open, and opens the database again, with other options if given. */
  reopen(changes?: OpenOptions<V>): Database<V>
  /** The files as they are now. */
  image(): Image
}

/** Up to this many records a database is opened and verified once more after its last close. */
const SMALL = 5_000

/**
 * Runs `body` with a fresh database on the real disk, or in `options.storage`.
 * Every test database ends with `verify`: it must find nothing, and neither when the database is opened again.
 */
export async function withDatabase<V = string>(
  options: OpenOptions<V>,
  body: (subject: Subject<V>) => unknown,
): Promise<void> {
  await withDirectory(async parent => {
    const { storage } = options
    const directory = storage === undefined ? `${parent}/db` : 'db'
    let current = options
    let db = open<V, string>(directory, options)
    const subject: Subject<V> = {
      get db() {
        return db
      },
      directory,
      get options() {
        return current
      },
      reopen(changes = {}) {
        db.close()
        current = { ...current, ...changes }
        db = open<V, string>(directory, current)
        return db
      },
      image: () => readImage(directory, storage),
    }
    try {
      await body(subject)
      const ending = { ...current, readOnly: false, errorIfExists: false }
      if (db.closed) db = open<V, string>(directory, ending)
      const sweptBefore = db.stats().expired
      const report = await expectVerified(db)
      const swept = db.stats().expired - sweptBefore
      db.close()
      if (report.records <= SMALL) {
        db = open<V, string>(directory, ending)
        const again = await expectVerified(db)
        // Nothing is gone but what has expired.
        const least = report.records - swept - db.stats().expired
        if (again.records > report.records || again.records < least)
          throw new Error(`${again.records} records after a reopen, ${report.records} before`)
      }
    } finally {
      closeQuietly(db)
    }
  })
}

/** The same in memory, for tests that need no disk. */
export async function withMemoryDatabase<V = string>(
  options: OpenOptions<V>,
  body: (subject: Subject<V>) => unknown,
): Promise<void> {
  await withDatabase<V>({ storage: memoryStorage(), ...options }, body)
}

/** `verify` finds nothing wrong, its count of records is right, and no frame of the pool is pinned. */
export async function expectVerified<V, K>(db: Database<V, K>, records?: number): Promise<VerifyReport> {
  const before = db.stats().records
  const report = await db.verify()
  if (!report.ok || report.problemCount !== 0 || report.problems.length !== 0) {
    throw new Error(`verify found ${report.problemCount} problems:\n${report.problems.join('\n')}`)
  }
  const { pool, checkpointer } = (db as unknown as { engine: Engine }).engine
  // The blocks of a step that is made aside are pinned until it is done, also if somebody has overtaken it meanwhile.
  await checkpointer.settled()
  for (let waits = 0; pool.pinned !== 0 && waits < 12_000; waits++) await new Promise(resolve => setTimeout(resolve, 5))
  const { pinned } = pool
  if (pinned !== 0) throw new Error(`${pinned} pins are held between two operations`)
  // Expired records may be swept meanwhile.
  const after = db.stats().records
  const isRight =
    records === undefined
      ? report.records >= Math.min(before, after) && report.records <= Math.max(before, after)
      : report.records === records
  if (!isRight) throw new Error(`verify counted ${report.records} records where there are ${records ?? after}`)
  return report
}

/** Closes a handle whose test has failed already, without hiding that failure. */
export function closeQuietly(db: { close(): void }): void {
  try {
    db.close()
  } catch {
    // The failure of the test is what counts.
  }
}
