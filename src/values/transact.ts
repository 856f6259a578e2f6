/** `transact`: the loop that runs a function in one transaction after the other until one of them commits. */
import { InvalidArgumentError, shown, XenonError, type XenonErrorCode } from '../errors.ts'
import { requireFunction, requireRun } from '../runtime/callbacks.ts'
import { setTimeout } from '../runtime/timers.ts'

/** What the loop needs of a transaction. */
export interface Attempt {
  readonly ended: boolean
  commit(): Promise<void>
  /** Rolls back if it is still open. Never fails. */
  abandon(): void | Promise<void>
  /**
   * Throws why it was rolled back, if it was: whoever has caught the error of an operation has not caught what it
   * meant.
   */
  requireStanding(): void
}

/** Where the transactions come from. */
export interface Attempts<T extends Attempt> {
  /** Begins a transaction; `attempt` counts from 0. */
  begin(attempt: number): T | Promise<T>
  /** It holds no locks any more, though its commit may not be durable yet. Called at least once for each `begin`. */
  over?(): void
}

/** The transaction was rolled back, or can only be, for what others have done: another run may succeed. */
const AGAIN: ReadonlySet<XenonErrorCode> = new Set(['XENON_DEADLOCK', 'XENON_WRITE_CONFLICT'])

export const isRetryable = (error: unknown): error is XenonError => error instanceof XenonError && AGAIN.has(error.code)

const DEFAULT_RETRIES = 20

/** @throws InvalidArgumentError */
export const checkedRetries = (retries: unknown = DEFAULT_RETRIES): number => {
  if (retries === Number.POSITIVE_INFINITY || (Number.isSafeInteger(retries) && (retries as number) >= 0))
    return retries as number
  throw new InvalidArgumentError(`retries must be a whole number, not ${shown(retries)}`)
}

/**
 * Runs `work` in a transaction, commits it and gives its result; rolls back if it throws. Begins another one, after a
 * short random pause and at most `retries` times, when the transaction was picked to end a deadlock or met a write
 * conflict.
 */
export const runTransaction = async <T extends Attempt, R>(
  attempts: Attempts<T>,
  work: (tx: T) => Promise<R> | R,
  retries: number,
): Promise<R> => {
  requireFunction('transact()', work)
  for (let attempt = 0; ; attempt++) {
    let tx: T | undefined
    try {
      const begun = attempts.begin(attempt)
      // One that is there already is used at once: whoever comes next must not come before it.
      tx = begun instanceof Promise ? await begun : begun
      const result = await work(tx)
      requireRun('transact()', result)
      tx.requireStanding()
      const durable = tx.ended ? undefined : tx.commit()
      attempts.over?.()
      if (durable !== undefined) await durable
      return result
    } catch (error) {
      attempts.over?.()
      await tx?.abandon()
      if (!isRetryable(error) || attempt >= retries) throw error
    }
    await backoff(attempt)
  }
}

/** Milliseconds that the first repetition waits at most; each further one twice as long, up to the last. */
const BACKOFF_MS = 1
const LONGEST_BACKOFF_MS = 64

/** A random pause before a transaction is run again, so that those that met do not meet again. */
const backoff = (attempt: number): Promise<void> => {
  const most = Math.min(LONGEST_BACKOFF_MS, BACKOFF_MS * 2 ** attempt)
  return new Promise(resolve => setTimeout(resolve, Math.random() * most))
}
