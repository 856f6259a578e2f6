/**
 * What all key spaces of an open database share: its engine, and how commits become durable.
 */
import type { Engine } from '../engine/engine.ts'
import type { Space } from '../engine/space.ts'
import { Reclaiming } from '../maintenance/reclaiming.ts'
import type { Together } from '../records/bulk.ts'
import type { Sweeper } from '../records/sweeper.ts'
import { setTimeout } from '../runtime/timers.ts'
import type { Storage } from '../storage/storage.ts'
import type { Durability } from '../types.ts'
import { GroupCommit } from './group-commit.ts'
import { type Guard, READ_ONLY } from './guard.ts'
import type { ResolvedOptions } from './options.ts'

/** With durability 'none', what lies in the log's buffer is written at the latest after this time. */
const WRITE_DELAY_MS = 1000

/** A sub-database that somebody has asked for, in some encodings. */
export interface OpenedSub {
  readonly space: Space
  /** @internal Somebody else may have changed what there is of its indexes. */
  recheckIndexes(): void
  end(): void
  endWatching(): void
}

/** Somebody who hands out changes once they are durable. */
export interface Publisher {
  /** What was committed up to an LSN is durable; returns how many changes are not yet. */
  publish(through?: number): number
}

export class Handle {
  /** The path that the database was opened under. */
  readonly directory: string
  readonly engine: Engine
  readonly durability: Durability
  readonly storage: Storage
  readonly readOnly: boolean
  /** Who says who may write; undefined: everybody. */
  guard: Guard | undefined
  /** Of all key spaces: none of them is at work while there is a guard. */
  readonly sweepers: Set<Sweeper> = new Set()
  /** Milliseconds that asynchronous calls wait for a lock. */
  readonly lockTimeout: number
  readonly groupCommit: GroupCommit
  readonly reclaiming: Reclaiming
  /** Those of the key spaces that somebody watches. */
  readonly publishers: Set<Publisher> = new Set()
  readonly subs: Set<OpenedSub> = new Set()
  /** The transaction around several operations of the server, in whatever key spaces. */
  readonly together: Together = { state: undefined }
  private writeTimer = false

  constructor(directory: string, engine: Engine, options: ResolvedOptions<unknown>) {
    this.directory = directory
    this.engine = engine
    this.durability = options.durability
    this.storage = options.storage
    this.readOnly = options.readOnly
    this.guard = options.readOnly ? READ_ONLY : undefined
    this.lockTimeout = options.lockTimeout
    this.groupCommit = new GroupCommit(
      () => this.makeDurable(),
      () => this.makeDurableAside(),
    )
    this.reclaiming = new Reclaiming(engine, () => this.write())
  }

  /** From now on the guard says who may write, and nothing is swept; undefined: as it was opened. */
  setGuard(guard: Guard | undefined): void {
    this.guard = guard ?? (this.readOnly ? READ_ONLY : undefined)
    for (const sweeper of this.sweepers)
      if (this.guard === undefined) sweeper.begin()
      else sweeper.stop()
  }

  /** Nobody uses what was dropped any more. */
  endDropped(): void {
    for (const sub of this.subs) {
      if (!sub.space.isDropped) continue
      this.subs.delete(sub)
      sub.space.tellCleared()
      sub.end()
      sub.endWatching()
    }
  }

  publish(through?: number): number {
    let left = 0
    for (const publisher of this.publishers) left += publisher.publish(through)
    return left
  }

  /** After a commit: as durable as the option says; then perhaps a step of a checkpoint. */
  makeDurable(): void {
    const { log, checkpointer } = this.engine
    if (this.durability === 'power') {
      log.sync()
    } else if (this.durability === 'process') log.write()
    else if (!this.writeTimer) this.writeLater()
    this.publish()
    checkpointer.afterCommit()
  }

  /** The same while others go on; undefined where it is soon done in line. */
  private makeDurableAside(): Promise<void> | undefined {
    const { log } = this.engine
    const { syncsAside = false } = this.storage
    if (!syncsAside || this.durability !== 'power' || log.isSoonSynced || log.isSynced) return undefined
    return this.syncAside()
  }

  private async syncAside(): Promise<void> {
    const { engine } = this
    const { log, checkpointer } = engine
    await log.syncAside()
    // What was committed meanwhile waits for the next sync.
    this.publish(log.syncedLsn)
    if (!engine.closed) checkpointer.afterCommit()
  }

  /** After changes that nobody was promised: written, and synced only for those who watch. */
  write(): void {
    const { log, checkpointer } = this.engine
    log.write()
    if (this.durability !== 'power') this.publish()
    else if (this.publish(log.syncedLsn) > 0) this.groupCommit.wait().catch(() => {})
    checkpointer.afterCommit()
  }

  /**
   * Resolves when the commit is as durable as the option says. Commits that wait for the end of the turn may be so many
   * that the log would grow beyond what was promised of it: then steps of a checkpoint are made at once.
   */
  durableSoon(): Promise<void> {
    if (this.engine.checkpointer.isBehind) {
      try {
        this.engine.log.write()
        this.engine.checkpointer.afterCommit()
      } catch (error) {
        return Promise.reject(error)
      }
    }
    return this.groupCommit.wait()
  }

  /** The thread may end, and nobody has closed the database: what is committed goes to the files. */
  writeQuietly(): void {
    const { closed, health, log } = this.engine
    if (closed || health.failure !== undefined) return
    try {
      log.write()
    } catch {
      // The health of the handle remembers it: the next operation says so.
    }
  }

  private writeLater(): void {
    this.writeTimer = true
    const timer: unknown = setTimeout(() => {
      this.writeTimer = false
      this.writeQuietly()
    }, WRITE_DELAY_MS)
    ;(timer as { unref?: () => void }).unref?.()
  }

  /** What fails aside stops the handle; a call that was at work meanwhile throws that error itself. */
  async meeting<T>(work: Promise<T>): Promise<T> {
    try {
      return await work
    } catch (error) {
      throw this.engine.health.failure ?? error
    }
  }
}
