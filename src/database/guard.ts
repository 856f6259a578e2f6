/** Who says whether a write may go on, while not everybody may write: `readOnly`, or a replica (`replica.ts`). */
import { XenonError } from '../errors.ts'
import type { TransactionState } from '../txn/transaction-state.ts'

export interface Guard {
  /** A transaction that is begun now may write, though `beforeCommit` has a word in its end. */
  readonly admits: boolean
  /**
   * Before a write: the transaction that it is to happen in.
   * @throws XenonError `XENON_READ_ONLY` for whoever may not write.
   */
  enter(): TransactionState
  /** The error for a write that is refused. */
  refusal(): XenonError
  /** Before a transaction commits what it has changed. */
  beforeCommit(): void
  /** A key space of this number was made. */
  made(number: number): void
}

const refusal = (): XenonError =>
  new XenonError('XENON_READ_ONLY', 'the database was opened with readOnly; open it without it to write')

/** Of a database that was opened for reading alone. */
export const READ_ONLY: Guard = {
  admits: false,
  enter: () => {
    throw refusal()
  },
  refusal,
  beforeCommit: () => {},
  made: () => {},
}
