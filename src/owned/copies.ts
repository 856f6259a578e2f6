/** Copies of what callers hand over: it is theirs to change while a call waits for an owner. */
import { copyBytes, isBytes } from '../runtime/bytes.ts'

/** A copy of a key, which may be a tuple with bytes in it; or of bytes. */
export const copyOf = <T>(given: T): T => {
  if (isBytes(given)) return copyBytes(given, 0, given.length) as T
  return Array.isArray(given) ? (given.map(copyOf) as T) : given
}
