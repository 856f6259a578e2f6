/**
 * The side of the thread that has the database open: answers the requests of workers. One thread owns the files; all
 * commits of a turn of its event loop share one fdatasync, whichever worker they come from.
 */
import type { AsyncTransaction } from '../database/async-transaction.ts'
import type { Database } from '../database/database.ts'
import type { Outer, Sub } from '../database/sub.ts'
import type { Savepoint } from '../database/transaction.ts'
import { DecodeError, InvalidArgumentError, XenonError } from '../errors.ts'
import { isBytes } from '../runtime/bytes.ts'
import type { AsyncTransactionOptions, Change, Key, Range, SubEncodings, WatchOptions } from '../types.ts'
import type { AsyncIndexReads } from '../values/async-index.ts'
import type { AsyncReads } from '../values/async-store.ts'
import { Watcher } from '../values/watcher.ts'
import { portable } from './errors.ts'
import {
  type Abort,
  listen,
  type PortError,
  type Portion,
  type PortLike,
  type Request,
  type Response,
  type ToldPage,
} from './protocol.ts'

/** What a worker may call, of the database and of a transaction, and the place of the options with a signal. */
const OF_DATABASE: Readonly<Record<string, number | undefined>> = {
  ...{
    get: undefined,
    getMany: undefined,
    has: undefined,
    ttl: undefined,
    count: undefined,
    page: undefined,
    flush: undefined,
    subs: undefined,
    drop: undefined,
  },
  ...{ put: 2, delete: 1, batch: 1, expire: 2, persist: 1, clear: 1 },
}
const OF_TRANSACTION: Readonly<Record<string, number | undefined>> = {
  ...{ get: undefined, getMany: undefined, has: undefined, ttl: undefined, count: undefined, page: undefined },
  ...{ put: undefined, delete: undefined, expire: undefined, persist: undefined, clear: undefined },
}

const OF_INDEX: ReadonlySet<string> = new Set(['get', 'entries', 'keys', 'page', 'toldPage', 'count', 'next', 'return'])

/** Items of a page, and characters or bytes after which it ends. The first is short: many loops are left early. */
const FIRST_PAGE = 100
const PAGE = 1000
const PAGE_BYTES = 1048576

type Items = AsyncIterator<unknown, undefined>

interface OpenTransaction {
  readonly tx: AsyncTransaction<unknown>
  readonly savepoints: Savepoint[]
}

/**
 * Lets the worker at the other end of the port use the database. Call the returned function when the worker is gone, if
 * its port does not tell: it rolls back what the worker has left open.
 * @example const end = servePort(db, worker)
 */
export const servePort = <V, K>(db: Database<V, K>, port: PortLike): (() => void) => serve(db, port, {})

/** What an owner does beside the calls of a store, by name. */
export type Others = Readonly<Record<string, (...args: never[]) => unknown>>

/** The same, and what else the worker may call. */
export const serve = <V, K>(db: Database<V, K>, port: PortLike, others: Others): (() => void) => {
  const served = new Served(db as unknown as Database<unknown>, port, others)
  listen(
    port,
    message => served.receive(message as Request | Abort),
    () => served.end(),
  )
  return () => served.end()
}

class Served {
  private readonly db: Database<unknown>
  private readonly port: PortLike
  private readonly others: Others
  /** Those that the worker has asked for: the number of one is its place. */
  private readonly subs: Sub<unknown>[] = []
  private readonly transactions: Map<number, OpenTransaction> = new Map()
  private readonly iterators: Map<number, Items> = new Map()
  /** Of calls that may wait for a lock, and of transactions that the worker may abort. */
  private readonly aborts: Map<number, AbortController> = new Map()
  private isOver = false

  constructor(db: Database<unknown>, port: PortLike, others: Others) {
    this.db = db
    this.port = port
    this.others = others
  }

  receive(message: Request | Abort): void {
    if ('abort' in message) this.aborts.get(message.abort)?.abort()
    else void this.answer(message)
  }

