/** Checks the options of `open` and fills in the defaults. */

import type { EncodingNames } from '../engine/create.ts'
import { InvalidArgumentError, shown } from '../errors.ts'
import { MAX_BLOCK_SIZE, MIN_BLOCK_SIZE } from '../pager/layout.ts'
import { MAX_ENCODING_NAME_BYTES } from '../pager/metadata.ts'
import type { Storage } from '../storage/storage.ts'
import type {
  CompressionOption,
  Durability,
  KeyEncoding,
  RecoveryProgress,
  StoredEncoding,
  SubEncodings,
  ValueEncoding,
  Warning,
} from '../types.ts'
import { milliseconds } from '../values/checks.ts'
import { checkedCompression } from '../values/compression.ts'
import { encodingName, type LoadedEncoding, loadEncoding } from '../values/encoding.ts'
import { type KeyCodec, keyCodec, UTF8_KEYS } from '../values/key-codec.ts'

const MiB = 1048576
const MAX_CACHE_BYTES = 2147483648
const MIN_FRAMES = 16
const DEFAULT_BLOCK_SIZE = 4096

const KNOWN = new Set([
  'durability',
  'cacheBytes',
  'blockSize',
  'valueEncoding',
  'keyEncoding',
  'ordered',
  'compression',
  'createIfMissing',
  'errorIfExists',
  'readOnly',
  'checkpointBytes',
  'snapshotBytes',
  'lockTimeout',
  'lockWait',
  'takeover',
  'logSegmentBytes',
  'onRecovery',
  'storage',
  'onWarning',
  'inspect',
  'force',
  'storedEncoding',
])

const STORAGE_METHODS = ['kind', 'open', 'lock', 'list', 'join', 'crc32', 'randomBytes'] as const

/** How the keys and values of a key space become bytes. */
export interface Encodings<V> {
  readonly keys: KeyCodec
  readonly valueEncoding: LoadedEncoding<V>
  readonly compression: CompressionOption
}

/** Of a sub-database; those of one that exists are the ones that it was made with, unless compression is given. */
export interface SubOptions<V = string> extends SubEncodings<V> {
  /** Per value: one that does not shrink is stored plain. Default `'none'`. */
  compression?: CompressionOption | undefined
  /** Of one that exists with other encodings. Default `'check'`. */
  storedEncoding?: StoredEncoding | undefined
}

/** How `open` opens a database, or makes it. An option that is undefined has its default. */
export interface OpenOptions<V = string> {
  /** Default `'power'`. */
  durability?: Durability | undefined
  /**
   * Bytes of the buffer pool. Default: a quarter of the memory, at most 1 GiB, committed as used. At least 16 blocks.
   */
  cacheBytes?: number | undefined
  /** Power of two, 4096 to 65536; fixed at creation. Default 4096. */
  blockSize?: number | undefined
  /** Default `'utf8'`. */
  valueEncoding?: ValueEncoding<V> | undefined
  /**
   * What keys are: `'utf8'` text, `'binary'` bytes (a string stands for its UTF-8), `'tuple'` arrays and what may lie in
   * them (`TupleKey`). The same at each open. Default `'utf8'`.
   */
  keyEncoding?: KeyEncoding | undefined
  /** Keep the ordered index, which ranges need; fixed at creation (`xenondb convert` changes it). Default true. */
  ordered?: boolean | undefined
  /** Per value: one that does not shrink is stored plain. May change from open to open. Default `'none'`. */
  compression?: CompressionOption | undefined
  /** Create the database when there is none. Default true. */
  createIfMissing?: boolean | undefined
  /** Refuse a database that exists. Default false. */
  errorIfExists?: boolean | undefined
  /** Open without writing anything. Default false. */
  readOnly?: boolean | undefined
  /** Bytes of log between two checkpoints. Default 64 MiB. */
  checkpointBytes?: number | undefined
  /**
   * Bytes that copies of changed blocks may take, which open snapshots and iterators need. Default: a quarter of the
   * memory, at most 256 MiB.
   */
  snapshotBytes?: number | undefined
  /** Milliseconds that an operation of an asynchronous transaction may wait for a lock. Default 10,000. */
  lockTimeout?: number | undefined
  /** Milliseconds to wait while another process or thread has the database open; `Infinity` is allowed. Default 0. */
  lockWait?: number | undefined
  /**
   * Takes the lock even if its owner cannot be seen from here: that of a container which was killed. An owner that is
   * seen alive keeps it. Only if you know that nobody has the database open. Default false.
   */
  takeover?: boolean | undefined
  /** Bytes of one log segment file. Default 4 MiB. */
  logSegmentBytes?: number | undefined
  /** Hears how a recovery goes on, while `open` has not returned yet. An exception ends it; it may begin again. */
  onRecovery?: ((progress: RecoveryProgress) => void) | undefined
  /** Where the files live. Default: Node's file system. */
  storage?: Storage | undefined
  /**
   * Hears what will hurt before it does: a log that a forgotten transaction holds, a disk that is nearly full, slow
   * syncs and others (`Warning`). Each occurrence once, from a timer, never from inside a call. What it throws is
   * ignored.
   */
  onWarning?: ((warning: Warning) => void) | undefined
  /**
   * Lets the command line look into the database while this program has it open, through a socket in its directory that
   * only this user may use: `xenondb get`, `keys`, `range`, `count`, `ls`, `stats`, `export`, `repl`. With `'write'` it
   * may change records too. The socket does not keep the program running. Default false.
   */
  inspect?: boolean | 'write' | undefined
  /**
   * Makes a database in a directory where other files lie already; without it that is refused, since such a directory
   * is seldom meant. Nothing of them is touched either way. Default false.
   */
  force?: boolean | undefined
  /**
   * The database stores the names of its encodings; those of sub-databases are stored with them. `'check'` refuses
   * others (`XENON_ENCODING`), `'replace'` stores those that are given, changes no record, and checks
   * the other; `'ignore'` does not look at them. Default `'check'`.
   */
  storedEncoding?: StoredEncoding | undefined
}

