/**
 * How much room the log has for groups. The last part of it is a reserve for records of a few bytes: a log that has no
 * room for writes still takes the heartbeats of its leader, and the EPOCH of the next one.
 *
 * The log says how full it is when it is asked; in between what this node appends is counted.
 */
import type { Clock } from './clock.ts'
import type { SharedLog } from './shared-log.ts'

/** Of the log's bytes, and bytes at most: heartbeats of half a day. */
const RESERVE = 1 / 10
const MOST_RESERVED = 16 * 1024 ** 2
/** About what a log takes for each message besides its bytes. */
const MESSAGE_BYTES = 200
/** From this share on the log is asked before each group, but no more often than once in so many milliseconds. */
const TIGHT = 3 / 4
const ASK_MS = 200
/** Before, it is asked each time that this share has been appended. */
const OFTEN = 1 / 16

export class LogRoom {
  readonly #log: SharedLog
  readonly #clock: Clock
  #used = 0
  #limit: number = Number.POSITIVE_INFINITY
  /** What was appended since the log was asked. */
  #appended = 0
  #askedAt: number = Number.NEGATIVE_INFINITY
  #asking: Promise<void> | undefined

  constructor(log: SharedLog, clock: Clock) {
    this.#log = log
    this.#clock = clock
  }

  get #forGroups(): number {
    return this.#limit - Math.min(MOST_RESERVED, this.#limit * RESERVE)
  }

  get #total(): number {
    return this.#used + this.#appended
  }

  noteAppended(messages: readonly Uint8Array[]): void {
    for (const { length } of messages) this.#appended += length + MESSAGE_BYTES
    if (this.#appended > this.#limit * OFTEN) void this.ask()
  }

  /** A promise if the log has to be asked before it can be said what it has room for. */
  known(): Promise<void> | undefined {
    const isTight = this.#total > this.#forGroups * TIGHT
    return isTight && this.#clock.now() - this.#askedAt >= ASK_MS ? this.ask() : undefined
  }

  /** Why the log has no room for these messages of a group; undefined: it has. */
  lackFor(messages: readonly Uint8Array[]): string | undefined {
    const bytes = messages.reduce((sum, { length }) => sum + length + MESSAGE_BYTES, 0)
    if (this.#total + bytes <= this.#forGroups) return undefined
    return `the log has ${this.#total} of ${this.#limit} bytes, and the rest is kept for those who lead it: it takes writes again when a snapshot lets it be purged (xenondb cluster snapshot), or with more --log-bytes`
  }

  /** Asks the log; if it does not answer, what is known stays. Never rejects. */
  ask(): Promise<void> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined
    })
    return this.#asking
  }

  async #ask(): Promise<void> {
    const before = this.#appended
    try {
      const { bytes, maxBytes } = await this.#log.info()
      this.#used = bytes
      this.#limit = maxBytes
      this.#appended = Math.max(0, this.#appended - before)
    } catch {
      // The next append shows what the log can take.
    }
    this.#askedAt = this.#clock.now()
  }
}
