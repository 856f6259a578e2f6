/**
 * What a page can ask of a database, whatever lies between: calls by name, with plain parameters and answers
 * (`http.ts` carries them over HTTP, the static site between a page and its worker). Parameters come from a page that
 * anybody may have written: each is checked here.
 */
import type { AsyncTransaction } from '../database/async-transaction.ts'
import type { Database } from '../database/database.ts'
import type { Sub } from '../database/sub.ts'
import { InvalidArgumentError, shown, ViewLostError, XenonError } from '../errors.ts'
import type { Observer } from '../runtime/observer.ts'
import { nextTurn } from '../runtime/timers.ts'
import type { Storage } from '../storage/storage.ts'
import { encodeTuple } from '../values/tuple.ts'
import { tupleFromPlain } from '../values/tuple-json.ts'
import { listSpaces, metadataFacts, viewBlock } from './block.ts'
import { searchKeys } from './keys.ts'
import { KnownLog } from './known-log.ts'
import { viewPool, viewTransactions } from './live.ts'
import { LiveMap } from './live-map.ts'
import { viewGrowingLog, viewLog } from './log.ts'
import { pathOf } from './path.ts'
import { Recorder } from './recorder.ts'
import { shownBytes } from './shown.ts'
import { BlockSource } from './source.ts'
import { type SpaceView, spaceAt } from './space.ts'

/** Bytes of a value that are given at a time. */
const VALUE_BYTES = 65536
const MOST_TRANSACTIONS = 64
const MOST_GROUPS = 1000
const MOST_KEYS = 200
const MOST_PATH = 16
const MOST_EVENTS = 500
const SHOWN_DEADLOCKS = 8

/** A deadlock that was found: each of the transactions waited for the next one, the last for the first. */
interface DeadlockSeen {
  readonly at: number
  readonly circle: readonly number[]
  readonly ended: number
}

/** The checkpoint under way, or the last one: how many blocks it is to write, and has written. */
interface CheckpointSeen {
  readonly began: number
  readonly blocks: number
  readonly written: Set<number>
  readonly endedAt: number | undefined
  readonly redoLsn: number | undefined
}

type Bytes = Database<Uint8Array, Uint8Array>
type Store = Bytes | Sub<Uint8Array, Uint8Array>
type Params = Readonly<Record<string, unknown>>

/** What is explored: an open database, or the files of one that others may have open. */
export interface ExplorerOptions {
  readonly directory: string
  /** Where the files lie as they are. */
  readonly storage: Storage
  /** Opened with keys and values as bytes. Undefined: the files are shown as they lie there. */
  readonly db?: Bytes | undefined
  /** The page may change the database. */
  readonly writable: boolean
  /** Why the files have to do, in one sentence. */
  readonly note?: string | undefined
}

export class Explorer {
  private readonly options: ExplorerOptions
  private readonly source: BlockSource
  private readonly map: LiveMap
  private readonly transactions: Map<number, AsyncTransaction<Uint8Array, Uint8Array>> = new Map()
  private readonly observer: Observer
  private readonly knownLog: KnownLog
  private recorder: Recorder | undefined
  private readonly deadlocks: DeadlockSeen[] = []
  private checkpoint: CheckpointSeen | undefined

  /** @throws what `open` throws, of files that cannot be read */
  constructor(options: ExplorerOptions) {
    const { db, directory, storage } = options
    this.options = options
    this.source =
      db === undefined ? BlockSource.ofFiles(directory, storage) : BlockSource.ofEngine(directory, db.layers)
    const turn = (): Promise<void> => new Promise(resolve => nextTurn(resolve))
    this.map = new LiveMap(this.source, turn)
    this.knownLog = new KnownLog(turn)
    this.observer = this.look()
    if (db !== undefined) db.layers.health.observer = this.observer
  }

  /**
   * Answers a call. Answers are plain objects, but for typed arrays in those of `map` and `pool`.
   * @throws XenonError; `XENON_MOVED`, whatever is asked, once the database was removed or replaced;
   *   `XENON_INVALID_ARGUMENT` for a call that there is not, `XENON_READ_ONLY` for one that would change
   *   something which may not be changed
   */
  async call(name: string, params: unknown): Promise<object> {
    this.source.requireInPlace()
    const given = typeof params === 'object' && params !== null ? (params as Params) : {}
    const read = Object.hasOwn(READS, name) ? READS[name] : undefined
    if (read !== undefined) return await read(this, given)
    const write = Object.hasOwn(WRITES, name) ? WRITES[name] : undefined
    if (write === undefined) throw new InvalidArgumentError(`there is no call '${shown(name)}'`)
    if (!this.options.writable || this.options.db === undefined)
      throw new XenonError(
        'XENON_READ_ONLY',
        'the explorer may only read here; start it with --write to change records',
      )
    return await write(this, this.options.db, given)
  }

