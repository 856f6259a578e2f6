/**
 * The errors of xenondb: one class with a stable `code`, subclasses where a caller would want `instanceof`.
 * A message says what was wrong and what to do about it.
 */
import { quoted, type TupleKey } from './keys.ts'

/** What tells errors apart, for programs; docs/api.md says of each what it means and what to do. */
export type XenonErrorCode =
  | 'XENON_INVALID_ARGUMENT'
  | 'XENON_KEY_TOO_LARGE'
  | 'XENON_VALUE_TOO_LARGE'
  | 'XENON_ENCODE'
  | 'XENON_DECODE'
  | 'XENON_ENCODING'
  | 'XENON_NOT_FOUND'
  | 'XENON_EXISTS'
  | 'XENON_LOCKED'
  | 'XENON_CLOSED'
  | 'XENON_READ_ONLY'
  | 'XENON_LOCK_CONFLICT'
  | 'XENON_DEADLOCK'
  | 'XENON_TRANSACTION_ENDED'
  | 'XENON_CORRUPT'
  | 'XENON_FORMAT_VERSION'
  | 'XENON_IO'
  | 'XENON_FULL'
  | 'XENON_FAILED'
  | 'XENON_MOVED'
  | 'XENON_NOT_SUPPORTED'
  | 'XENON_SNAPSHOT_LOST'
  | 'XENON_VIEW_LOST'
  | 'XENON_WRITE_CONFLICT'
  | 'XENON_WATCH_OVERFLOW'
  | 'XENON_NOT_UNIQUE'
  | 'XENON_INDEX'
  | 'XENON_NOT_READY'
  | 'XENON_SERVER'
  | 'XENON_CONNECTION'
  | 'XENON_TIMEOUT'
  | 'XENON_PROTOCOL'
  | 'XENON_OWNER_LOST'
  | 'XENON_NOT_LEADER'
  | 'XENON_OUTCOME_UNKNOWN'
  | 'XENON_HALTED'

/** What the errors of a code tell beyond it; one that came over the network tells less. */
interface Details {
  XENON_ENCODE: EncodeError
  XENON_DECODE: DecodeError
  XENON_ENCODING: EncodingMismatchError
  XENON_LOCKED: DatabaseLockedError
  XENON_OWNER_LOST: OwnerLostError
  XENON_NOT_LEADER: NotLeaderError
  XENON_CORRUPT: CorruptionError
  XENON_FORMAT_VERSION: FormatVersionError
  XENON_MOVED: MovedError
  XENON_NOT_UNIQUE: NotUniqueError
  XENON_INDEX: IndexFunctionError
}

/** An error that is known to have the code `C`. */
export type ErrorOf<C extends XenonErrorCode> = C extends keyof Details
  ? XenonError & { readonly code: C } & Partial<Omit<Details[C], keyof XenonError>>
  : XenonError & { readonly code: C }

/** Under it the prototype of each class of errors has the name of the class, in all copies of this module. */
const brand: unique symbol = Symbol.for('xenondb.error')

const brandOf = (prototype: object): unknown => Object.getOwnPropertyDescriptor(prototype, brand)?.value

/** An object, one of whose prototypes has the brand. */
function bears(value: unknown, wanted: unknown): boolean {
  if (wanted === undefined || typeof value !== 'object') return false
  for (let at = value; at !== null; at = Object.getPrototypeOf(at)) if (brandOf(at) === wanted) return true
  return false
}

/** Gives a class of errors its name: a text, since minifiers rename classes, and on the prototype, where `stack` looks. */
export function named(type: { prototype: XenonError }, name: string): void {
  for (const property of ['name', brand])
    Object.defineProperty(type.prototype, property, { value: name, writable: true, configurable: true })
}

/**
 * Every error of xenondb. A process may have several copies of this module (a bundle, a framework that evaluates it
 * twice, Jest): `XenonError.is(error)` and `instanceof` know the errors of all copies, by a brand.
 */
export class XenonError extends Error {
  static {
    named(XenonError, 'XenonError')
  }

  /** Stable: for programs. */
  readonly code: XenonErrorCode

  constructor(code: XenonErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }

