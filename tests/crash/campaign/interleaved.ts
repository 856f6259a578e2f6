/**
 * Transactions that are open at the same time: several of them at the crash, with changes in the log that others have
 * synced, with savepoints, waiting for each other, rolled back or picked to end a deadlock.
 */
import type { AsyncTransaction } from '../../../src/database/async-transaction.ts'
import type { Savepoint } from '../../../src/database/transaction.ts'
import { DeadlockError, LockConflictError, WriteConflictError } from '../../../src/errors.ts'
import type { Random } from '../../../src/testing/random.ts'
import type { Change, Session } from './session.ts'

/** What a session keeps to itself, for commits that it does not make. */
interface Books {
  enter(changes: readonly Change[]): number
  acknowledge(commit: number): void
  readonly inFlight: Promise<void>[]
}

interface Actor {
  tx: AsyncTransaction
  changes: Map<string, string | undefined>
  savepoints: { savepoint: Savepoint; changes: Map<string, string | undefined> }[]
  busy: boolean
  over: boolean
}

const ACTORS = 5
const STEPS = 170

/** All that can go on goes on. No timers: they would not follow from the seed. */
const settle = async (): Promise<void> => {
  for (let i = 0; i < 3; i++) await new Promise(resolve => setImmediate(resolve))
}

/** `keys` lie in few index blocks, so that transactions meet, and buckets split and merge under them. */
export const interleaved = async (
  session: Session,
  keys: readonly string[],
  text: (random: Random, most: number) => string,
): Promise<void> => {
  const { random } = session
  const books = session as unknown as Books
  session.batch(keys.slice(0, keys.length >> 1).map(key => [key, text(random, 300)] as const))
  const actors: (Actor | undefined)[] = Array.from({ length: ACTORS }, () => undefined)

  const begin = (): Actor => ({
    tx: session.db.async.beginNow({
      isolation: random.pick(['serializable', 'serializable', 'repeatable-read', 'read-committed', 'snapshot']),
      lockTimeout: Number.POSITIVE_INFINITY,
    }),
    changes: new Map(),
    savepoints: [],
    busy: false,
    over: false,
  })

  /** Starts an operation; it may wait long after. */
  const run = (actor: Actor, operation: () => Promise<void>): void => {
    actor.busy = true
    void operation()
      .catch(async error => {
        actor.over = true
        if (error instanceof WriteConflictError && !actor.tx.ended) await actor.tx.rollback()
        else if (!(error instanceof DeadlockError)) throw error
      })
      .finally(() => {
        actor.busy = false
      })
  }

  const write = async (actor: Actor): Promise<void> => {
    const key = random.pick(keys)
    if (random.chance(0.3)) {
      if (await actor.tx.delete(key)) actor.changes.set(key, undefined)
      return
    }
    const value = text(random, random.chance(0.1) ? 9000 : 700)
    await actor.tx.put(key, value)
    actor.changes.set(key, value)
  }

  const commit = (actor: Actor): void => {
    actor.over = true
    const { tx, changes } = actor
    // Without a change there is nothing to be durable, and nothing is promised.
    if (changes.size === 0) {
      run(actor, () => tx.rollback())
      return
    }
    const number = books.enter([...changes])
    const done = tx.commit().then(() => books.acknowledge(number))
    books.inFlight.push(done)
  }

  const step = async (actor: Actor): Promise<void> => {
    const roll = random.below(100)
    if (roll < 48) run(actor, () => write(actor))
    else if (roll < 53) run(actor, async () => void (await actor.tx.get(random.pick(keys))))
    else if (roll < 56) run(actor, async () => void (await actor.tx.count({ gte: random.pick(keys), limit: 3 })))
    else if (roll < 64)
      actor.savepoints.push({ savepoint: await actor.tx.savepoint(), changes: new Map(actor.changes) })
    else if (roll < 71) {
      const at = random.below(actor.savepoints.length + 1)
      const back = actor.savepoints[at]
      if (back === undefined) return
      await actor.tx.rollbackTo(back.savepoint)
      actor.changes = new Map(back.changes)
      actor.savepoints.length = at + 1
    } else if (roll < 96) commit(actor)
    else {
      actor.over = true
      await actor.tx.rollback()
    }
  }

  /** A transaction that does not wait, beside those that do. */
  const meanwhile = (): void => {
    const tx = session.db.begin()
    const key = random.pick(keys)
    const value = text(random, 200)
    try {
      tx.put(key, value)
    } catch (error) {
      tx.rollback()
      if (!(error instanceof LockConflictError)) throw error
      return
    }
    const number = books.enter([[key, value]])
    tx.commit()
    books.acknowledge(number)
  }

  session.begin()
  for (let i = 0; i < STEPS; i++) {
    const at = random.below(ACTORS)
    let actor = actors[at]
    if (actor === undefined || (actor.over && !actor.busy)) {
      actor = begin()
      actors[at] = actor
    }
    if (!actor.busy && !actor.tx.ended) await step(actor)
    await settle()
    const roll = random.below(100)
    if (roll < 6) meanwhile()
    else if (roll < 13) await session.flush()
    else if (roll < 15) await session.checkpoint()
  }
  // Those that are still open stay so: the crash finds them.
  await session.flush()
}
