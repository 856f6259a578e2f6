/**
 * Appends until the outcome is definite.
 *
 *  X1  At most one message of a node is undetermined: an append begins when the one before it has its outcome.
 *  X4  An attempt whose outcome is unknown is repeated byte for byte under the same expectation, until a message is
 *      read in its place, or it is acknowledged. A refusal after an unknown attempt says nothing of that one.
 */
import { broken } from '../runtime/invariant.ts'
import type { Clock } from './clock.ts'
import { isOf } from './message.ts'
import type { AppendOutcome, RefusalReason, SharedLog } from './shared-log.ts'
import type { Suspicion } from './suspicion.ts'

export type Appended =
  /** In the log, up to `sequence`. */
  | { readonly kind: 'stored'; readonly sequence: number }
  /** Another message lies in its place: this one is not in the log, and never will be. */
  | { readonly kind: 'superseded' }
  /** Not in the log, and never will be. */
  | { readonly kind: 'refused'; readonly reason: RefusalReason; readonly message: string }
  /** The log goes on behind that place and no longer has what lies there: this message, or another one. */
  | { readonly kind: 'passed' }
  /** `give up` was called; the outcome is unknown. */
  | { readonly kind: 'given up' }

/** When the first attempt was sent, and the last one. */
interface Sends {
  firstSend: number
  lastSend: number
}

export interface AppendResult extends Readonly<Sends> {
  readonly outcome: Appended
}

const ignore = (): void => {}

/** Milliseconds between the end of an attempt without an outcome and the next one. */
const PAUSE_MS = 50

export class Appender {
  attempts = 0
  readonly #log: SharedLog
  readonly #clock: Clock
  /** Milliseconds after which an attempt without an answer is repeated. */
  readonly #attemptMs: number
  readonly #suspicion: Suspicion
  #finish: ((outcome: Appended) => void) | undefined

  constructor(log: SharedLog, clock: Clock, attemptMs: number, suspicion: Suspicion) {
    this.#log = log
    this.#clock = clock
    this.#attemptMs = attemptMs
    this.#suspicion = suspicion
  }

  /** Whether the outcome of an append is awaited. */
  get isBusy(): boolean {
    return this.#finish !== undefined
  }

  /** Ends the append that is going on without an outcome: the node stops, or has halted. */
  giveUp(): void {
    this.#finish?.({ kind: 'given up' })
  }

  /**
   * Appends messages as one, if the log ends at `expectedLast`. (X1)
   * @throws XenonError `XENON_FAILED` if the log breaks its own rules
   */
  append(messages: readonly Uint8Array[], id: Uint8Array, expectedLast: number): Promise<AppendResult> {
    if (this.isBusy) broken('X1', 'an append begins before the one before it has its outcome')
    const sends: Sends = { firstSend: this.#clock.now(), lastSend: 0 }
    return new Promise((resolve, reject) => {
      const finish = (outcome: Appended): void => {
        if (this.#finish !== finish) return
        this.#finish = undefined
        try {
          if (outcome.kind === 'stored' && outcome.sequence !== expectedLast + messages.length)
            broken('X4', `the log has stored message ${outcome.sequence}, not ${expectedLast + messages.length}`)
          resolve({ outcome, ...sends })
        } catch (error) {
          reject(error)
        }
      }
      this.#finish = finish
      void this.#repeat(messages, id, expectedLast, sends)
    })
  }

  /** Attempt after attempt while `finish` is the one of this append. (X4) */
  async #repeat(messages: readonly Uint8Array[], id: Uint8Array, expectedLast: number, sends: Sends): Promise<void> {
    const finish = this.#finish!
    const isOver = (): boolean => this.#finish !== finish
    const last = expectedLast + messages.length
    /** An earlier attempt may be in the log, or get there. */
    let isOpen = false
    while (!isOver()) {
      this.attempts++
      sends.lastSend = this.#clock.now()
      const attempt = this.#log.append(messages, expectedLast)
      // An answer that comes while later attempts are on their way is as good.
      void attempt.then(outcome => outcome.kind === 'stored' && finish(outcome), ignore)
      const outcome = await this.#inTime(attempt)
      if (isOver()) return
      if (this.isDefinite(outcome, isOpen)) return finish(outcome)
      if (outcome.kind === 'unknown') isOpen = true
      const found = await this.#look(id, expectedLast)
      if (found === 'ours') finish({ kind: 'stored', sequence: last })
      else if (found !== undefined) finish({ kind: found })
      else await this.#pause(PAUSE_MS)
    }
  }

  /** Whether an attempt ends the append. `isOpen`: an earlier one may be stored. A wrong last may be our own. (X4) */
  isDefinite(outcome: AppendOutcome, isOpen: boolean): outcome is Appended & AppendOutcome {
    return outcome.kind === 'refused' && outcome.reason !== 'wrong last' && !isOpen
  }

  /** What lies in the place of the message; undefined if nothing does as far as can be seen. (X4) */
  async #look(id: Uint8Array, expectedLast: number): Promise<'ours' | 'superseded' | 'passed' | undefined> {
    try {
      const bytes = await this.#log.read(expectedLast + 1)
      if (bytes !== undefined) return isOf(bytes, id) ? 'ours' : 'superseded'
      const bounds = await this.#log.bounds()
      this.#suspicion.note(bounds.last < expectedLast, `the log ends at ${bounds.last}, before ${expectedLast}`)
      return bounds.first > expectedLast + 1 ? 'passed' : undefined
    } catch {
      return undefined
    }
  }

  #inTime(attempt: Promise<AppendOutcome>): Promise<AppendOutcome> {
    return new Promise(resolve => {
      const cancel = this.#clock.after(this.#attemptMs, () =>
        resolve({ kind: 'unknown', cause: new Error(`no answer within ${this.#attemptMs} ms`) }),
      )
      attempt.then(
        outcome => {
          cancel()
          resolve(outcome)
        },
        cause => {
          cancel()
          resolve({ kind: 'unknown', cause })
        },
      )
    })
  }

  #pause(ms: number): Promise<void> {
    return new Promise(resolve => void this.#clock.after(ms, resolve))
  }
}
