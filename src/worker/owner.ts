/**
 * The side of the thread that has the database open: answers the requests of workers. One thread owns the files; all
 * commits of a turn of its event loop share one fdatasync, whichever worker they come from.
 */
import type { AsyncTransaction } from '../database/async-transaction.ts'
import type { Database } from '../database/database.ts'
import { XenonError } from '../errors.ts'
import type { AsyncTransactionOptions, BatchOperation, Key, PutOptions, Range } from '../types.ts'
import { asRange } from '../values/range.ts'
import { listen, type PortLike, type Request, type Response } from './protocol.ts'

/** What is done for a worker: with the database, or with one of its transactions. */
type Method<T> = (target: T, ...args: never[]) => unknown

/** Records of a range that one answer holds at most. */
const PAGE = 1000

const page = (range: Range | Key | undefined, limit: number): Range => {
  const given = asRange(range)
  return { ...given, limit: Math.min(limit, given.limit ?? limit) }
}

const ofDatabase: Readonly<Record<string, Method<Database<unknown>>>> = {
  get: (db, key: Key) => db.get(key),
  getMany: (db, keys: Key[]) => db.getMany(keys),
  has: (db, key: Key) => db.has(key),
  put: (db, key: Key, value: unknown, options?: PutOptions) => db.async.put(key, value, options),
  delete: (db, key: Key) => db.async.delete(key),
  batch: (db, operations: BatchOperation<unknown>[]) => db.async.batch(operations),
  ttl: (db, key: Key) => db.ttl(key),
  count: (db, range?: Range | Key) => db.count(range),
  page: (db, range?: Range | Key) => db.entries(page(range, PAGE)).take(PAGE),
  flush: db => db.flush(),
  stats: db => db.stats(),
}

const ofTransaction: Readonly<Record<string, Method<AsyncTransaction<unknown>>>> = {
  get: (tx, key: Key) => tx.get(key),
  has: (tx, key: Key) => tx.has(key),
  put: (tx, key: Key, value: unknown, options?: PutOptions) => tx.put(key, value, options),
  delete: (tx, key: Key) => tx.delete(key),
  count: (tx, range?: Range | Key) => tx.count(range),
  page: async (tx, range?: Range | Key) => {
    const entries: [string, unknown][] = []
    for await (const entry of tx.entries(page(range, PAGE))) entries.push(entry)
    return entries
  },
  commit: tx => tx.commit(),
  rollback: tx => tx.rollback(),
}

/**
 * Lets the worker at the other end of the port use the database. Call the returned function when the worker is gone: it
 * rolls back what the worker has left open.
 */
export const servePort = <V>(db: Database<V>, port: PortLike): (() => void) => {
  const transactions = new Map<number, AsyncTransaction<unknown>>()
  const owned = db as unknown as Database<unknown>
  let nextTransaction = 1

  const perform = (request: Request): unknown => {
    const { method, args, tx } = request
    if (method === 'begin') {
      const [options] = args as [AsyncTransactionOptions?]
      const id = nextTransaction++
      transactions.set(id, owned.async.beginNow(options ?? {}))
      return id
    }
    const table = tx === undefined ? ofDatabase : ofTransaction
    if (!Object.hasOwn(table, method))
      throw new XenonError('XENON_INVALID_ARGUMENT', `workers cannot call '${method}'`)
    if (tx === undefined) return ofDatabase[method]!(owned, ...(args as never[]))
    const transaction = transactions.get(tx)
    if (transaction === undefined)
      throw new XenonError('XENON_TRANSACTION_ENDED', 'the transaction has ended; begin another one')
    if (method === 'commit' || method === 'rollback') transactions.delete(tx)
    return ofTransaction[method]!(transaction, ...(args as never[]))
  }

  const answer = async (request: Request): Promise<void> => {
    let response: Response
    try {
      response = { id: request.id, value: await perform(request) }
    } catch (error) {
      const { name, message, code } = error as Error & { code?: string }
      response = { id: request.id, error: { name, message, code } }
    }
    port.postMessage(response)
  }

  const end = (): void => {
    for (const transaction of transactions.values()) transaction.abandon()
    transactions.clear()
  }
  listen(port, message => void answer(message as Request))
  port.on?.('close', end)
  return end
}
