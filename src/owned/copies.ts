/** Copies of what callers hand over: it is theirs to change while a call waits for an owner. */
import { copyBytes, isBytes } from '../runtime/bytes.ts'
import type { LoadedEncoding } from '../values/encoding.ts'

/** A copy of a key, which may be a tuple with bytes in it; or of bytes. */
export const copyOf = <T>(given: T): T => {
  if (isBytes(given)) return copyBytes(given, 0, given.length) as T
  return Array.isArray(given) ? (given.map(copyOf) as T) : given
}

/** A copy of a value: what its encoding makes of it, and gives back. One that it refuses stays, to be refused later. */
export const copyOfValue = <V>(encoding: LoadedEncoding<V>, value: V): V => {
  try {
    if (encoding === 'utf8') return value
    if (encoding === 'binary') return copyOf(value)
    if (encoding === 'json') return JSON.parse(JSON.stringify(value)) as V
    return encoding.decode(copyOf(encoding.encode(value)))
  } catch {
    return value
  }
}
