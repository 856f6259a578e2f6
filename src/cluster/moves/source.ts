/**
 * The shard that gives slots away. It answers for the records while it serves them, freezes them when it is asked to, and
 * then asks the target what has become of the move, until that is known.
 *
 *  X15  The source gives slots up, and removes their records, only when the log of the target has the import-commit; it
 *       takes them back only when the target says that it will never have it. Both answers are given under a lease.
 */
import { createHash } from 'node:crypto'
import { XenonError } from '../../errors.ts'
import { encodeChanges } from '../message.ts'
import { encodePaper, type MoveOutcome, type Question, type SliceAnswer } from './move-channel.ts'
import type { MoveContext } from './move-context.ts'
import { intersection } from './slot-ranges.ts'
import { dropped, frozen, handedOver, type OutgoingMove, requireOwned, unfrozen } from './slot-state.ts'

/** Bytes of records that are looked for at a time. */
const SLICE_BYTES = 262_144
/** Records that a message removes. */
const DROPPED_AT_ONCE = 2_000
/** Of an answer: what stands before the records. */
const HEAD_BYTES = 1_024

type QuestionOf<K extends Question['ask']> = Extract<Question, { ask: K }>

export class Source {
  readonly #mover: MoveContext
  #freezing: Promise<unknown> = Promise.resolve()

  constructor(mover: MoveContext) {
    this.#mover = mover
  }

  /** Records behind a key, and of which state they are: what is committed, and nothing of an open group. */
  async slice({ slots, after, offset }: QuestionOf<'slice'>): Promise<Uint8Array> {
    const { node, store, channel } = this.#mover.options
    const found = await this.#mover.read(() => {
      requireOwned(this.#mover.state, slots)
      const from = after === undefined ? undefined : new Uint8Array(Buffer.from(after, 'hex'))
      return { ...store.slice(slots, from, SLICE_BYTES), mark: node.mark }
    })
    const { mark, last, isWhole } = found
    const bytes = encodeChanges(found.changes)
    const head: SliceAnswer = {
      log: node.status().log,
      tail: { sequence: mark.sequence, epoch: mark.epoch, hash: Buffer.from(mark.hash).toString('hex') },
      last: last && Buffer.from(last).toString('hex'),
      isWhole,
      total: bytes.length,
      hash: createHash('sha256').update(bytes).digest('hex'),
    }
    const room = channel.answerBytes - HEAD_BYTES - 2 * (last?.length ?? 0)
    return encodePaper(head, bytes.subarray(offset, offset + room))
  }

  /** Resolves when the freeze record is in the log. One after the other, so that nobody takes back what another began. */
  freeze(question: QuestionOf<'freeze'>): Promise<Uint8Array> {
    const next = this.#freezing.then(() => this.#freeze(question))
    this.#freezing = next.catch(() => {})
    return next
  }

  async #freeze({ id, slots, to }: QuestionOf<'freeze'>): Promise<Uint8Array> {
    const { slots: view } = this.#mover.options
    if (this.#mover.outgoing?.id === id) return encodePaper({ ok: true })
    try {
      await this.#mover.record('freeze', { id, slots, to }, state => {
        const next = frozen(state, { id, slots, to })
        view.freeze(slots)
        return next
      })
    } catch (error) {
      // Of an unknown outcome the slots stay held: the record may be in the log.
      if (!XenonError.is(error, 'XENON_OUTCOME_UNKNOWN')) view.unfreeze()
      throw error
    }
    return encodePaper({ ok: true })
  }

  /** Whether this shard has none of the slots any more. */
  async settle({ slots }: QuestionOf<'settle'>): Promise<Uint8Array> {
    const isSettled = await this.#mover.read(() => intersection(this.#mover.state.owned, slots).length === 0)
    return encodePaper({ isSettled })
  }

  async step(move: OutgoingMove): Promise<void> {
    const mover = this.#mover
    const { id, slots, to } = move
    if (move.phase === 'dropping') return await this.drop(move)
    const outcome = await this.outcome(move)
    // X15
    if (outcome === 'committed') await mover.record('slot-drop', { id, slots, to }, state => handedOver(state, id))
    else if (outcome === 'gone') await mover.record('unfreeze', { id, slots, to }, state => unfrozen(state, id))
    else await mover.pause()
  }

  async outcome({ id, to }: OutgoingMove): Promise<MoveOutcome> {
    const { outcome, time } = (await this.#mover.ask(to, { ask: 'outcome', id })).head
    // X17
    this.#mover.options.node.raiseTime(time)
    return outcome
  }

  /** Some records at a time, so that nobody waits for long. */
  async drop({ id, slots, to }: OutgoingMove): Promise<void> {
    const { store } = this.#mover.options
    await this.#mover.record('slot-drop', { id, slots, to }, state =>
      store.clear(slots, DROPPED_AT_ONCE) ? dropped(state, id) : state,
    )
  }
}
