/** The log of a new generation, filled with all that a database holds: what comes after the loss of a log. */
import { XenonError } from '../errors.ts'
import { Appender } from './appender.ts'
import { systemClock } from './clock.ts'
import type { Change } from './group-store.ts'
import { HASH_BYTES } from './mark.ts'
import { addressNote, encodeMessage, ID_BYTES, type MessageHeader } from './message.ts'
import type { SharedLog } from './shared-log.ts'
import { Suspicion } from './suspicion.ts'

/** Whose reign the log begins with, and until when its records were changed. */
export interface Origin {
  readonly node: number
  readonly address: string
  /** Milliseconds since 1970. */
  readonly time: number
}

/** Bytes of changes that go into one message. */
const GROUP_BYTES = 262_144
const ATTEMPT_MS = 2_000
const EPOCH = 1

/**
 * Appends an EPOCH record and then the changes, to a log that is empty. Returns the sequence of the last message.
 * @throws XenonError `XENON_FULL` if they do not fit; `XENON_FAILED` if somebody else appends, too
 */
export async function fillLog(log: SharedLog, changes: Iterable<Change>, origin: Origin): Promise<number> {
  const writer = new LogWriter(log, origin)
  await writer.append('epoch', { note: addressNote(origin.address) })
  let group: Change[] = []
  let bytes = 0
  for (const change of changes) {
    group.push(change)
    bytes += sizeOf(change)
    if (bytes < GROUP_BYTES) continue
    await writer.append('group', { changes: group })
    group = []
    bytes = 0
  }
  if (group.length > 0) await writer.append('group', { changes: group })
  return writer.last
}

const sizeOf = (change: Change): number =>
  32 + ('key' in change ? change.key.length : 0) + ('value' in change ? change.value.length : 0)

class LogWriter {
  last = 0
  readonly #log: SharedLog
  readonly #origin: Origin
  readonly #appender: Appender
  #hash: Uint8Array = new Uint8Array(HASH_BYTES)

  constructor(log: SharedLog, origin: Origin) {
    this.#log = log
    this.#origin = origin
    this.#appender = new Appender(log, systemClock, ATTEMPT_MS, new Suspicion(systemClock, () => {}))
  }

  async append(
    kind: 'epoch' | 'group',
    body: { readonly changes?: readonly Change[]; readonly note?: Uint8Array },
  ): Promise<void> {
    const { node, time } = this.#origin
    const id = globalThis.crypto.getRandomValues(new Uint8Array(ID_BYTES))
    const header: MessageHeader = { kind, node, epoch: EPOCH, id, time }
    const { messageBytes, batch } = this.#log.limits
    const { messages, hash } = encodeMessage(header, body, this.#hash, messageBytes, batch)
    const { outcome } = await this.#appender.append(messages, id, this.last)
    if (outcome.kind === 'refused' && outcome.reason === 'full')
      throw new XenonError('XENON_FULL', `the records do not fit into the log ${this.#log.name}: make a larger one`)
    if (outcome.kind !== 'stored')
      throw new XenonError('XENON_FAILED', `the log ${this.#log.name} did not take a message: ${outcome.kind}`)
    this.last = outcome.sequence
    this.#hash = hash
  }
}
