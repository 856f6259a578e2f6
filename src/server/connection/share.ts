/**
 * How much of a turn one client may have: when it has had that, its further requests wait for the next turn, after those
 * of the others. A command that has begun is never interrupted.
 */
import { performance } from '../../runtime/timers.ts'

/** Time of a turn for all who pipeline more than fits into one, alone and beside others who ask for little … */
const TURN_MS = 0.5
const TURN_BESIDE_OTHERS_MS = 0.1
/** … and the least that each of them gets. */
const LEAST_MS = 0.05
/** The clock is read after so many quick commands, or so many bytes of requests and replies. */
const QUICK_COMMANDS = 16
const LOOK_BYTES = 16384
/** A command is slow that takes longer: the clock is read after each then. */
const SLOW_MS = 0.02

export class Share {
  private turn = -1
  private ends = 0
  private lastLook = 0
  /** The clock is read after so many commands, of which so many are left, or when so many bytes were met. */
  private every = QUICK_COMMANDS
  private left = 0
  private nextLookAt = 0
  /** It gets nothing of the turn at hand. */
  private isPutOff = false

  /** Its last commands were slow: each may be a large part of a turn. */
  get isSlow(): boolean {
    return this.every === 1
  }

  /** In a turn that has taken long it waits for the next one, with so many bytes to be executed. */
  isHeavy(bytes: number): boolean {
    return this.isSlow || bytes >= LOOK_BYTES
  }

  /**
   * Before the requests that have arrived are executed, perhaps not for the first time in the turn.
   * @param crowd clients that had more than their share of the last turn
   * @param hasOthers others wait for short replies meanwhile
   * @param isLong the turn has taken so long already that whoever has slow commands, or much to be executed, waits for
   *   the next one
   * @param bytes that have arrived and are to be executed
   * @param now milliseconds by `performance`
   */
  begin(turn: number, crowd: number, hasOthers: boolean, isLong: boolean, bytes: number, now: number): void {
    this.nextLookAt = LOOK_BYTES
    this.isPutOff = isLong && this.isHeavy(bytes)
    if (turn === this.turn) return
    this.turn = turn
    this.lastLook = now
    const milliseconds = crowd > 0 && hasOthers ? TURN_BESIDE_OTHERS_MS : TURN_MS
    this.ends = now + Math.max(LEAST_MS, milliseconds / Math.max(crowd, 1))
    this.left = this.every
  }

  /** True if nothing is left, to be asked before each command; `bytes` of requests and replies since `begin`. */
  isUsedUp(bytes: number): boolean {
    if (this.isPutOff) return true
    if (this.left > 0 && bytes < this.nextLookAt) {
      this.left--
      return false
    }
    return this.look(bytes)
  }

  private look(bytes: number): boolean {
    const now = performance.now()
    const executed = Math.max(1, this.every - this.left)
    this.every = now - this.lastLook > executed * SLOW_MS ? 1 : QUICK_COMMANDS
    this.lastLook = now
    this.nextLookAt = bytes + LOOK_BYTES
    const isUsedUp = now >= this.ends
    this.left = isUsedUp ? 0 : this.every - 1
    return isUsedUp
  }
}
