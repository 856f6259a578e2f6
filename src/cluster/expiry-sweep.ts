/**
 * Removes records whose time has passed, as commands of the leader. Until then they count as absent everywhere, and
 * followers, which delete nothing by themselves, hold them too.
 */
import type { Replica } from '../database/replica.ts'
import { clearTimeout, setTimeout } from '../runtime/timers.ts'

/** Between two looks, and between two commands while there is more. */
const IDLE_MS = 1000
const BUSY_MS = 20
/** Records of one command: some 30 KB of the log with keys of 20 bytes. */
const MOST = 500
/** How long a command of the sweep may wait. */
const HOLD_MS = 2000

/** The node, as far as the sweep asks for it. */
export interface Executing {
  readonly state: string
  execute<T>(command: () => T, options: { holdMs: number }): Promise<T>
}

export class ExpirySweep {
  readonly #node: Executing
  readonly #replica: Replica
  #timer: ReturnType<typeof setTimeout> | undefined
  #isOn = false

  constructor(node: Executing, replica: Replica) {
    this.#node = node
    this.#replica = replica
  }

  begin(): void {
    this.#isOn = true
    this.#later(IDLE_MS)
  }

  stop(): void {
    this.#isOn = false
    if (this.#timer !== undefined) clearTimeout(this.#timer)
  }

  #later(wait: number): void {
    if (!this.#isOn) return
    const timer = setTimeout(() => void this.#run(), wait)
    this.#timer = timer
    ;(timer as { unref?: () => void }).unref?.()
  }

  async #run(): Promise<void> {
    let removed = 0
    try {
      removed = await this.once()
    } catch {
      // It does not lead any more, or the log is not to be had: the next look comes later.
    }
    this.#later(removed === MOST ? BUSY_MS : IDLE_MS)
  }

  /** Removes some, if this node leads and there are any; returns how many. */
  async once(): Promise<number> {
    const replica = this.#replica
    if (this.#node.state !== 'lead' || replica.ended || !replica.hasExpired) return 0
    return await this.#node.execute(() => replica.group?.sweep(MOST) ?? 0, { holdMs: HOLD_MS })
  }
}
