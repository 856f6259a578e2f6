/** The side of a worker thread: the database of another thread, over a port. Every method returns a promise. */

import {
  DeadlockError,
  LockConflictError,
  WriteConflictError,
  XenonError,
  type XenonErrorCode,
} from '../errors.ts'
import { requireFunction, requireRun } from '../runtime/callbacks.ts'
import type { BatchOperation, Key, PutOptions, Range, Stats, TransactionOptions } from '../types.ts'
import { asRange } from '../values/range.ts'
import { listen, type PortError, type PortLike, type Response } from './protocol.ts'

interface Pending {
  resolve(value: unknown): void
  reject(error: unknown): void
}

class Calls {
  private readonly port: PortLike
  private readonly pending: Map<number, Pending> = new Map()
  private nextId = 1

  constructor(port: PortLike) {
    this.port = port
    listen(port, message => this.settle(message as Response))
  }

  call<T>(method: string, args: readonly unknown[], tx?: number): Promise<T> {
    const id = this.nextId++
    return new Promise<T>((resolve, reject) => {
      this.pending.set(id, { resolve: resolve as (value: unknown) => void, reject })
      this.port.postMessage(tx === undefined ? { id, method, args } : { id, method, args, tx })
    })
  }

  private settle(response: Response): void {
    const pending = this.pending.get(response.id)
    if (pending === undefined) return
    this.pending.delete(response.id)
    if ('error' in response) pending.reject(revived(response.error))
    else pending.resolve(response.value)
  }

  close(): void {
    this.port.close?.()
    for (const { reject } of this.pending.values())
      reject(new XenonError('XENON_CLOSED', 'the connection to the database was closed'))
    this.pending.clear()
  }
}

/** Reads a range page by page. */
async function* pages<V>(
  read: (range: Range) => Promise<[string, V][]>,
  given: Range | Key | undefined,
): AsyncGenerator<[string, V], undefined> {
  const range = asRange(given)
  let left = range.limit ?? Number.POSITIVE_INFINITY
  let from: Range = {}
  while (left > 0) {
    const entries = await read({
      ...range,
      ...from,
      ...(left === Number.POSITIVE_INFINITY ? {} : { limit: left }),
    })
    if (entries.length === 0) return undefined
    yield* entries
    left -= entries.length
    const last = entries[entries.length - 1]![0]
    from = range.reverse === true ? { lt: last } : { gt: last }
  }
  return undefined
}

export class PortDatabase<V = string> {
  private readonly calls: Calls

  constructor(port: PortLike) {
    this.calls = new Calls(port)
  }

  get(key: Key): Promise<V | undefined> {
    return this.calls.call('get', [key])
  }

  getMany(keys: readonly Key[]): Promise<(V | undefined)[]> {
    return this.calls.call('getMany', [keys])
  }

  has(key: Key): Promise<boolean> {
    return this.calls.call('has', [key])
  }

  /** Resolves when the record is as durable as the database's `durability` says. */
  put(key: Key, value: V, options?: PutOptions): Promise<void> {
    return this.calls.call('put', options === undefined ? [key, value] : [key, value, options])
  }

  delete(key: Key): Promise<boolean> {
    return this.calls.call('delete', [key])
  }

  batch(operations: readonly BatchOperation<V>[]): Promise<void> {
    return this.calls.call('batch', [operations])
  }

  ttl(key: Key): Promise<number | undefined> {
    return this.calls.call('ttl', [key])
  }

  count(range?: Range | Key): Promise<number> {
    return this.calls.call('count', [range])
  }

  /** The records of a range, some at a time: those of one page are of one moment. */
  entries(range?: Range | Key): AsyncGenerator<[string, V], undefined> {
    return pages(page => this.calls.call('page', [page]), range)
  }

  flush(): Promise<void> {
    return this.calls.call('flush', [])
  }

  stats(): Promise<Stats> {
    return this.calls.call('stats', [])
  }

  async begin(options: TransactionOptions = {}): Promise<PortTransaction<V>> {
    return new PortTransaction(this.calls, await this.calls.call<number>('begin', [options]))
  }

  /** Runs `work` in a transaction, commits it, and runs it again after a deadlock or a write conflict. */
  async transact<T>(
    work: (tx: PortTransaction<V>) => Promise<T> | T,
    { retries = 20, ...options }: TransactionOptions & { retries?: number } = {},
  ): Promise<T> {
    requireFunction('transact()', work)
    for (let attempt = 0; ; attempt++) {
      const tx = await this.begin(options)
      try {
        const result = await work(tx)
        requireRun('transact()', result)
        await tx.commit()
        return result
      } catch (error) {
        await tx.rollback().catch(() => {})
        const again = error instanceof DeadlockError || error instanceof WriteConflictError
        if (!again || attempt >= retries) throw error
      }
    }
  }

  /** Closes the port; the database stays open in its own thread. */
  close(): void {
    this.calls.close()
  }
}

export class PortTransaction<V = string> {
  private readonly calls: Calls
  private readonly id: number

  /** @internal Use `PortDatabase.begin`. */
  constructor(calls: Calls, id: number) {
    this.calls = calls
    this.id = id
  }

  get(key: Key): Promise<V | undefined> {
    return this.calls.call('get', [key], this.id)
  }

  has(key: Key): Promise<boolean> {
    return this.calls.call('has', [key], this.id)
  }

  put(key: Key, value: V, options?: PutOptions): Promise<void> {
    return this.calls.call('put', options === undefined ? [key, value] : [key, value, options], this.id)
  }

  delete(key: Key): Promise<boolean> {
    return this.calls.call('delete', [key], this.id)
  }

  count(range?: Range | Key): Promise<number> {
    return this.calls.call('count', [range], this.id)
  }

  entries(range?: Range | Key): AsyncGenerator<[string, V], undefined> {
    return pages(page => this.calls.call('page', [page], this.id), range)
  }

  commit(): Promise<void> {
    return this.calls.call('commit', [], this.id)
  }

  rollback(): Promise<void> {
    return this.calls.call('rollback', [], this.id)
  }
}

const revived = ({ name, code, message }: PortError): Error => {
  if (name === 'DeadlockError') return new DeadlockError(message)
  if (name === 'WriteConflictError') return new WriteConflictError(message)
  if (name === 'LockConflictError') return new LockConflictError(message)
  if (code?.startsWith('XENON_') === true) return new XenonError(code as XenonErrorCode, message)
  return Object.assign(new Error(message), { name })
}