  /** Rolls back what the page has begun, and looks on no longer; the database stays open. */
  async close(): Promise<void> {
    const { db } = this.options
    for (const transaction of this.transactions.values())
      if (db?.closed === false) await transaction.rollback().catch(() => {})
    this.transactions.clear()
    if (db?.closed === false && db.layers.health.observer === this.observer) db.layers.health.observer = undefined
    this.source.close()
  }

  /** What the engine tells of goes to the map, and to a recording that is being made. */
  private look(): Observer {
    return {
      used: block => {
        this.map.noteUse(block)
        this.recorder?.used(block)
      },
      read: block => {
        this.map.noteUse(block)
        this.recorder?.read(block)
      },
      left: block => {
        this.map.note(block)
        this.recorder?.left(block)
      },
      wrote: block => {
        if (this.checkpoint?.endedAt === undefined) this.checkpoint?.written.add(block)
        this.recorder?.wrote(block)
      },
      group: (lsn, bytes, a, at) => this.recorder?.group(lsn, bytes, a, at),
      synced: lsn => this.recorder?.synced(lsn),
      checkpointBegan: blocks => {
        this.checkpoint = { began: Date.now(), blocks, written: new Set(), endedAt: undefined, redoLsn: undefined }
        this.recorder?.checkpointBegan(blocks)
      },
      checkpointEnded: redoLsn => {
        if (this.checkpoint !== undefined) this.checkpoint = { ...this.checkpoint, endedAt: Date.now(), redoLsn }
        this.recorder?.checkpointEnded(redoLsn)
      },
      deadlock: (circle, ended) => {
        this.deadlocks.push({ at: Date.now(), circle, ended })
        if (this.deadlocks.length > SHOWN_DEADLOCKS) this.deadlocks.shift()
        this.recorder?.deadlock(circle, ended)
      },
    }
  }

  /** @internal Begins a recording, or forgets it. */
  record(params: Params): object {
    const { source } = this
    const { pool } = source
    if (params.on !== true) this.recorder = undefined
    else if (pool === undefined || source.isFollowed || this.options.db === undefined)
      throw new XenonError(
        'XENON_NOT_SUPPORTED',
        'what another process does with the database cannot be recorded; start explore with --write, or serve with --explorer-port',
      )
    else this.recorder = new Recorder(source, pool)
    return { isOn: this.recorder !== undefined }
  }

  /** @internal */
  eventsSince(params: Params): object {
    const { recorder } = this
    const since = count(params, 'since') ?? 0
    return {
      events: recorder?.since(since, MOST_EVENTS) ?? [],
      isOn: recorder !== undefined,
      isFull: recorder?.isFull ?? false,
    }
  }

  /** The blocks, as they were after an event of the recording if `at` says so. */
  private sourceFor(params: Params): BlockSource {
    const at = count(params, 'at')
    return at === undefined || this.recorder === undefined ? this.source : this.recorder.sourceAt(at)
  }

  /** @internal */
  facts(): object {
    const { directory, writable, note, db } = this.options
    const { source } = this
    source.refresh()
    const spaces = listSpaces(source).map(({ block, kind, path, facts }) => ({
      block,
      kind,
      path: path ?? [],
      isGone: path === undefined,
      number: facts.number,
      index: facts.index,
      ordered: facts.ordered,
      expiry: facts.expiry,
    }))
    const canRecord = db !== undefined && !source.isFollowed
    return { directory, writable, isOpen: db !== undefined, canRecord, note, metadata: metadataFacts(source), spaces }
  }

  /** @internal */
  state(): object {
    const { db } = this.options
    const { source } = this
    source.refresh()
    if (db?.readOnly === true) follow(db)
    const metadata = metadataFacts(source)
    if (db === undefined) return { at: Date.now(), metadata }
    const { log } = db.layers
    const marks = { endLsn: log.endLsn, writtenLsn: log.writtenLsn, syncedLsn: log.syncedLsn }
    const { deadlocks } = this
    const checkpoint = this.checkpoint && { ...this.checkpoint, written: this.checkpoint.written.size }
    return { at: Date.now(), metadata, stats: db.stats(), marks, warnings: db.health().warnings, deadlocks, checkpoint }
  }

