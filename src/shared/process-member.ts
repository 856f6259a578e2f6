/**
 * A process (or thread) among those that share a database: whoever gets the lock of the directory is the owner, and serves
 * the others on a socket in the directory.
 */
import { resolve } from 'node:path'
import { Client } from '../client/client.ts'
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
import { copyOf } from '../owned/copies.ts'
import { Marks } from '../owned/marks.ts'
import { Member, type Role, type Target } from '../owned/member.ts'
import { clearTimeout, performance, setTimeout } from '../runtime/timers.ts'
import { SocketServer } from '../server/inspect/index.ts'
import { nodeStorage } from '../storage/node.ts'
import type { ValueEncoding } from '../types.ts'
import { encodingName, type LoadedEncoding, loadEncoding } from '../values/encoding.ts'
import { connectLive } from './live.ts'
import type { ResolvedSharedOptions } from './options.ts'

const NOT_SHARED = "it does not share it: it would have to open it with openShared(), or with inspect: 'write'"

/** Codes of a connection that could not be made, or was lost again. */
const UNREACHED: ReadonlySet<XenonErrorCode> = new Set(['XENON_CONNECTION', 'XENON_CLOSED', 'XENON_TIMEOUT'])

/** Pauses between two tries to become the owner or to find it, in milliseconds. */
const FIRST_PAUSE_MS = 2
const LONGEST_PAUSE_MS = 50

export class ProcessMember<V, K> extends Member<V, K> {
  readonly directory: string
  protected readonly owner: string
  private readonly options: ResolvedSharedOptions<V>
  private pause: { timer: ReturnType<typeof setTimeout>; end: () => void } | undefined
  /** To a process that may be the owner. */
  private dialling: Client<V, K> | undefined
  /** Once there was a database, no other one is made where it lay. */
  private wasThere = false

  constructor(directory: string, options: ResolvedSharedOptions<V>, onRole: (role: Role) => void) {
    super(onRole, options.marks ? new Marks() : undefined)
    if (typeof directory !== 'string' || directory.length === 0 || directory.includes('\0'))
      throw new InvalidArgumentError('openShared() takes the path of a directory')
    this.directory = resolve(directory)
    this.owner = `the process that had ${this.directory} open`
    this.options = options
  }

  override copierOf<T>(given: ValueEncoding<T> | undefined): (value: T) => T {
    const encoding = loadEncoding<T>(given ?? 'utf8')
    return value => copyOfValue(encoding, value)
  }

  /** Whoever waits keeps the process alive. */
  protected override onWait(): void {
    this.pause?.timer.ref()
  }

  protected override async stopLooking(): Promise<void> {
    this.pause?.end()
    await this.dialling?.close()
  }

  protected override async findOwner(): Promise<Target<V, K> | undefined> {
    const target = await this.look()
    if (target !== undefined) this.wasThere = true
    return target
  }

  /** Tries until it is the owner, or has found it; undefined when the store is closed. */
  private async look(): Promise<Target<V, K> | undefined> {
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
      if (!this.isAwaited) timer.unref()
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
      this.options.onOpen?.(db as unknown as Database<V>)
      await server.begin()
    } catch (error) {
      db.close()
      throw error
    }
    const target: Target<V, K> = {
      role: 'owner',
      store: db.async,
      isLocal: true,
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
      target = { role: 'follower', store: client, isLocal: false, isOver, close: () => client.close() }
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
}

/** A copy of a value: what its encoding makes of it, and gives back. One that it refuses stays, to be refused later. */
const copyOfValue = <V>(encoding: LoadedEncoding<V>, value: V): V => {
  try {
    if (encoding === 'utf8') return value
    if (encoding === 'binary') return copyOf(value)
    if (encoding === 'json') return JSON.parse(JSON.stringify(value)) as V
    return encoding.decode(copyOf(encoding.encode(value)))
  } catch {
    return value
  }
}