  /**
   * Whether this is an error of xenondb, of the given code if there is one. Never throws.
   *
   * @example
   * try {
   *   open('students')
   * } catch (error) {
   *   if (!XenonError.is(error, 'XENON_LOCKED')) throw error
   *   console.log(`process ${error.pid} has it open`)
   * }
   */
  static is(error: unknown): error is XenonError
  static is<C extends XenonErrorCode>(error: unknown, code: C): error is ErrorOf<C>
  static is(error: unknown, code?: XenonErrorCode): boolean {
    return error instanceof XenonError && (code === undefined || error.code === code)
  }

  /** True for the errors of other copies of this module too. A class of a caller's own is left to the language. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: subclasses inherit this method
    return Function.prototype[Symbol.hasInstance].call(this, value) || bears(value, brandOf(this.prototype))
  }
}

/** A key, value or option that can never be accepted. */
export class InvalidArgumentError extends XenonError {
  static {
    named(InvalidArgumentError, 'InvalidArgumentError')
  }

  constructor(message: string, options?: { cause?: unknown }) {
    super('XENON_INVALID_ARGUMENT', message, options)
  }
}

/** The value encoding, or the compression, could not make bytes of a value; `cause` holds its error. */
export class EncodeError extends XenonError {
  static {
    named(EncodeError, 'EncodeError')
  }

  /** The key of the record, as the key encoding has it. */
  readonly key: TupleKey
  /** Name of the encoding or the compression. */
  readonly encoding: string

  constructor(key: TupleKey, encoding: string, cause: unknown) {
    super(
      'XENON_ENCODE',
      `the value of ${quoted(key)} cannot be encoded as '${encoding}': ${reasonOf(cause)}; nothing was stored`,
      { cause },
    )
    this.key = key
    this.encoding = encoding
  }
}

/**
 * The bytes of a value are not what its encoding, or the compression, makes; or those of a key are none of the database's
 * `keyEncoding`. `cause` holds its error.
 */
export class DecodeError extends XenonError {
  static {
    named(DecodeError, 'DecodeError')
  }

  /** The key of the record, as the key encoding has it; its bytes where it cannot be decoded itself. */
  readonly key: TupleKey
  /** Name of the encoding or the compression. */
  readonly encoding: string

  constructor(key: TupleKey, encoding: string, cause: unknown, what: 'value' | 'key' = 'value') {
    super(
      'XENON_DECODE',
      what === 'value'
        ? `the value of ${quoted(key)} cannot be decoded as '${encoding}': ${reasonOf(cause)}; open the database with the encoding that it was written with, or store the value anew`
        : `${quoted(key)} is none of keyEncoding '${encoding}': ${reasonOf(cause)}; open the database with the keyEncoding that it was written with`,
      { cause },
    )
    this.key = key
    this.encoding = encoding
  }
}

/** The database, or sub-database, holds keys or values of another encoding than it is opened with. */
export class EncodingMismatchError extends XenonError {
  static {
    named(EncodingMismatchError, 'EncodingMismatchError')
  }

  /** The option that says otherwise. */
  readonly option: 'keyEncoding' | 'valueEncoding'
  /** Name of the encoding that the records were written with, as it is stored. */
  readonly stored: string
  /** Name of the one that was given. */
  readonly given: string

  /** `what`: such as `the database in /data/shop`. */
  constructor(what: string, option: 'keyEncoding' | 'valueEncoding', stored: string, given: string) {
    super(
      'XENON_ENCODING',
      `${what} was made with ${option} '${shown(stored)}'; open it with that, not with '${shown(given)}'. If its ${
        option === 'valueEncoding' ? 'values' : 'keys'
      } are of the other one all the same, storedEncoding: 'replace' stores that name, and 'ignore' does not look`,
    )
    this.option = option
    this.stored = stored
    this.given = given
  }
}

/** A record was to get a key of a unique index that another record has. Nothing was stored. */
export class NotUniqueError extends XenonError {
  static {
    named(NotUniqueError, 'NotUniqueError')
  }

  /** Name of the index. */
  readonly index: string
  /** The index key that both would have. */
  readonly indexKey: TupleKey
  /** The key of the record that was to be stored; bytes where they are no text. */
  readonly key: string | Uint8Array
  /** The key of the record that has the index key; bytes where they are no text. */
  readonly holder: string | Uint8Array