  /** @internal */
  async mapSince(params: Params): Promise<object> {
    return await this.map.since(count(params, 'since') ?? 0)
  }

  /** @internal */
  block(params: Params): object {
    this.source.refresh()
    return viewBlock(this.sourceFor(params), count(params, 'block') ?? 0)
  }

  /** @internal */
  path(params: Params): object {
    const space = this.space(params)
    return pathOf(this.sourceFor(params), space, keyOf(params, space))
  }

  /** @internal */
  search(params: Params): object {
    const limit = Math.min(count(params, 'limit') ?? 20, MOST_KEYS)
    return searchKeys(this.source, this.space(params), text(params, 'text'), limit)
  }

  /** The log is always that of the files: a database that is open for reading has recovered in memory. */
  async log(params: Params): Promise<object> {
    const { directory, storage, db } = this.options
    // What was committed may lie in a buffer still.
    if (db?.readOnly === false && this.options.writable) db.layers.log.write()
    const limit = Math.min(count(params, 'limit') ?? 50, MOST_GROUPS)
    const part = { before: count(params, 'before'), limit }
    if (db?.readOnly === false) return await viewGrowingLog(this.source, this.knownLog, part)
    const files = BlockSource.ofFiles(directory, storage)
    try {
      return viewLog(files, part)
    } finally {
      files.close()
    }
  }

  /** @internal */
  pool(): object {
    return viewPool(this.opened().layers)
  }

  /** @internal */
  transactionsNow(): object {
    return viewTransactions(this.opened().layers)
  }

  /** @internal The value of a key, as far as it is given at a time. */
  value(params: Params): object {
    const store = this.store(this.opened(), params)
    const value = store.get(keyOf(params, this.space(params)))
    if (value === undefined) return { found: false }
    const part = value.subarray(0, VALUE_BYTES)
    return { found: true, ...shownBytes(part), bytes: value.length, text: textOf(part) }
  }

  /** @internal */
  async verify(): Promise<object> {
    return await this.opened().verify()
  }

  /** @internal */
  put(db: Bytes, params: Params): object {
    const store = this.store(db, params)
    const ttl = count(params, 'ttl')
    store.put(keyOf(params, this.space(params)), valueIn(params), ttl === undefined ? {} : { ttl })
    return {}
  }

  /** @internal */
  delete(db: Bytes, params: Params): object {
    return { deleted: this.store(db, params).delete(keyOf(params, this.space(params))) }
  }

  /** @internal */
  async begin(db: Bytes): Promise<object> {
    if (this.transactions.size >= MOST_TRANSACTIONS)
      throw new XenonError('XENON_INVALID_ARGUMENT', `${MOST_TRANSACTIONS} transactions are open here; end some`)
    const before = new Set(db.layers.transactions.open.keys())
    const transaction = await db.async.begin()
    const id = [...db.layers.transactions.open.keys()].find(each => !before.has(each)) ?? 0
    this.transactions.set(id, transaction)
    return { transaction: id }
  }

  /** @internal What is done inside a transaction that the page has begun. */
  async inside(params: Params): Promise<object> {
    const id = count(params, 'transaction') ?? 0
    const transaction = this.transactions.get(id)
    if (transaction === undefined)
      throw new XenonError('XENON_TRANSACTION_ENDED', `there is no open transaction ${id} of this page`)
    const what = text(params, 'what')
    try {
      if (what === 'commit' || what === 'rollback') {
        this.transactions.delete(id)
        await (what === 'commit' ? transaction.commit() : transaction.rollback())
        return {}
      }
      const space = this.space({})
      const key = keyOf(params, space)
      if (what === 'put') await transaction.put(key, valueIn(params))
      else if (what === 'delete') return { deleted: await transaction.delete(key) }
      else if (what === 'get') {
        const value = await transaction.get(key)
        return value === undefined ? { found: false } : { found: true, ...shownBytes(value) }
      } else throw new InvalidArgumentError(`there is nothing called '${shown(what)}' to do in a transaction`)
      return {}
    } catch (error) {
      if (error instanceof XenonError && error.code === 'XENON_DEADLOCK') {
        this.transactions.delete(id)
        await transaction.rollback().catch(() => {})
      }
      throw error
    }
  }

