/**
 * A process (or thread) among those that share a database. One of them, whoever gets the lock of the directory, is the
 * owner: it has the database open and serves the others on a socket in the directory. When it has gone, those that are
 * left try for the lock, and connect to whoever got it.
 *
 * Of what was sent to an owner and not answered, only reads are sent again, to the next one. What waits for an owner
 * begins in the order in which it was called, all of it before anything that is called later.
 */
import { resolve } from 'node:path'
import { Client } from '../client/client.ts'
import { ConnectionError } from '../client/errors.ts'
import type { Database } from '../database/database.ts'
import { openOn } from '../database/open.ts'
import { type EncodingNames, requireSame, withKeysOf } from '../database/stored-encodings.ts'
import {
  DatabaseLockedError,
  InvalidArgumentError,
  OwnerLostError,
  XenonError,
  type XenonErrorCode,
} from '../errors.ts'
import { clearTimeout, nextTurn, performance, setTimeout } from '../runtime/timers.ts'
import { SocketServer } from '../server/inspect/index.ts'
import { nodeStorage } from '../storage/node.ts'
import type { AsyncStore } from '../values/async-store.ts'
import { encodingName } from '../values/encoding.ts'
import { connectLive } from './live.ts'
import type { ResolvedSharedOptions } from './options.ts'

/** What a member is at the moment; `'none'`: there is no owner that it knows. */
export type Role = 'owner' | 'follower' | 'none'

/** The database as this process reaches it, until the owner goes. */
export interface Target<V, K> {
  readonly role: 'owner' | 'follower'
  readonly store: AsyncStore<V, K>
  /** The owner has gone. */
  isOver: boolean
  /** Lets what is on its way be done. */
  close(): Promise<void>
}

/** A call that waits for an owner. */
interface Waiting<V, K> {
  /** Calls are numbered in the order in which they were made. */
  readonly number: number
  begin(target: Target<V, K>): void
  reject(error: unknown): void
}

/** A store or sub-database, as each owner gives it. */
export interface Place<V, K> {
  readonly member: Member<unknown, unknown>
  of(target: Target<unknown, unknown>): AsyncStore<V, K> | Promise<AsyncStore<V, K>>
}

/** A connection that is lost tells sooner or later than that of others that the owner has gone: so long at most. */
const SURE_AFTER_MS = 200

const NOT_SHARED = "it does not share it: it would have to open it with openShared(), or with inspect: 'write'"

/** Codes of a connection that could not be made, or was lost again. */
const UNREACHED: ReadonlySet<XenonErrorCode> = new Set(['XENON_CONNECTION', 'XENON_CLOSED', 'XENON_TIMEOUT'])

/** Pauses between two tries to become the owner or to find it, in milliseconds. */
const FIRST_PAUSE_MS = 2
const LONGEST_PAUSE_MS = 50

export class Member<V, K> {
  readonly directory: string
  current: Target<V, K> | undefined
  closed = false
  private readonly options: ResolvedSharedOptions<V>
  private readonly onRole: (role: Role) => void
  private election: Promise<void> | undefined
  private waiting: Waiting<V, K>[] = []
  private calls = 0
  private pause: { timer: ReturnType<typeof setTimeout>; end: () => void } | undefined
  /** To a process that may be the owner. */
  private dialling: Client<V, K> | undefined
  /** Once there was a database, no other one is made where it lay. */
  private wasThere = false
  private closing: Promise<void> | undefined
  private readonly losses: WeakSet<OwnerLostError> = new WeakSet()

  constructor(directory: string, options: ResolvedSharedOptions<V>, onRole: (role: Role) => void) {
    if (typeof directory !== 'string' || directory.length === 0 || directory.includes('\0'))
      throw new InvalidArgumentError('openShared() takes the path of a directory')
    this.directory = resolve(directory)
    this.options = options
    this.onRole = onRole
  }

  get role(): Role {
    return this.current?.role ?? 'none'
  }

