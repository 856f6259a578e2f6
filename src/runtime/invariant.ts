/**
 * Invariants: rules of the house, each with a letter and a number, written down at the head of the file that keeps them
 * (` *  P1  …`). Code that may find one broken compares, and calls `broken`, which costs nothing while all is well.
 */
import { XenonError } from '../errors.ts'

/**
 * Tests that break a rule on purpose ask whether the rest of the engine, or a crash, shows it: then nothing stops here.
 */
export const invariants: { areChecked: boolean } = { areChecked: true }

/**
 * An invariant does not hold: a defect of xenondb, whatever the caller did. Stops before what is wrong reaches the
 * files; `health`, where there is one at hand, stops the handle for good, since memory and log may have parted.
 * @throws XenonError `XENON_FAILED`
 */
export const broken = (invariant: string, found: string, health?: { fail(error: unknown): unknown }): void => {
  if (!invariants.areChecked) return
  const error = new XenonError(
    'XENON_FAILED',
    `xenondb stopped before it wrote something wrong (${invariant}: ${found}); this is a defect of xenondb, please report it; what was committed is safe: close the handle and open the database again`,
  )
  throw health === undefined ? error : health.fail(error)
}