  private opened(): Bytes {
    const { db } = this.options
    if (db === undefined)
      throw new XenonError('XENON_NOT_SUPPORTED', 'these are the files alone: another process has the database open')
    return db
  }

  private space(params: Params): SpaceView {
    this.source.refresh()
    return spaceAt(this.source, pathIn(params))
  }

  private store(db: Bytes, params: Params): Store {
    let store: Store = db
    for (const name of pathIn(params)) {
      const sub: Sub<Uint8Array, Uint8Array> | undefined = store.subAsBytes(name)
      if (sub === undefined) throw new InvalidArgumentError(`there is no sub-database '${shown(name)}'`)
      store = sub
    }
    return store
  }
}

/** To what is committed now, by whatever process; if its owner writes too fast for that, the page is a moment behind. */
const follow = (db: Bytes): void => {
  try {
    db.refresh()
  } catch (error) {
    if (!(error instanceof ViewLostError)) throw error
  }
}

type Read = (explorer: Explorer, params: Params) => object | Promise<object>
type Write = (explorer: Explorer, db: Bytes, params: Params) => object | Promise<object>

const READS: Readonly<Record<string, Read>> = {
  facts: explorer => explorer.facts(),
  state: explorer => explorer.state(),
  map: (explorer, params) => explorer.mapSince(params),
  block: (explorer, params) => explorer.block(params),
  path: (explorer, params) => explorer.path(params),
  record: (explorer, params) => explorer.record(params),
  events: (explorer, params) => explorer.eventsSince(params),
  search: (explorer, params) => explorer.search(params),
  log: (explorer, params) => explorer.log(params),
  pool: explorer => explorer.pool(),
  transactions: explorer => explorer.transactionsNow(),
  value: (explorer, params) => explorer.value(params),
  verify: explorer => explorer.verify(),
}

const WRITES: Readonly<Record<string, Write>> = {
  put: (explorer, db, params) => explorer.put(db, params),
  delete: (explorer, db, params) => explorer.delete(db, params),
  begin: (explorer, db) => explorer.begin(db),
  inside: (explorer, _db, params) => explorer.inside(params),
  checkpoint: async (_explorer, db) => {
    await db.checkpoint()
    return {}
  },
  compact: async (_explorer, db) => await db.compact(),
}

/** A whole number from 0 on, or undefined. */
const count = (params: Params, name: string): number | undefined => {
  const value = params[name]
  if (value === undefined) return undefined
  if (!Number.isSafeInteger(value) || (value as number) < 0)
    throw new InvalidArgumentError(`${name} must be a whole number, at least 0`)
  return value as number
}

const text = (params: Params, name: string): string => {
  const value = params[name]
  if (typeof value !== 'string') throw new InvalidArgumentError(`${name} must be a text`)
  return value
}

const pathIn = ({ sub }: Params): string[] => {
  if (sub === undefined) return []
  if (!Array.isArray(sub) || sub.length > MOST_PATH || !sub.every(name => typeof name === 'string'))
    throw new InvalidArgumentError(`sub must be an array of at most ${MOST_PATH} names`)
  return sub
}

const utf8 = new TextEncoder()

/** `key` as a text, of tuples as their JSON; or `hex`, its bytes. */
const keyOf = (params: Params, { isTuple }: SpaceView): Uint8Array => {
  if (params.hex !== undefined) return fromHex(text(params, 'hex'))
  const key = text(params, 'key')
  return isTuple ? encodeTuple(tupleFromPlain(parsed(key))) : utf8.encode(key)
}

const valueIn = (params: Params): Uint8Array => utf8.encode(text(params, 'value'))

const parsed = (json: string): unknown => {
  try {
    return JSON.parse(json)
  } catch {
    throw new InvalidArgumentError('the keys here are tuples: JSON such as ["user",42]')
  }
}

const fromHex = (hex: string): Uint8Array => {
  if (!/^([0-9a-f]{2})*$/i.test(hex)) throw new InvalidArgumentError('hex must be pairs of hexadecimal digits')
  return Uint8Array.from(hex.match(/../g) ?? [], pair => Number.parseInt(pair, 16))
}

/** The whole of it, if it is text. */
const textOf = (bytes: Uint8Array): string | undefined => {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return shownBytes(bytes).text
  }
}