  /** `shownKey`: the index key as the message shows it. */
  constructor(
    index: string,
    indexKey: TupleKey,
    shownKey: string,
    key: string | Uint8Array,
    holder: string | Uint8Array,
  ) {
    super(
      'XENON_NOT_UNIQUE',
      `the index '${shown(index)}' is unique, and ${quoted(holder)} has the index key ${shown(shownKey)} already: ${quoted(key)} was not stored`,
    )
    this.index = index
    this.indexKey = indexKey
    this.key = key
    this.holder = holder
  }
}

/** The function of an index has thrown; `cause` holds its error. The change was not made. */
export class IndexFunctionError extends XenonError {
  static {
    named(IndexFunctionError, 'IndexFunctionError')
  }

  /** Name of the index. */
  readonly index: string
  /** The key of the record; bytes where they are no text. */
  readonly key: string | Uint8Array

  constructor(index: string, key: string | Uint8Array, cause: unknown) {
    super(
      'XENON_INDEX',
      `the function of the index '${shown(index)}' has thrown for ${quoted(key)}: ${reasonOf(cause)}; nothing was changed`,
      { cause },
    )
    this.index = index
    this.key = key
  }
}

/** Another process or handle has the database open. */
export class DatabaseLockedError extends XenonError {
  static {
    named(DatabaseLockedError, 'DatabaseLockedError')
  }

  /** Process id of the owner, when known. */
  readonly pid: number | undefined
  /** @internal The owner is a handle of this same thread, which cannot wait for itself. */
  readonly isOwn!: boolean

  constructor(message: string, pid?: number, isOwn: boolean = false) {
    super('XENON_LOCKED', message)
    this.pid = pid
    // Not shown where errors are printed.
    Object.defineProperty(this, 'isOwn', { value: isOwn })
  }
}

/** Of a shared database: the process that had it open has gone, and there may be no other one yet. */
export class OwnerLostError extends XenonError {
  static {
    named(OwnerLostError, 'OwnerLostError')
  }

  /** The call had reached it: whether it was executed is not known. */
  readonly sent: boolean

  constructor(message: string, sent: boolean, cause?: unknown) {
    super('XENON_OWNER_LOST', message, cause === undefined ? undefined : { cause })
    this.sent = sent
  }
}

/** Of a cluster: another node leads the shard, or nobody does at the moment. Nothing was executed. */
export class NotLeaderError extends XenonError {
  static {
    named(NotLeaderError, 'NotLeaderError')
  }

  /** Who leads as far as the node knows: its number, and where clients reach it. */
  readonly leader: { readonly node: number; readonly address: string } | undefined

  constructor(message: string, leader?: { readonly node: number; readonly address: string }) {
    super('XENON_NOT_LEADER', message)
    this.leader = leader
  }
}

/** This very thread has the database open. `pid`: of this process, where there are processes. */
export const openHereAlready = (directory: string, pid?: number): DatabaseLockedError =>
  new DatabaseLockedError(
    `${directory} is already open in this process, by another handle, perhaps of another copy of the module: open it once and keep that handle on globalThis for all (docs/frameworks.md), or close it first`,
    pid,
    true,
  )

/** An Error of whichever realm: Node's own are none of those that a `vm` context, such as one of Jest, calls Error. */
export const isError = (value: unknown): value is Error =>
  value instanceof Error || Object.prototype.toString.call(value) === '[object Error]'

/** Another open transaction holds the key that the operation needs; a synchronous call cannot wait for it. */
export class LockConflictError extends XenonError {
  static {
    named(LockConflictError, 'LockConflictError')
  }

  /** @internal Who is in the way of what; undefined if waiting would not help. */
  readonly conflict: { holders: readonly number[]; lock: number | undefined; exclusive: boolean } | undefined

  constructor(message: string, conflict?: LockConflictError['conflict']) {
    super('XENON_LOCK_CONFLICT', message)
    this.conflict = conflict
  }
}

/** The transaction was the youngest one of a deadlock. It has been rolled back; run it again. */
export class DeadlockError extends XenonError {
  static {
    named(DeadlockError, 'DeadlockError')
  }

  constructor(message: string) {
    super('XENON_DEADLOCK', message)
  }
}

/** A snapshot transaction wants to change what another one has changed and committed since its snapshot. */
export class WriteConflictError extends XenonError {
  static {
    named(WriteConflictError, 'WriteConflictError')
  }