/** What a program that connects to the socket of `inspect` may do. */
export type Inspection = false | 'read' | 'write'

export interface ResolvedOptions<V> {
  durability: Durability
  cacheBytes: number
  blockSize: number
  /** The block size was asked for, so an existing database must have it. */
  blockSizeGiven: boolean
  valueEncoding: LoadedEncoding<V>
  keys: KeyCodec
  /** As asked for; an existing database must be so. */
  ordered: boolean | undefined
  compression: CompressionOption
  createIfMissing: boolean
  errorIfExists: boolean
  readOnly: boolean
  checkpointBytes: number
  snapshotBytes: number
  lockTimeout: number
  lockWait: number
  takeover: boolean
  logSegmentBytes: number
  onRecovery: ((progress: RecoveryProgress) => void) | undefined
  storage: Storage
  onWarning: ((warning: Warning) => void) | undefined
  inspect: Inspection
  force: boolean
  storedEncoding: StoredEncoding
  /** Of the encodings, the default ones too. */
  names: EncodingNames
  /** Which of them were said. */
  namesGiven: Record<keyof EncodingNames, boolean>
}

export const resolveOptions = <V>(options: OpenOptions<V>, defaultStorage: Storage): ResolvedOptions<V> => {
  if (options === null || typeof options !== 'object') throw invalid('the options must be an object')
  for (const name of Object.keys(options))
    if (!KNOWN.has(name)) throw invalid(`there is no option '${name}'; known are ${[...KNOWN].join(', ')}`)
  const storage = options.storage ?? defaultStorage
  if (storage !== defaultStorage) requireStorage(storage)
  const blockSize = options.blockSize ?? DEFAULT_BLOCK_SIZE
  if (blockSize !== DEFAULT_BLOCK_SIZE) requireBlockSize(blockSize)
  // The pool and the copies may both be full, beside the heap: in a small container that must not be too much.
  const quarter = Math.floor((storage.memoryBytes ?? 1024 * MiB) / 4)
  // What was not given is not checked, so that a plain open() compiles none of the checks.
  const given = <T>(name: keyof OpenOptions<V>, byDefault: T, check: (name: string, value: unknown) => T): T => {
    const value = options[name] ?? undefined
    return value === undefined ? byDefault : check(name, value)
  }
  const valueEncoding = given('valueEncoding', 'utf8' as LoadedEncoding<V>, (_, value) => loadEncoding<V>(value))
  const keys = given('keyEncoding', UTF8_KEYS, (_, value) => keyCodec(value))
  return {
    durability: given<Durability>('durability', 'power', durability),
    cacheBytes: cacheBytes(options.cacheBytes, Math.min(quarter, 1024 * MiB), blockSize),
    blockSize,
    blockSizeGiven: options.blockSize !== undefined,
    valueEncoding,
    keys,
    ordered: options.ordered === undefined ? undefined : flag('ordered', options.ordered),
    compression: given('compression', 'none', (_, value) => checkedCompression(value, storage)),
    createIfMissing: given('createIfMissing', true, flag),
    errorIfExists: given('errorIfExists', false, flag),
    readOnly: given('readOnly', false, flag),
    checkpointBytes: given('checkpointBytes', storage.logDefaults?.checkpointBytes ?? 64 * MiB, checkpointBytes),
    snapshotBytes: given('snapshotBytes', Math.min(quarter, 256 * MiB), snapshotBytes),
    lockTimeout: given('lockTimeout', 10_000, milliseconds),
    lockWait: given('lockWait', 0, milliseconds),
    takeover: given('takeover', false, flag),
    logSegmentBytes: given('logSegmentBytes', storage.logDefaults?.segmentBytes ?? 4 * MiB, logSegmentBytes),
    onRecovery: options.onRecovery === undefined ? undefined : requireFunction('onRecovery', options.onRecovery),
    storage,
    onWarning: options.onWarning === undefined ? undefined : requireFunction('onWarning', options.onWarning),
    inspect: given<Inspection>('inspect', false, (name, value) => inspection(name, value, storage === defaultStorage)),
    force: given('force', false, flag),
    storedEncoding: storedEncodingOf(options, options.readOnly ?? false),
    names: storable(encodingNames({ keys, valueEncoding })),
    namesGiven: {
      keyEncoding: (options.keyEncoding ?? undefined) !== undefined,
      valueEncoding: (options.valueEncoding ?? undefined) !== undefined,
    },
  }
}

