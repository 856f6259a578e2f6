/** Transactions as the actors of a schedule: each step is started, and it is seen whether it waits. */
import { setImmediate as turn } from 'node:timers/promises'
import type { KeyHash } from '../../src/hash/key-hash.ts'
import type { AsyncTransaction, AsyncTransactionOptions, Database, Key, Range } from '../../src/index.ts'
import { hashOf } from '../hash/keys.ts'
import type { Subject } from '../support/database.ts'

/** True if a promise has not settled when everything that can go on now has gone on. */
export async function isPending(promise: Promise<unknown>): Promise<boolean> {
  let pending = true
  const settled = (): void => {
    pending = false
  }
  promise.then(settled, settled)
  for (let i = 0; i < 4 && pending; i++) await turn()
  return pending
}

/** Lets everything go on that can. */
export const settle = async (): Promise<void> => {
  for (let i = 0; i < 4; i++) await turn()
}

/**
 * One transaction of a schedule. Its steps run one after the other; once one has failed it rolls back and skips the
 * rest.
 */
export class Actor {
  readonly tx: AsyncTransaction
  /** Why it did not commit: the code of the error. */
  failure: string | undefined
  committed = false
  /** Steps that waited. */
  waits = 0
  private tail: Promise<unknown> = Promise.resolve()

  constructor(db: Database, options: AsyncTransactionOptions) {
    this.tx = db.async.beginNow(options)
  }

  /** Starts a step, behind those before it, and gives what can go on now the time to. */
  async do<T>(step: (tx: AsyncTransaction) => Promise<T>): Promise<{ value?: T }> {
    const result: { value?: T } = {}
    this.tail = this.tail.then(async () => {
      if (this.failure !== undefined) return
      try {
        result.value = await step(this.tx)
      } catch (error) {
        this.failure = (error as { code: string }).code
        if (!this.tx.ended) await this.tx.rollback()
      }
    })
    if (await isPending(this.tail)) this.waits++
    return result
  }

  get(key: Key): Promise<{ value?: string | undefined }> {
    return this.do(tx => tx.get(key))
  }

  put(key: Key, value: string): Promise<unknown> {
    return this.do(tx => tx.put(key, value))
  }

  entries(range: Range | Key): Promise<{ value?: [string, string][] }> {
    return this.do(tx => all(tx.entries(range)))
  }

  count(range: Range | Key): Promise<{ value?: number }> {
    return this.do(tx => tx.count(range))
  }

  /** Commits, unless it has done so. */
  commit(): Promise<unknown> {
    return this.do(async tx => {
      if (this.committed) return
      await tx.commit()
      this.committed = true
    })
  }

  rollback(): Promise<unknown> {
    return this.do(tx => tx.rollback())
  }

  /** Resolves when all its steps have ended. */
  async end(): Promise<void> {
    await this.tail
  }
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

/**
 * Keys that begin as asked and lie in an index block of one's choice: in a fresh database, each of these is a bucket.
 */
export class Keys {
  private readonly hash: KeyHash
  private next = 0

  constructor(subject: Subject<string>) {
    this.hash = hashOf(subject)
  }

  /** A key in index block `root` (1 to 101). */
  in(root: number, prefix: string = ''): string {
    for (;;) {
      const key = `${prefix}${String(this.next++).padStart(6, '0')}`
      if (this.rootOf(key) === root) return key
    }
  }

  rootOf(key: string): number {
    const bytes = Buffer.from(key)
    this.hash.of(bytes, 0, bytes.length)
    return this.hash.root
  }
}
