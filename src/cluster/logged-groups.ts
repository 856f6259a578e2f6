/**
 * The groups of a log for whoever only reads it: parts put together, and each message checked to be the one that follows.
 */
import { CorruptionError, InvalidArgumentError, XenonError } from '../errors.ts'
import type { Change } from './group-store.ts'
import { hashOf } from './mark.ts'
import { decodeBody, decodeMessage, joinedBody, type MessageKind, type MessagePart, sameBytes } from './message.ts'
import type { LogMessage, SharedLog } from './shared-log.ts'

/** What a group follows: of the message before it. */
export interface GroupPlace {
  readonly hash: Uint8Array
  readonly epoch: number
}

export interface LoggedGroup extends GroupPlace {
  /** Of its last message; `hash` is that one's. */
  readonly sequence: number
  readonly kind: MessageKind
  readonly node: number
  /** When it was executed, in milliseconds since 1970. */
  readonly time: number
  /** In the order in which they were made. */
  readonly changes: readonly Change[]
  readonly note: Uint8Array
  /** Messages behind it that the log had when it sent this one. */
  readonly pending: number
}

/**
 * Groups from a sequence on, those that are in the log and those that come, those without changes too.
 * @param after what the first one must follow, if that is known
 * @throws XenonError `XENON_NOT_FOUND` if the log begins behind `from`
 * @throws InvalidArgumentError if `from` lies within a group
 * @throws CorruptionError if the log contradicts itself
 */
export async function* groupsOf(
  log: SharedLog,
  from: number,
  { after, signal }: { after?: GroupPlace | undefined; signal?: AbortSignal | undefined } = {},
): AsyncGenerator<LoggedGroup> {
  const reader = new GroupReader(log.name, after)
  for await (const message of messagesOf(log, from, signal)) {
    const group = reader.read(message)
    if (group !== undefined) yield group
  }
}

/** The feed as an iteration: the next message is asked for when the one before was dealt with. */
async function* messagesOf(log: SharedLog, from: number, signal: AbortSignal | undefined): AsyncGenerator<LogMessage> {
  let given: { message: LogMessage; taken: () => void } | undefined
  let over: { error: unknown } | undefined
  let wake = (): void => {}
  const end = (error: unknown): void => {
    over ??= { error }
    wake()
  }
  const feed = log.feed(from, {
    onMessage: message =>
      new Promise<void>(taken => {
        given = { message, taken }
        wake()
      }),
    onGap: first =>
      end(
        new XenonError(
          'XENON_NOT_FOUND',
          `${log.name} begins at ${first}: what was before, from ${from} on, is only in snapshots`,
        ),
      ),
    onEnd: end,
  })
  const aborted = (): void => end(undefined)
  signal?.addEventListener('abort', aborted)
  if (signal?.aborted === true) aborted()
  try {
    for (;;) {
      if (over !== undefined) {
        if (over.error !== undefined) throw over.error
        return
      }
      if (given === undefined) {
        await new Promise<void>(resolve => {
          wake = resolve
        })
        continue
      }
      const { message, taken } = given
      given = undefined
      yield message
      taken()
    }
  } finally {
    signal?.removeEventListener('abort', aborted)
    feed.close()
  }
}

/** Puts the parts of groups together, and checks that each message is the one that follows. */
class GroupReader {
  readonly #log: string
  #hash: Uint8Array | undefined
  #epoch: number
  #parts: MessagePart[] = []

  constructor(log: string, after: GroupPlace | undefined) {
    this.#log = log
    this.#hash = after?.hash
    this.#epoch = after?.epoch ?? 0
  }

  /** Undefined until the last part. */
  read({ sequence, bytes, pending }: LogMessage): LoggedGroup | undefined {
    const where = `${this.#log}, message ${sequence}`
    const part = decodeMessage(bytes, where)
    this.#check(part, where)
    this.#hash = hashOf(bytes)
    this.#epoch = part.epoch
    this.#parts.push(part)
    if (part.part < part.of) return undefined
    const body = joinedBody(this.#parts)
    this.#parts = []
    const { kind, node, epoch, time } = part
    return { sequence, kind, node, epoch, time, hash: this.#hash, pending, ...decodeBody(kind, body, where) }
  }

  #check(part: MessagePart, where: string): void {
    const [first] = this.#parts
    if (this.#hash === undefined) {
      if (part.part !== 1)
        throw new InvalidArgumentError(
          `from: ${where} is part ${part.part} of ${part.of} of a group: begin with its first`,
        )
    } else if (!sameBytes(part.before, this.#hash))
      throw new CorruptionError(where, 'does not follow the one before it')
    if (part.epoch < this.#epoch) throw new CorruptionError(where, `has epoch ${part.epoch} after ${this.#epoch}`)
    const isNext = part.part === this.#parts.length + 1 && (first === undefined || sameBytes(part.id, first.id))
    if (!isNext)
      throw new CorruptionError(where, `is part ${part.part} of ${part.of} after ${this.#parts.length} parts`)
  }
}