  constructor(message: string) {
    super('XENON_WRITE_CONFLICT', message)
  }
}

/** Damage found in a file: which file, which block, what was expected. Nothing is guessed. */
export class CorruptionError extends XenonError {
  static {
    named(CorruptionError, 'CorruptionError')
  }

  /** Path of the damaged file. */
  readonly file: string
  /** Number of the damaged block, when the damage lies in a block. */
  readonly block: number | undefined

  constructor(file: string, detail: string, block?: number) {
    const where = block === undefined ? file : `${file}, block ${block}`
    super('XENON_CORRUPT', `${where}: ${detail}`)
    this.file = file
    this.block = block
  }
}

/** The files are sound, but of a format that this release does not read. Nothing of them was changed. */
export class FormatVersionError extends XenonError {
  static {
    named(FormatVersionError, 'FormatVersionError')
  }

  /** Path of the data file. */
  readonly file: string
  /** Format version of the file. */
  readonly version: number
  /** The newest format version that this release reads. */
  readonly supported: number

  /** `oldest`: the oldest one that it reads. */
  constructor(file: string, version: number, supported: number, oldest: number) {
    const remedy =
      version > supported
        ? 'it was written by a newer release of xenondb: open it with that one, or a later one'
        : 'export it with the release that wrote it, and import that here'
    super(
      'XENON_FORMAT_VERSION',
      `${file} has format version ${version}; this release reads versions ${oldest} to ${supported}: ${remedy}. Nothing was changed`,
    )
    this.file = file
    this.version = version
    this.supported = supported
  }
}

/** The database was moved, removed or replaced under an open handle, which touches nothing by name any more. */
export class MovedError extends XenonError {
  static {
    named(MovedError, 'MovedError')
  }

  /** Path of the file that is not the one any more that was opened. */
  readonly path: string

  constructor(
    path: string,
    what: string = 'is no longer the file that this handle opened: the database was moved, removed or replaced meanwhile. What stands there now was left alone; close this handle, and open the database where it lies now',
  ) {
    super('XENON_MOVED', `${path} ${what}`)
    this.path = path
  }
}

/** What a database that is open for reading alone shows is no longer to be had: its owner has written on. */
export class ViewLostError extends XenonError {
  static {
    named(ViewLostError, 'ViewLostError')
  }

  constructor(why: string) {
    super(
      'XENON_VIEW_LOST',
      `what this handle shows is gone: ${why}; refresh() it (or run the command again), and read again`,
    )
  }
}

/** The operating system refused a read, write or sync; `cause` holds its error. */
export class StorageError extends XenonError {
  static {
    named(StorageError, 'StorageError')
  }

  constructor(message: string, cause: unknown) {
    super('XENON_IO', message, { cause })
  }
}

/** Whatever was thrown, in a few words. */
export const reasonOf = (error: unknown): string => shown(isError(error) ? error.message : error)

/** Whatever was given, as a message shows it: some objects cannot be turned into text, or not without an end. */
export const shown = (value: unknown): string => {
  try {
    return String(value).slice(0, 300)
  } catch {
    return typeof value
  }
}

/**
 * There is no room on the disk for what was asked. It was refused before it changed anything: reads go on, so do
 * deletes while there is room for their log, and everything does by itself once there is room again.
 */
export class DiskFullError extends XenonError {
  static {
    named(DiskFullError, 'DiskFullError')
  }

  constructor(message: string, options?: { cause?: unknown }) {
    super('XENON_FULL', message, options)
  }
}

/** The system's codes for want of room: on the disk, of a quota, within the limit of a file's size. */
const FULL_CODES: readonly unknown[] = ['ENOSPC', 'EDQUOT', 'EFBIG']

/** True if the system had no room, however deep that lies among the causes of the error. */
export const isFull = (error: unknown): boolean => {
  for (let at = error, depth = 0; isError(at) && depth < 8; at = at.cause, depth++)
    if (at instanceof DiskFullError || FULL_CODES.includes((at as { code?: unknown }).code)) return true
  return false
}

/** What a copy ends with that found no room on its disk: any other error as it is. */
export const noRoomFor = (what: string, error: unknown): unknown => {
  if (!isFull(error) || error instanceof DiskFullError) return error
  const message = `the disk is full: there is no room for ${what}; free some space on it, or choose another one`
  return new DiskFullError(message, { cause: error })
}
