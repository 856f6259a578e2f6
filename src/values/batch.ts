/** The operations of a batch, read and checked before the first of them is done. */
import { InvalidArgumentError, shown } from '../errors.ts'
import type { BatchOperation, Key } from '../types.ts'

/** An operation as it was read. */
export interface BatchChange<V, K> {
  readonly isPut: boolean
  /** As it was given. */
  readonly key: K | Key
  readonly value: V | undefined
  /** Milliseconds, 0 = none. */
  readonly ttl: number
}

const PUT_FIELDS = new Set(['type', 'key', 'value', 'ttl'])

/**
 * Reads all of them: their getters may use the database, and must find no work half done. `ttlOf` checks a time to
 * live, and turns one that never ends into 0.
 * @throws InvalidArgumentError
 */
export const readBatch = <V, K>(
  operations: readonly BatchOperation<V, K>[],
  ttlOf: (ttl: number) => number,
): BatchChange<V, K>[] => {
  if (!Array.isArray(operations)) throw new InvalidArgumentError('batch() takes an array of operations')
  const changes: BatchChange<V, K>[] = []
  for (const operation of operations as readonly BatchOperation<V, K>[]) changes.push(readOperation(operation, ttlOf))
  return changes
}

const readOperation = <V, K>(operation: BatchOperation<V, K>, ttlOf: (ttl: number) => number): BatchChange<V, K> => {
  const type = operation?.type
  if (type === 'put') {
    requireKnown(operation, PUT_FIELDS)
    const { key, value, ttl } = operation
    return { isPut: true, key, value, ttl: ttl === undefined ? 0 : ttlOf(ttl) }
  }
  if (type === 'delete') return { isPut: false, key: operation.key, value: undefined, ttl: 0 }
  throw new InvalidArgumentError(`a batch operation has the type 'put' or 'delete', not ${shown(type)}`)
}

/** A misspelt option must not be lost in silence. */
const requireKnown = (operation: object, known: ReadonlySet<string>): void => {
  for (const name in operation)
    if (!known.has(name))
      throw new InvalidArgumentError(`a batch operation has no '${name}'; known are ${[...known].join(', ')}`)
}
