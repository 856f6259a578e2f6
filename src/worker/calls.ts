/** The calls of a worker that are on their way to the owner of the database, and what becomes of them. */
import { InvalidArgumentError, XenonError } from '../errors.ts'
import { revived } from './errors.ts'
import { listen, type Place, type PortLike, type Request, type Response } from './protocol.ts'

interface Pending {
  resolve(value: unknown): void
  reject(error: unknown): void
}

export class Calls {
  /** True once `close` was called. */
  closed = false
  /** What is to end before the port is closed. */
  readonly watchers: Set<{ end(): void }> = new Set()
  private readonly port: PortLike
  private readonly endPort: () => void
  private readonly pending: Map<number, Pending> = new Map()
  private next = 1
  /** The other side is gone. */
  private isLost = false
  private idle: (() => void) | undefined
  private closing: Promise<void> | undefined

  constructor(port: PortLike) {
    this.port = port
    this.endPort = listen(
      port,
      message => this.settle(message as Response),
      () => this.lose(true),
    )
  }

  /** A number for a call that begins something. */
  number(): number {
    return this.next++
  }

  call<T>(method: string, args: unknown[], others: Partial<Request> = {}): Promise<T> {
    if (this.closed) return Promise.reject(new XenonError('XENON_CLOSED', 'the port was closed'))
    return this.send({ id: others.id ?? this.number(), method, args, ...others })
  }

  /** One whose wait for a lock the signal ends. What was done before the abort reached the owner is done. */
  async abortable<T>(method: string, args: unknown[], signal: AbortSignal | undefined, place: Place): Promise<T> {
    if (signal === undefined) return await this.call(method, args, place)
    const id = this.number()
    const onAbort = (): void => this.abort(id)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      return await this.call(method, args, { ...place, id })
    } catch (error) {
      signal.throwIfAborted()
      throw error
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** Ends the wait of a call, or a transaction. */
  abort(id: number): void {
    if (!this.isLost) this.port.postMessage({ abort: id })
  }

  /** A call whose answer nobody waits for. */
  tell(method: string, args: unknown[]): void {
    this.send({ id: this.number(), method, args }).catch(() => {})
  }

  /** Ends what is open or waits for a lock, lets everything else be answered, and closes the port. */
  close(): Promise<void> {
    this.closing ??= this.end()
    return this.closing
  }

  private async end(): Promise<void> {
    this.closed = true
    // The owner has done what was sent before, but for what waits for a lock, or only for the disk.
    this.tell('close', [])
    if (this.pending.size > 0)
      await new Promise<void>(resolve => {
        this.idle = resolve
      })
    this.endPort()
  }

  private send<T>(request: Request): Promise<T> {
    if (this.isLost) return Promise.reject(lost(false))
    return new Promise<T>((resolve, reject) => {
      try {
        this.port.postMessage(request)
      } catch (error) {
        reject(
          new InvalidArgumentError('what was given to this call cannot be sent to another thread', {
            cause: error,
          }),
        )
        return
      }
      this.pending.set(request.id, { resolve: resolve as (value: unknown) => void, reject })
    })
  }

  private settle(response: Response): void {
    const pending = this.pending.get(response.id)
    if (pending === undefined) return
    this.pending.delete(response.id)
    if ('error' in response) pending.reject(revived(response.error))
    else pending.resolve(response.value)
    if (this.pending.size === 0) this.idle?.()
  }

  /** The other side is gone. `sent`: what it has not answered it may have done, or not. */
  lose(sent: boolean): void {
    this.isLost = true
    for (const { reject } of this.pending.values()) reject(lost(sent))
    this.pending.clear()
    this.idle?.()
  }
}

/** `sent`: the call may have been executed, or not. */
const lost = (sent: boolean): XenonError & { sent: boolean } => {
  const what = sent ? 'what was not answered may have been done, or not' : 'it has not got this call'
  return Object.assign(
    new XenonError('XENON_CONNECTION', `the thread that owns the database is gone, or has closed the port: ${what}`),
    { sent },
  )
}