  /** The worker is gone: what it has left open is rolled back, and what waits for it waits no more. */
  end(): void {
    if (this.isOver) return
    this.isOver = true
    const reason = new XenonError('XENON_CLOSED', 'the port was closed')
    for (const controller of this.aborts.values()) controller.abort(reason)
    for (const { tx } of this.transactions.values()) tx.abandon()
    for (const items of this.iterators.values()) void items.return?.().catch(() => {})
    this.transactions.clear()
    this.iterators.clear()
    this.aborts.clear()
  }

  private async answer(request: Request): Promise<void> {
    const { id } = request
    let response: Response
    try {
      response = { id, value: await this.perform(request) }
    } catch (error) {
      response = { id, error: portable(error) }
    }
    this.forget(request.tx ?? id)
    try {
      this.port.postMessage(response)
    } catch (error) {
      this.port.postMessage({ id, error: portable(notSent(error)) })
    }
  }

  /** A call that was answered, unless it has begun a transaction; a transaction that has ended. */
  private forget(id: number): void {
    if (this.transactions.get(id)?.tx.ended === false) return
    this.transactions.delete(id)
    this.aborts.delete(id)
  }

  private perform(request: Request): unknown {
    const { id, method, args, tx, sub } = request
    if (this.isOver) throw new XenonError('XENON_CLOSED', 'the owner of the database serves this port no more')
    if (request.index !== undefined && !OF_INDEX.has(method)) throw notAllowed(method)
    switch (method) {
      case 'begin':
        return this.begin(request)
      case 'keys':
      case 'values':
      case 'entries':
        return this.open(
          id,
          (this.sourceOf(request) as AsyncReads<unknown>)[method](args[0] as Range | Key | undefined),
        )
      case 'toldPage':
        return this.toldPage(request)
      case 'watch':
        return this.watch(request)
      case 'next':
        return this.page(args[0] as number, PAGE)
      case 'return':
        return this.leave(args[0] as number)
      case 'close':
        return this.end()
      case 'stats':
        return this.db.stats()
      case 'sub':
        return this.numberOf(this.storeOf(sub).sub(args[0] as string, args[1] as SubEncodings<unknown> | undefined))
      default:
        if (request.index !== undefined) return this.invoke(this.sourceOf(request), method, args)
        return tx === undefined ? this.call(request) : this.callInside(request, tx)
    }
  }

  private call({ id, method, args, sub }: Request): unknown {
    if (Object.hasOwn(this.others, method)) return this.invoke(this.others, method, args)
    if (!Object.hasOwn(OF_DATABASE, method)) throw notAllowed(method)
    const place = OF_DATABASE[method]
    if (place !== undefined) {
      const { signal } = this.abortOf(id)
      while (args.length < place) args.push(undefined)
      args[place] = { ...(args[place] as object | undefined), signal }
    }
    return this.invoke(this.storeOf(sub).async, method, args)
  }

  private callInside({ method, args, sub }: Request, number: number): unknown {
    const { tx, savepoints } = this.transactionOf(number)
    switch (method) {
      case 'commit':
      case 'rollback':
        return tx[method]()
      case 'savepoint':
        return tx.savepoint().then(savepoint => savepoints.push(savepoint) - 1)
      case 'rollbackTo':
        return tx.rollbackTo(savepoints[args[0] as number]!)
    }
    if (!Object.hasOwn(OF_TRANSACTION, method)) throw notAllowed(method)
    return this.invoke(this.inside(tx, sub), method, args)
  }

  private invoke(target: object, method: string, args: unknown[]): unknown {
    return (target as Record<string, (...args: unknown[]) => unknown>)[method]!(...args)
  }

  private begin({ id, args, abortable }: Request): void {
    const options = args[0] as AsyncTransactionOptions
    const signal = abortable === true ? { signal: this.abortOf(id).signal } : {}
    this.transactions.set(id, { tx: this.db.async.beginNow({ ...options, ...signal }), savepoints: [] })
  }

