/** Whether the handle may still be trusted. After an I/O error that leaves the files in doubt it refuses everything. */
import { XenonError } from '../errors.ts'

export class Health {
  failure: unknown = undefined

  /** Remembers the first failure; returns the error to throw. */
  fail(error: unknown): unknown {
    this.failure ??= error
    return error
  }

  check(): void {
    if (this.failure !== undefined)
      throw new XenonError(
        'XENON_FAILED',
        `an earlier input/output error stopped this handle (${(this.failure as Error).message}); close it and open the database again to recover`,
        { cause: this.failure },
      )
  }
}
