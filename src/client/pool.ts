/** Connections for one user at a time: opened when needed, kept when they are done, at most so many. */
import { closedError } from './errors.ts'
import { Link } from './link.ts'
import type { LinkOptions } from './link-options.ts'

interface Waiting {
  resolve(link: Link): void
  reject(error: unknown): void
}

export class Pool {
  private readonly options: LinkOptions
  private readonly most: number
  private readonly idle: Link[] = []
  private readonly all: Set<Link> = new Set()
  private opening = 0
  private readonly waiting: Waiting[] = []
  private closed = false

  constructor(options: LinkOptions, most: number) {
    this.options = { ...options, reconnect: false, pushesLockWaits: false }
    this.most = most
  }

  /** A connection of one's own; give it back with `release`. A signal ends the wait for it. */
  acquire(signal?: AbortSignal): Promise<Link> {
    if (this.closed) return Promise.reject(closedError())
    return new Promise((resolve, reject) => {
      const leave = (): void => signal?.removeEventListener('abort', onAbort)
      const waiting: Waiting = {
        resolve: link => {
          leave()
          resolve(link)
        },
        reject: error => {
          leave()
          reject(error)
        },
      }
      const onAbort = (): void => {
        this.waiting.splice(this.waiting.indexOf(waiting), 1)
        reject(signal!.reason)
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.waiting.push(waiting)
      this.serve()
    })
  }

  release(link: Link, reusable: boolean): void {
    if (this.closed || !link.usable) link.destroy()
    else if (reusable && link.idle) this.idle.push(link)
    else link.destroy()
    this.serve()
  }

  /** Gives no connection any more. Returns those that there are. */
  retire(): Iterable<Link> {
    this.closed = true
    for (const { reject } of this.waiting.splice(0)) reject(closedError())
    for (const link of this.idle.splice(0)) link.destroy()
    return [...this.all]
  }

  async close(): Promise<void> {
    this.retire()
    await Promise.all(
      [...this.all].map(link => {
        const closed = link.close()
        // A transaction that is still open is rolled back by the server.
        link.destroy()
        return closed
      }),
    )
  }

  private serve(): void {
    while (this.waiting.length > 0) {
      const link = this.idle.pop()
      if (link?.usable) this.waiting.shift()!.resolve(link)
      else if (link === undefined) {
        if (this.opening < this.waiting.length && this.all.size + this.opening < this.most) this.open()
        return
      }
    }
  }

  private open(): void {
    this.opening++
    const link = new Link(this.options, undefined, () => {
      this.all.delete(link)
      this.serve()
    })
    link.open().then(
      () => {
        this.opening--
        this.all.add(link)
        this.release(link, true)
      },
      error => {
        this.opening--
        this.waiting.shift()?.reject(error)
        this.serve()
      },
    )
    this.serve()
  }
}
