/** The names of sub-databases. */
import { InvalidArgumentError } from '../errors.ts'
import { describe, isWellFormed } from '../runtime/bytes.ts'
import { MAX_SUB_NAME_BYTES } from './limits.ts'

const utf8 = /* @__PURE__ */ new TextEncoder()

/** @throws InvalidArgumentError */
export const requireSubName = (name: unknown): string => {
  if (typeof name !== 'string')
    throw new InvalidArgumentError(`the name of a sub-database is a string, not ${describe(name)}`)
  if (name.length === 0) throw new InvalidArgumentError('the name of a sub-database must not be empty')
  if (!isWellFormed(name))
    throw new InvalidArgumentError('the name of a sub-database must be well-formed Unicode; it has a lone surrogate')
  const { length } = utf8.encode(name)
  if (length > MAX_SUB_NAME_BYTES)
    throw new InvalidArgumentError(
      `the name of a sub-database may have ${MAX_SUB_NAME_BYTES} bytes of UTF-8; this one has ${length}`,
    )
  return name
}