  /**
   * The database, once there is an owner.
   * @throws OwnerLostError after `ownerTimeout`; or what keeps this process from opening the database
   */
  target(): Promise<Target<V, K>> {
    const { current } = this
    return current === undefined ? this.wait(this.calls++, target => target) : Promise.resolve(current)
  }

  /** What `begin` gives once there is an owner. */
  private wait<T>(number: number, begin: (target: Target<V, K>) => T): Promise<T> {
    if (this.closed) return Promise.reject(closedError())
    return new Promise((resolve, reject) => {
      this.waiting.push({ number, begin: target => resolve(begin(target)), reject })
      this.elect()
      // Whoever waits keeps the process alive.
      this.pause?.timer.ref()
    })
  }

  /**
   * Does something with the database. If the owner goes meanwhile it is done again with the next one, unless it may have
   * been done already.
   */
  async run<T>(work: (target: Target<V, K>) => Promise<T>, repeatable: boolean): Promise<T> {
    const number = this.calls++
    for (;;) {
      let target = this.current
      let result: Promise<T>
      if (target !== undefined) result = work(target)
      else {
        const begun = await this.wait(number, found => ({ target: found, result: work(found) }))
        target = begun.target
        result = begun.result
      }
      try {
        return await result
      } catch (error) {
        const lost = await this.lossOf(target, error)
        if (lost === undefined) throw error
        if (lost.sent && !repeatable) throw lost
      }
    }
  }

  /** If the error says that the owner has gone: what that means for the call. */
  async lossOf(target: Target<V, K>, error: unknown): Promise<OwnerLostError | undefined> {
    // Of this target, and no other store's that the caller's function works with.
    if (error instanceof OwnerLostError) return target.isOver && this.losses.has(error) ? error : undefined
    if (this.closed || !(error instanceof XenonError)) return undefined
    if (error.code !== 'XENON_CONNECTION' && error.code !== 'XENON_CLOSED') return undefined
    const until = performance.now() + SURE_AFTER_MS
    while (!target.isOver && performance.now() < until) await new Promise<void>(resolve => setTimeout(resolve, 5))
    if (!target.isOver) return undefined
    const sent = error instanceof ConnectionError && error.sent
    const what = sent ? 'before it answered: the call may have been executed, or not' : 'before it got the call'
    const lost = new OwnerLostError(`the process that had ${this.directory} open has gone ${what}`, sent, error)
    this.losses.add(lost)
    return lost
  }

  close(): Promise<void> {
    this.closing ??= this.leave()
    return this.closing
  }

  private async leave(): Promise<void> {
    this.closed = true
    const { current } = this
    this.current = undefined
    this.settle(call => call.reject(closedError()))
    this.pause?.end()
    await this.dialling?.close()
    await this.election
    await current?.close()
  }

  private elect(): void {
    if (this.election !== undefined || this.closed) return
    const election = this.findOwner()
      .then(
        target => this.adopt(target),
        error => this.settle(call => call.reject(error)),
      )
      .finally(() => {
        this.election = undefined
      })
    this.election = election
  }

  private async adopt(target: Target<V, K> | undefined): Promise<void> {
    if (target === undefined) return
    if (this.closed || target.isOver) {
      await target.close()
      if (!this.closed) nextTurn(() => this.elect())
      return
    }
    this.current = target
    this.wasThere = true
    this.settle(call => call.begin(target))
    this.onRole(target.role)
  }

  private settle(end: (call: Waiting<V, K>) => void): void {
    const calls = this.waiting.sort((a, b) => a.number - b.number)
    this.waiting = []
    for (const call of calls) end(call)
  }

  /** Tries until it is the owner, or has found it; undefined when the store is closed. */
  private async findOwner(): Promise<Target<V, K> | undefined> {
    const deadline = performance.now() + this.options.ownerTimeout
    let pause = FIRST_PAUSE_MS
    for (;;) {
      // What waits already learns before what comes later that it has to wait.
      await this.rest(0)
      if (this.closed) return undefined
      const locked = await this.tryToOwn()
      if (!(locked instanceof DatabaseLockedError)) return locked
      const followed = await this.tryToFollow(deadline - performance.now())
      if (typeof followed !== 'string') return followed
      if (performance.now() > deadline)
        throw new OwnerLostError(
          `${locked.message}; ${followed} (waited ${this.options.ownerTimeout} ms)`,
          false,
          locked,
        )
      await this.rest(pause * (0.5 + Math.random() / 2))
      pause = Math.min(LONGEST_PAUSE_MS, 2 * pause)
    }
  }

