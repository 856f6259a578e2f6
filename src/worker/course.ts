/** A transaction that the owner of the database has open for a worker. */
import type { IsolationLevel } from '../types.ts'
import { isRetryable } from '../values/transact.ts'
import type { Beginning } from '../values/wait-options.ts'
import type { Calls } from './calls.ts'
import type { Place } from './protocol.ts'

export class Course {
  readonly calls: Calls
  readonly id: number
  readonly isolation: IsolationLevel
  /** It was committed or rolled back. */
  over = false
  private readonly signal: AbortSignal | undefined
  /** Why the owner has rolled it back, or its next operations are useless. */
  private conflict: unknown

  constructor(calls: Calls, id: number, { isolation, signal }: Beginning) {
    this.calls = calls
    this.id = id
    this.isolation = isolation
    this.signal = signal
    signal?.addEventListener('abort', this.onAbort, { once: true })
  }

  requireStanding(): void {
    this.signal?.throwIfAborted()
    if (this.conflict !== undefined) throw this.conflict
  }

  async call<T>(method: string, args: unknown[], place: Place): Promise<T> {
    this.signal?.throwIfAborted()
    try {
      return await this.calls.call(method, args, { ...place, tx: this.id })
    } catch (error) {
      this.signal?.throwIfAborted()
      if (isRetryable(error)) {
        this.conflict = error
        if (error.code === 'XENON_DEADLOCK') this.leave()
      }
      throw error
    }
  }

  /** One that was refused because an operation still waits stays open. */
  async finish(method: 'commit' | 'rollback'): Promise<void> {
    await this.call(method, [], {})
    this.leave()
  }

  /** Rolls back if it is still open, whatever the owner says. */
  async abandon(): Promise<void> {
    if (!this.over) await this.finish('rollback').catch(() => {})
  }

  private leave(): void {
    this.over = true
    this.signal?.removeEventListener('abort', this.onAbort)
  }

  private readonly onAbort = (): void => {
    this.over = true
    this.calls.abort(this.id)
  }
}
