/**
 * Room for the day when the quota of the origin is used up: a file that is long and holds nothing, which counts all the
 * same. A browser does not tell how much may still be written (Chromium says 10 GiB, whatever the quota is). So nobody
 * knows until a write is refused; then this file is cut, and what has to be written is written in the room that it gives.
 *
 * Chromium takes up to 8 MiB of the quota ahead of what a file needs, and refuses a write if there is less: the log and
 * the data file both must get so much.
 */
import { performance } from '../runtime/timers.ts'
import type { SyncHandle } from './handles.ts'

const ROOM_BYTES = 18874368
/** What the browser may take ahead of that, so that it cannot be counted on. */
const AHEAD_BYTES = 16777216
/** Milliseconds between two attempts to get it back. */
const PAUSE_MS = 500

export class Quota {
  private readonly open: () => Promise<SyncHandle>
  /** Undefined while it is given: only a handle that is closed gives back what the browser has taken for it. */
  private handle: SyncHandle | undefined
  /** What has been written of the room since it was given. */
  private used = 0
  private triedAt = Number.NEGATIVE_INFINITY
  private opening = false
  private isClosed = false

  private constructor(open: () => Promise<SyncHandle>) {
    this.open = open
  }

  /** `open`: a handle of a file of its own. */
  static async begin(open: () => Promise<SyncHandle>): Promise<Quota> {
    const quota = new Quota(open)
    quota.hold(await open())
    return quota
  }

  /** Undefined: nobody knows. While the quota is used up: what is left of the room that was given. */
  get free(): number | undefined {
    return this.take() ? undefined : Math.max(0, ROOM_BYTES - AHEAD_BYTES - this.used)
  }

  /** A file has grown. */
  grown(bytes: number): void {
    if (this.handle === undefined) this.used += bytes
  }

  /** Gives the room to whoever writes next; false if it was given before. */
  give(): boolean {
    if (this.handle === undefined) return false
    this.used = 0
    this.triedAt = performance.now()
    this.letGo(this.handle)
    this.handle = undefined
    return true
  }

  /** True if it is held. If not, it is tried to get it back, which takes a moment. */
  take(): boolean {
    if (this.handle === undefined && performance.now() - this.triedAt > PAUSE_MS) void this.tryAgain()
    return this.handle !== undefined
  }

  /** Gives the file back to the browser. */
  close(): void {
    this.isClosed = true
    this.handle?.close()
  }

  private async tryAgain(): Promise<void> {
    if (this.opening || this.isClosed) return
    this.opening = true
    this.triedAt = performance.now()
    try {
      const handle = await this.open()
      if (this.isClosed) handle.close()
      else this.hold(handle)
    } catch {
      // The next attempt may have more luck.
    } finally {
      this.opening = false
    }
  }

  private hold(handle: SyncHandle): void {
    try {
      if (handle.getSize() < ROOM_BYTES) handle.truncate(ROOM_BYTES)
      this.handle = handle
    } catch {
      this.letGo(handle)
    }
  }

  private letGo(handle: SyncHandle): void {
    try {
      handle.truncate(0)
    } finally {
      handle.close()
    }
  }
}
