/**
 * What goes on when the handle has stopped for want of room on the disk (somebody else has filled it between two
 * looks): the database is opened again at once, for writing if that is possible, else for reading alone. Reads are
 * answered meanwhile, writes are refused as on any full disk, and once there is room it is opened for writing.
 */
import { statfsSync } from 'node:fs'
import type { Database } from '../../database/database.ts'
import { DiskFullError, isFull } from '../../errors.ts'
import { clearInterval, setInterval } from '../../runtime/timers.ts'
import type { Log } from './log.ts'
import type { Reopen } from './options.ts'

export interface StandInOwner {
  readonly log: Log
  readonly db: Database<unknown, unknown>
  /** Goes on with another handle; `refusal` is what writes are answered with. */
  adopt(db: Database<unknown, unknown>, refusal: DiskFullError | undefined): void
  /** There is no way to go on. */
  giveUp(error: unknown): void
}

const LOOK_MS = 500
/** So much more must be free than at the last attempt; or so long ago it must be, since a quota does not show. */
const MORE_BYTES = 65536
const RETRY_MS = 30_000

export class StandIn {
  private readonly owner: StandInOwner
  private readonly reopen: Reopen
  private timer: ReturnType<typeof setInterval> | undefined
  private triedWith = Number.POSITIVE_INFINITY
  private triedAt = 0

  constructor(owner: StandInOwner, reopen: Reopen) {
    this.owner = owner
    this.reopen = reopen
  }

  /** Reads alone are answered now. */
  get active(): boolean {
    return this.timer !== undefined
  }

  /** The handle has failed: another one takes its place. */
  begin(): void {
    const { owner } = this
    closeQuietly(owner.db)
    this.openAgain()
  }

  /** The handle that there is was opened for reading alone, since there was no room to open it for writing. */
  wait(): void {
    this.noteAttempt()
    this.timer ??= setInterval(() => this.look(), LOOK_MS)
    this.timer.unref()
  }

  stop(): void {
    clearInterval(this.timer)
    this.timer = undefined
  }

  private look(): void {
    const free = freeBytes(this.owner.db.directory)
    if (free < this.triedWith + MORE_BYTES && Date.now() < this.triedAt + RETRY_MS) {
      // What others take meanwhile may be what comes free.
      this.triedWith = Math.min(this.triedWith, free)
      return
    }
    closeQuietly(this.owner.db)
    this.openAgain()
  }

  private openAgain(): void {
    const { owner } = this
    try {
      const db = this.reopen({ readOnly: false })
      this.stop()
      owner.log.info('the database is open for writing again')
      owner.adopt(db, undefined)
      return
    } catch (error) {
      if (!isFull(error)) {
        owner.giveUp(error)
        return
      }
      owner.log.warn('the disk is full: reads go on, writes are refused', { error: (error as Error).message })
    }
    try {
      owner.adopt(this.reopen({ readOnly: true }), refusal())
      this.wait()
    } catch (error) {
      owner.giveUp(error)
    }
  }

  private noteAttempt(): void {
    this.triedWith = freeBytes(this.owner.db.directory)
    this.triedAt = Date.now()
  }
}

export const refusal = (): DiskFullError =>
  new DiskFullError('the disk is full: reads go on, and writes do as soon as there is room; free some space on it')

const freeBytes = (directory: string): number => {
  try {
    const { bavail, bsize } = statfsSync(directory)
    return bavail * bsize
  } catch {
    return 0
  }
}

const closeQuietly = (db: Database<unknown, unknown>): void => {
  try {
    db.close()
  } catch {
    // It had failed before, and has said why.
  }
}
