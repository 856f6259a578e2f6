/** Errors on their way over a port: they keep their class, their code and what else they tell. */
import {
  CorruptionError,
  DatabaseLockedError,
  DeadlockError,
  DecodeError,
  DiskFullError,
  EncodeError,
  EncodingMismatchError,
  IndexFunctionError,
  InvalidArgumentError,
  isError,
  LockConflictError,
  MovedError,
  NotUniqueError,
  StorageError,
  shown,
  ViewLostError,
  WriteConflictError,
  XenonError,
  type XenonErrorCode,
} from '../errors.ts'
import { isBytes } from '../runtime/bytes.ts'
import type { PortError } from './protocol.ts'

/** How deep causes are followed. */
const DEEPEST = 4

export const portable = (error: unknown, depth: number = 0): PortError => {
  if (!isError(error)) return { name: 'Error', message: shown(error) }
  const { name, message, cause } = error
  const result: PortError = { name: shown(name), message: shown(message) }
  if (error instanceof XenonError) {
    result.code = error.code
    result.fields = Object.fromEntries(Object.entries(error).filter(([, value]) => isPlain(value)))
  }
  if (cause !== undefined && depth < DEEPEST) result.cause = portable(cause, depth + 1)
  return result
}

/** Anything else might not be cloned. */
const isPlain = (value: unknown): boolean =>
  ['string', 'number', 'boolean', 'bigint'].includes(typeof value) ||
  value === null ||
  isBytes(value) ||
  (Array.isArray(value) && value.every(isPlain))

const CLASSES: Partial<Record<XenonErrorCode, { prototype: XenonError }>> = {
  XENON_INVALID_ARGUMENT: InvalidArgumentError,
  XENON_ENCODE: EncodeError,
  XENON_DECODE: DecodeError,
  XENON_ENCODING: EncodingMismatchError,
  XENON_LOCKED: DatabaseLockedError,
  XENON_LOCK_CONFLICT: LockConflictError,
  XENON_DEADLOCK: DeadlockError,
  XENON_WRITE_CONFLICT: WriteConflictError,
  XENON_CORRUPT: CorruptionError,
  XENON_MOVED: MovedError,
  XENON_IO: StorageError,
  XENON_FULL: DiskFullError,
  XENON_NOT_UNIQUE: NotUniqueError,
  XENON_INDEX: IndexFunctionError,
  XENON_VIEW_LOST: ViewLostError,
}

export const revived = ({ name, message, code, fields, cause }: PortError): Error => {
  const options = cause === undefined ? undefined : { cause: revived(cause) }
  if (code === undefined) return Object.assign(new Error(message, options), { name })
  const error = new XenonError(code as XenonErrorCode, message, options)
  const kind = CLASSES[error.code]
  if (kind !== undefined) Object.setPrototypeOf(error, kind.prototype)
  Object.assign(error, fields)
  // Of a class that is not one of the engine's.
  if (error.name !== name) Object.defineProperty(error, 'name', { value: name, writable: true, configurable: true })
  return error
}
