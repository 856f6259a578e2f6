/**
 * Frees what was cleared or dropped in the background, a few milliseconds at a time. Its timers keep no process alive;
 * what is left at the end is freed after the next open.
 */
import type { Engine } from '../engine/engine.ts'
import { Reclaimer } from '../engine/reclaim.ts'
import { clearTimeout, setTimeout } from '../runtime/timers.ts'

/** From an open to the first look, and between two slices. */
const SOON_MS = 20
const PAUSE_MS = 2
const SLICE_MS = 2
/** After something stood in the way. */
const RETRY_MS = 10_000

export class Reclaiming {
  private readonly engine: Engine
  private made: Reclaimer | undefined
  private readonly written: () => void
  private timer: unknown

  /** `written` is called after changes that nobody was promised. */
  constructor(engine: Engine, written: () => void) {
    this.engine = engine
    this.written = written
  }

  private get reclaimer(): Reclaimer {
    this.made ??= new Reclaimer(this.engine)
    return this.made
  }

  private get isDone(): boolean {
    return this.engine.metadata.firstCondemned === 0
  }

  /** After an open: soon, goes on where another handle has left off. */
  begin(): void {
    if (!this.isDone || !this.engine.spaces.isEmpty) this.runAfter(SOON_MS)
  }

  /** Something was cleared or dropped. */
  schedule(): void {
    if (this.timer === undefined && !this.isDone) this.runAfter(PAUSE_MS)
  }

  stop(): void {
    if (this.timer !== undefined) clearTimeout(this.timer as Parameters<typeof clearTimeout>[0])
    this.timer = undefined
  }

  private runAfter(wait: number): void {
    const timer: unknown = setTimeout(() => this.run(), wait)
    ;(timer as { unref?: () => void }).unref?.()
    this.timer = timer
  }

  private run(): void {
    const { engine, reclaimer } = this
    this.timer = undefined
    if (engine.closed || engine.health.failure !== undefined) return
    try {
      engine.attend()
      if (!engine.room.mayDelete()) {
        this.runAfter(RETRY_MS)
        return
      }
      const hasDropped = engine.spaces.dropOrphans()
      const isDone = reclaimer.isDone
      const isMore = reclaimer.slice(SLICE_MS)
      if (hasDropped || !isDone) this.written()
      if (isMore) this.runAfter(PAUSE_MS)
    } catch {
      // Whatever it was, such as damage or a full disk, whoever needs these blocks says so.
      if (!engine.closed && engine.health.failure === undefined) this.runAfter(RETRY_MS)
    }
  }
}
