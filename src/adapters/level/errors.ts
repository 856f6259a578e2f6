/**
 * The engine's errors as users of abstract-level know them: an error with a `LEVEL_` code, and the engine's as `cause`.
 */
import { XenonError, type XenonErrorCode } from '../../errors.ts'

/** The others belong to transactions, which abstract-level does not have; they keep the engine's code. */
const CODES: Readonly<Partial<Record<XenonErrorCode, string>>> = {
  XENON_INVALID_ARGUMENT: 'LEVEL_INVALID_ARGUMENT',
  XENON_KEY_TOO_LARGE: 'LEVEL_INVALID_KEY',
  XENON_VALUE_TOO_LARGE: 'LEVEL_INVALID_VALUE',
  XENON_NOT_FOUND: 'LEVEL_NOT_FOUND',
  XENON_EXISTS: 'LEVEL_EXISTS',
  XENON_LOCKED: 'LEVEL_LOCKED',
  XENON_CLOSED: 'LEVEL_DATABASE_NOT_OPEN',
  XENON_READ_ONLY: 'LEVEL_READONLY',
  XENON_CORRUPT: 'LEVEL_CORRUPTION',
  XENON_FORMAT_VERSION: 'LEVEL_NOT_SUPPORTED',
  XENON_IO: 'LEVEL_IO_ERROR',
  XENON_FAILED: 'LEVEL_IO_ERROR',
  XENON_MOVED: 'LEVEL_IO_ERROR',
  XENON_FULL: 'LEVEL_IO_ERROR',
  XENON_NOT_SUPPORTED: 'LEVEL_NOT_SUPPORTED',
  XENON_SNAPSHOT_LOST: 'LEVEL_SNAPSHOT_NOT_OPEN',
}

/** An error with a code of abstract-level; the `cause` is the one of xenondb, where there is one. */
export class LevelError extends Error {
  /** One of abstract-level's codes, such as `LEVEL_CORRUPTION`. */
  readonly code: string

  constructor(code: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'LevelError'
    this.code = code
  }
}

/** What abstract-level's users expect in place of `error`; anything that is not the engine's stays as it is. */
export const levelError = (error: unknown): unknown => {
  if (!(error instanceof XenonError)) return error
  // Level databases say so, and users look for it.
  const words = error.code === 'XENON_NOT_FOUND' ? 'does not exist' : error.code === 'XENON_EXISTS' ? 'exists' : ''
  const message = words === '' ? error.message : `the database ${words}: ${error.message}`
  return new LevelError(CODES[error.code] ?? error.code, message, error)
}

/** Runs `work`; throws its errors as `levelError` says. */
export const guarded = <T>(work: () => T): T => {
  try {
    return work()
  } catch (error) {
    throw levelError(error)
  }
}