  /** While nobody waits for the result it does not keep the process alive. */
  private rest(milliseconds: number): Promise<void> {
    return new Promise(resolve => {
      const end = (): void => {
        clearTimeout(timer)
        this.pause = undefined
        resolve()
      }
      const timer = setTimeout(end, milliseconds)
      if (this.waiting.length === 0) timer.unref()
      this.pause = { timer, end }
    })
  }

  private async tryToOwn(): Promise<Target<V, K> | DatabaseLockedError> {
    let db: Database<V, K>
    try {
      const { open } = this.options
      db = openOn<V, K>(this.directory, this.wasThere ? { ...open, createIfMissing: false } : open, nodeStorage)
    } catch (error) {
      if (error instanceof DatabaseLockedError) return error
      throw error
    }
    const { lockTimeout } = this.options.open
    const server = new SocketServer(db as Database<unknown, unknown>, { lockTimeout })
    try {
      await server.begin()
    } catch (error) {
      db.close()
      throw error
    }
    const target: Target<V, K> = {
      role: 'owner',
      store: db.async,
      isOver: false,
      async close() {
        target.isOver = true
        await server.finish()
        await db.async.close()
      },
    }
    // The storage has failed: the next one to open the database, here or elsewhere, recovers it.
    server.done.catch(() => {
      target.close().catch(() => {})
      this.lose(target)
    })
    return target
  }

  /**
   * The owner, or why it cannot be reached.
   * @param patience Milliseconds that it has to greet.
   */
  private async tryToFollow(patience: number): Promise<Target<V, K> | string> {
    const { connect, open } = this.options
    let target: Target<V, K> | undefined
    let isOver = false
    const onEnd = (): void => {
      isOver = true
      if (target === undefined) return
      target.isOver = true
      // Its owner may be but stopped, and come back: what it has of ours ends then.
      if (!this.closed) (target.store as Client<V, K>).abandon()
      this.lose(target)
    }
    const dial = (socket: string): Promise<Client<V, K>> => {
      this.dialling = new Client<V, K>(connect(socket, patience), onEnd)
      return this.dialling.open()
    }
    try {
      const live = await connectLive(this.directory, dial)
      if (live === undefined) return NOT_SHARED
      const { client, facts } = live
      if (open.storedEncoding !== 'ignore') await this.requireEncodings(client, connect('socket'))
      if (facts.readOnly) {
        await client.close()
        return NOT_SHARED
      }
      target = { role: 'follower', store: client, isOver, close: () => client.close() }
      return target
    } catch (error) {
      this.dialling?.abandon()
      if (error instanceof XenonError && !UNREACHED.has(error.code)) throw error
      return error instanceof XenonError && error.code === 'XENON_TIMEOUT'
        ? 'it does not answer on its socket: it is busy, or stopped'
        : 'it listens no more on its socket, and has not ended'
    } finally {
      this.dialling = undefined
    }
  }

  private async requireEncodings(
    client: Client<V, K>,
    { valueEncoding, keys }: ReturnType<ResolvedSharedOptions<V>['connect']>,
  ): Promise<void> {
    const stored = JSON.parse(String(await client.command('INSPECT', 'SPACE'))) as EncodingNames
    const own = { keyEncoding: keys.encoding, valueEncoding: encodingName(valueEncoding) }
    try {
      requireSame(`the database in ${this.directory}`, stored, withKeysOf(own, stored))
    } catch (error) {
      await client.close()
      throw error
    }
  }

  private lose(target: Target<V, K>): void {
    if (this.current !== target || this.closed) return
    this.current = undefined
    this.onRole('none')
    this.elect()
  }
}

export const closedError = (): XenonError => new XenonError('XENON_CLOSED', 'the shared store is closed')
