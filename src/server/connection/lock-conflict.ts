/** Whether a command has met the lock of a transaction. */
import { LockConflictError } from '../../errors.ts'

/** A transaction holds the lock that a command needs; it may be tried again. */
export const meetsLock = (error: unknown): boolean => holdersIn(error) !== undefined

/** The transactions in the way, if a lock is. */
export const holdersIn = (error: unknown): readonly number[] | undefined => {
  const conflict = error instanceof LockConflictError ? error.conflict : undefined
  return conflict?.holders.length === 0 ? UNKNOWN : conflict?.holders
}

/** No transaction has this id: what waits for it is tried again and again. */
const UNKNOWN: readonly number[] = [0]