const inspection = (name: string, value: unknown, hasFiles: boolean): Inspection => {
  if (value !== 'write' && typeof value !== 'boolean')
    throw invalid(`${name} must be true, false or 'write', not ${shown(value)}`)
  if (value !== false && !hasFiles)
    throw invalid(`${name} needs a database in Node's file system, where others find its socket`)
  return value === true ? 'read' : value
}

const storable = (names: EncodingNames): EncodingNames => {
  const { length } = new TextEncoder().encode(names.valueEncoding)
  if (length <= MAX_ENCODING_NAME_BYTES) return names
  throw invalid(
    `the name of a valueEncoding is stored, in at most ${MAX_ENCODING_NAME_BYTES} bytes; this one has ${length}: give it a shorter one`,
  )
}

/** @throws InvalidArgumentError */
export const storedEncodingOf = (
  { storedEncoding = 'check' }: Pick<SubOptions, 'storedEncoding'>,
  readOnly: boolean,
): StoredEncoding => {
  oneOf('storedEncoding', storedEncoding, ['check', 'replace', 'ignore'])
  if (readOnly && storedEncoding === 'replace')
    throw invalid("storedEncoding: 'replace' writes, which readOnly does not; take 'ignore'")
  return storedEncoding
}

const requireStorage = (storage: Storage): void => {
  if (typeof storage !== 'object' || STORAGE_METHODS.some(method => typeof storage[method] !== 'function'))
    throw invalid('storage must be a Storage, such as nodeStorage or memoryStorage()')
}

/** @throws InvalidArgumentError */
export const requireSubOptions = <T extends object>(given: T): T => {
  if (given === null || typeof given !== 'object')
    throw invalid("the options of a sub-database must be an object, such as { valueEncoding: 'json' }")
  return given
}

/** @throws InvalidArgumentError */
export const resolveEncodings = <V>(given: SubOptions<V>, storage: Storage): Encodings<V> => {
  const {
    keyEncoding: key = 'utf8',
    valueEncoding: value = 'utf8',
    compression: codec = 'none',
    storedEncoding: _,
    ...others
  } = given
  for (const name of Object.keys(others)) throw invalid(`there is no option '${name}' of a sub-database`)
  return {
    keys: keyCodec(key),
    valueEncoding: loadEncoding<V>(value),
    compression: checkedCompression(codec, storage),
  }
}

/** The names of encodings, which are stored; '' for a codec without one. */
export const encodingNames = <V>({
  keys,
  valueEncoding,
}: Pick<Encodings<V>, 'keys' | 'valueEncoding'>): EncodingNames => ({
  keyEncoding: keys.encoding,
  valueEncoding:
    typeof valueEncoding !== 'string' && typeof valueEncoding.name !== 'string' ? '' : encodingName(valueEncoding),
})

const requireBlockSize = (blockSize: number): void => {
  if (
    !Number.isInteger(blockSize) ||
    blockSize < MIN_BLOCK_SIZE ||
    blockSize > MAX_BLOCK_SIZE ||
    (blockSize & (blockSize - 1)) !== 0
  )
    throw invalid(
      `blockSize must be a power of two from ${MIN_BLOCK_SIZE} to ${MAX_BLOCK_SIZE}, not ${shown(blockSize)}`,
    )
}

const cacheBytes = (given: number | undefined, byDefault: number, blockSize: number): number => {
  if (given === undefined) return byDefault
  return Math.max(bytes('cacheBytes', given, 1, MAX_CACHE_BYTES), MIN_FRAMES * blockSize)
}

const bytes = (name: string, value: unknown, least: number, most: number): number => {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most)
    throw invalid(`${name} must be a whole number of bytes from ${least} to ${most}, not ${shown(value)}`)
  return value
}

const checkpointBytes = (name: string, value: unknown): number => bytes(name, value, 65536, 2 ** 40)

const snapshotBytes = (name: string, value: unknown): number => bytes(name, value, 0, 2 ** 40)

const logSegmentBytes = (name: string, value: unknown): number => bytes(name, value, 65536, 2 ** 30)

const requireFunction = <T>(name: string, value: T): T => {
  if (typeof value !== 'function') throw invalid(`${name} must be a function`)
  return value
}

const flag = (name: string, value: unknown): boolean => {
  if (typeof value !== 'boolean') throw invalid(`${name} must be true or false, not ${shown(value)}`)
  return value
}

const durability = (name: string, value: unknown): Durability => oneOf(name, value, ['power', 'process', 'none'])

const oneOf = <T extends string>(name: string, value: unknown, allowed: readonly T[]): T => {
  if (!allowed.includes(value as T))
    throw invalid(`${name} must be ${allowed.map(item => `'${item}'`).join(' or ')}, not ${shown(value)}`)
  return value as T
}

const invalid = (message: string): InvalidArgumentError => new InvalidArgumentError(message)
