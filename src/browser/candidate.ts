/** The worker of a tab: stands in line for the database of its page, and is its owner when its turn has come. */
import type { Database } from '../database/database.ts'
import { openOn } from '../database/open.ts'
import type { OpenOptions } from '../database/options.ts'
import { isError, XenonError, type XenonErrorCode } from '../errors.ts'
import { performance, setTimeout } from '../runtime/timers.ts'
import { memoryStorage } from '../storage/memory.ts'
import type { Storage } from '../storage/storage.ts'
import { portable } from '../worker/errors.ts'
import { type OpfsStorage, opfsStorage } from './opfs.ts'
import { Owner } from './owner.ts'
import { lockOf, type Settings, type Told } from './tabs.ts'
import { locksHere, needed, type WorkerScope, web } from './web.ts'

/** Milliseconds between two tries to get the files of one that has just gone. */
const PAUSE_MS = 5

type Options = OpenOptions<unknown>
type OnOpen = (db: Database<unknown, unknown>) => void

export class Candidate {
  private readonly scope: WorkerScope
  private readonly name: string
  private readonly options: Options
  private readonly settings: Settings
  private readonly onOpen: OnOpen | undefined
  private readonly closing: AbortController = new AbortController()
  private standing: Promise<void> | undefined
  private owner: Owner | undefined
  /** Where there is no other one. */
  private memory: Storage | undefined

  constructor(scope: WorkerScope, name: string, options: Options, settings: Settings, onOpen: OnOpen | undefined) {
    this.scope = scope
    this.name = name
    this.options = options
    this.settings = settings
    this.onOpen = onOpen
  }

  /** Stands in line, unless it does already. */
  look(): void {
    this.standing ??= this.stand().finally(() => {
      this.standing = undefined
    })
  }

  async close(): Promise<void> {
    this.closing.abort()
    await this.owner?.end()
    await this.standing
    this.tell({ xenondb: 'closed' })
  }

  private async stand(): Promise<void> {
    const { signal } = this.closing
    try {
      while (!signal.aborted) await locksHere().request(lockOf(this.name), { signal }, () => this.reign())
    } catch (error) {
      if (!signal.aborted) this.tell({ xenondb: 'failed', error: portable(error) })
    }
  }

  /** Ends when another one may have the database. */
  private async reign(): Promise<void> {
    const { name } = this
    const opfs = await this.files()
    if (this.closing.signal.aborted) {
      opfs?.dispose()
      return
    }
    try {
      const storage = opfs ?? this.inMemory()
      const db = openOn<unknown, unknown>(name, { ...this.options, storage }, storage)
      try {
        this.onOpen?.(db)
        await this.serve(db, opfs !== undefined)
      } finally {
        closeQuietly(db)
      }
    } finally {
      opfs?.dispose()
    }
  }

  private async serve(db: Database<unknown, unknown>, isPersistent: boolean): Promise<void> {
    const { member } = this.settings
    const owner = await Owner.begin(this.name, db, { member, isPersistent }, locksHere())
    this.owner = owner
    if (this.closing.signal.aborted) void owner.end()
    const { port1, port2 } = new (needed(web.MessageChannel, 'MessageChannel'))()
    owner.serve(port1)
    this.tell({ xenondb: 'owner', facts: owner.facts, port: port2 }, [port2])
    await owner.over
  }

  /** Undefined where there are none that last. */
  private async files(): Promise<OpfsStorage | undefined> {
    const { storage, handles, patience } = this.settings
    if (storage === 'memory') return undefined
    const until = performance.now() + patience
    for (;;)
      try {
        return await opfsStorage(this.name, { handles })
      } catch (error) {
        if (storage === undefined && isCode(error, 'XENON_NOT_SUPPORTED')) return undefined
        // A worker that was ended keeps its files for a moment.
        if (!isCode(error, 'XENON_LOCKED') || performance.now() > until || this.closing.signal.aborted) throw error
        await new Promise<void>(resolve => setTimeout(resolve, PAUSE_MS))
      }
  }

  private inMemory(): Storage {
    this.memory ??= memoryStorage()
    return this.memory
  }

  private tell(told: Told, transfer: readonly unknown[] = []): void {
    this.scope.postMessage(told, transfer)
  }
}

/** One that has failed is recovered by whoever opens it next. */
const closeQuietly = (db: Database<unknown, unknown>): void => {
  try {
    db.close()
  } catch {
    // The files were given back.
  }
}

const isCode = (error: unknown, code: XenonErrorCode): boolean =>
  isError(error) && error instanceof XenonError && error.code === code