  private abortOf(id: number): AbortController {
    const controller = new AbortController()
    this.aborts.set(id, controller)
    return controller
  }

  private sourceOf({ tx, sub, index }: Request): AsyncReads<unknown> | AsyncIndexReads<unknown> {
    const inside = tx === undefined ? undefined : this.transactionOf(tx).tx
    if (index === undefined) return inside === undefined ? this.storeOf(sub).async : this.inside(inside, sub)
    const found = this.storeOf(sub).async.index(index)
    return inside === undefined ? found : found.in(inside)
  }

  private inside(tx: AsyncTransaction<unknown>, sub: number | undefined): AsyncTransaction<unknown> {
    return sub === undefined ? tx : tx.in<unknown, string>(this.storeOf(sub))
  }

  private storeOf(number: number | undefined): Outer<unknown> {
    return number === undefined ? this.db : this.subs[number]!
  }

  private numberOf(sub: Sub<unknown>): number {
    const known = this.subs.indexOf(sub)
    return known >= 0 ? known : this.subs.push(sub) - 1
  }

  private transactionOf(number: number): OpenTransaction {
    const open = this.transactions.get(number)
    if (open === undefined)
      throw new XenonError('XENON_TRANSACTION_ENDED', 'the transaction has ended; begin another one')
    return open
  }

  /** A page, and the records that were passed over for it: the worker's function hears of them there. */
  private async toldPage(request: Request): Promise<ToldPage<unknown>> {
    const [range, size, cursor] = request.args as [Range, number, string | undefined]
    const failed: PortError[] = []
    const onDecodeError = (error: DecodeError): void => {
      failed.push(portable(error))
    }
    const page = await (this.sourceOf(request) as AsyncReads<unknown>).page({ ...range, onDecodeError }, size, cursor)
    return { page, failed }
  }

  private open(id: number, items: Items): Promise<Portion> {
    this.iterators.set(id, items)
    return this.page(id, FIRST_PAGE)
  }

  private async watch({ id, args, sub }: Request): Promise<void> {
    const [range, options] = args as [Range | Key | undefined, WatchOptions]
    this.iterators.set(id, await this.storeOf(sub).async.watch(range, options))
  }

  /** At least one item, unless there is none left. */
  private async page(id: number, most: number): Promise<Portion> {
    const iterator = this.iterators.get(id)
    const items: unknown[] = []
    if (iterator === undefined) return { items, done: true }
    const page: Portion = { items, done: false }
    try {
      page.done = await this.fill(iterator, items, most)
    } catch (error) {
      // A watch ends with it; an iterator goes on behind it.
      if (!(error instanceof DecodeError) || iterator instanceof Watcher) {
        this.iterators.delete(id)
        throw error
      }
      page.failed = portable(error)
    }
    if (page.done) this.iterators.delete(id)
    return page
  }

  /** True if there are no more. */
  private async fill(iterator: Items, items: unknown[], most: number): Promise<boolean> {
    for (let size = 0; items.length < most && size < PAGE_BYTES; ) {
      const step = await iterator.next()
      if (step.done === true) return true
      items.push(step.value)
      size += sizeOf(step.value)
      if (iterator instanceof Watcher) {
        for (const change of iterator.take(most - 1) as Change<unknown>[]) items.push(change)
        return false
      }
    }
    return false
  }

  private async leave(id: number): Promise<void> {
    const iterator = this.iterators.get(id)
    this.iterators.delete(id)
    await iterator?.return?.()
  }
}

/** Characters and bytes, as far as they are easily told. */
const sizeOf = (item: unknown): number => {
  if (typeof item === 'string' || isBytes(item)) return item.length
  return Array.isArray(item) ? item.reduce<number>((sum, part) => sum + sizeOf(part), 0) : 1
}

const notAllowed = (method: string): XenonError => new InvalidArgumentError(`workers cannot call '${method}'`)

/** A value cannot be sent. */
export const notSent = (error: unknown): XenonError =>
  new InvalidArgumentError('the value cannot be sent to another thread', { cause: error })
