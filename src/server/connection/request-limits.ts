/** How large a request may be. */
import type { RequestLimits } from '../protocol/parser.ts'
import type { Settings } from '../service/options.ts'

/** What a client may send before it has authenticated. */
export const STRANGERS: RequestLimits = { arguments: 10, argumentBytes: 16384, queryBytes: 1048576 }
/** A 32-bit length, as in Redis; what arrives is bounded by its bytes. */
const MAX_ARGUMENTS = 2147483647

/** The limits as they are now: CONFIG SET may change them. */
export const limitsOf = (settings: Settings): RequestLimits => ({
  arguments: MAX_ARGUMENTS,
  get argumentBytes() {
    return settings.maxArgumentBytes
  },
  get queryBytes() {
    return settings.maxQueryBytes
  },
})
