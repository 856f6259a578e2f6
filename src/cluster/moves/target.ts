/**
 * The shard that gets slots. It copies their records, slice by slice, while the source serves them; then it reads the log
 * of the source from where the first slice was looked at, and takes from it what concerns the slots; when it is nearly at
 * the end, it asks the source to freeze them, reads on up to the freeze record, and has them by its import-commit.
 *
 *  X16  What is copied is never older than the place from where on the log is read, and the place in that log stands in
 *       the same commit as what was taken from there: as changes are whole records, every record is in the end what the
 *       log of the source has said last.
 *  X17  The import-commit carries a time no earlier than that of the freeze record, so that what was found expired at the
 *       source does not revive; and the hand-over at the source one no earlier than that, so that at each time at least
 *       one of the two logs says that it has the slots.
 */
import { XenonError } from '../../errors.ts'
import type { Change } from '../group-store.ts'
import { groupsOf, type LoggedGroup } from '../logged-groups.ts'
import { decodeBody } from '../message.ts'
import type { SharedLog } from '../shared-log.ts'
import { encodePaper, type MoveOutcome, type Question, type SliceAnswer } from './move-channel.ts'
import type { MoveContext } from './move-context.ts'
import { decodeNote } from './move-note.ts'
import { changesOfSlots } from './slot-filter.ts'
import {
  aborted,
  begun,
  committed,
  copiedMore,
  ended,
  followed,
  type IncomingMove,
  type SlotState,
  type Tail,
} from './slot-state.ts'

/** Bytes of changes that a message takes from the log of the source. */
const DATA_BYTES = 262_144
/** Groups after which the place in that log is noted, though none of them concerned the slots. */
const NOTED_EVERY = 5_000
/** Messages that may be left when the source is asked to freeze. */
const NEAR = 50
/** Records that a message removes. */
const CLEARED_AT_ONCE = 2_000

export class Target {
  readonly #mover: MoveContext

  constructor(mover: MoveContext) {
    this.#mover = mover
  }

  // What others ask.

  async begin({ id, slots, from }: Extract<Question, { ask: 'begin' }>): Promise<Uint8Array> {
    // Whoever was not answered asks again, be it that it is done by then.
    const isKnown = ({ incoming, last }: SlotState): boolean => incoming?.id === id || last?.id === id
    if (!isKnown(this.#mover.state))
      await this.#mover.record('import-begin', { id, slots, from }, state =>
        isKnown(state) ? state : begun(state, { id, slots, from }),
      )
    return encodePaper({ ok: true })
  }

  async cancel(id: string | undefined): Promise<Uint8Array> {
    const { incoming: move } = this.#mover
    if (move === undefined || (id !== undefined && id !== move.id))
      throw new XenonError('XENON_NOT_READY', 'no slots are on their way to this shard')
    if (move.phase === 'committed')
      throw new XenonError('XENON_NOT_READY', 'the slots were handed over already; move them back')
    await this.#abort(move, 'cancelled')
    return encodePaper({ id: move.id })
  }

  async outcome(id: string): Promise<Uint8Array> {
    const { mark, outcome } = await this.#mover.read(() => ({
      mark: this.#mover.options.node.mark,
      outcome: outcomeOf(this.#mover.state, id),
    }))
    return encodePaper({ outcome, time: mark.time })
  }

  // What is done next.

  async step(move: IncomingMove, over: AbortSignal): Promise<void> {
    if (move.phase === 'copying') await this.#copy(move)
    else if (move.phase === 'following') await this.#follow(move, over)
    else if (move.phase === 'committed') await this.#settle(move)
    else await this.#clear(move)
  }

  async #abort({ id, slots, from, phase }: IncomingMove, reason: string): Promise<void> {
    if (phase !== 'aborting')
      await this.#mover.record('import-abort', { id, slots, from }, state => aborted(state, id, reason))
  }

  async #copy(move: IncomingMove): Promise<void> {
    const { store } = this.#mover.options
    const { id, slots, from } = move
    let found: { head: SliceAnswer; body: Uint8Array }
    try {
      found = await this.#slice(move)
    } catch (error) {
      if (!XenonError.is(error, 'XENON_NOT_FOUND')) throw error
      return await this.#abort(move, error.message)
    }
    const { log, tail, last, isWhole } = found.head
    if (move.log !== undefined && move.log !== log)
      return await this.#abort(move, `shard ${from} has another log than before: ${log}`)
    // X16
    if (tail.sequence < (move.tail?.sequence ?? 0))
      throw new XenonError('XENON_CONNECTION', `shard ${from} has answered with an older state`)
    const { changes } = decodeBody('import-data', found.body, `records of shard ${from}`)
    await this.#mover.record('import-data', { id, slots, from }, state => {
      requireUnchanged(state, move)
      store.apply(changes)
      return copiedMore(state, id, { log, tail, last, records: changes.length, bytes: found.body.length, isWhole })
    })
  }

  /** All pieces of an answer. */
  async #slice({ slots, from, copied }: IncomingMove): Promise<{ head: SliceAnswer; body: Uint8Array }> {
    const ask = (offset: number): Promise<{ head: SliceAnswer; body: Uint8Array }> =>
      this.#mover.ask(from, { ask: 'slice', slots, after: copied, offset })
    const { head, body } = await ask(0)
    if (body.length === head.total) return { head, body }
    const whole = new Uint8Array(head.total)
    whole.set(body)
    for (let at = body.length; at < head.total; ) {
      const next = await ask(at)
      if (next.head.hash !== head.hash || next.body.length === 0)
        throw new XenonError('XENON_CONNECTION', `records of shard ${from} have changed while they were fetched`)
      whole.set(next.body, at)
      at += next.body.length
    }
    return { head, body: whole }
  }

  async #follow(move: IncomingMove, over: AbortSignal): Promise<void> {
    const { from } = move
    let log: SharedLog
    try {
      log = await this.#mover.options.openLog(from)
    } catch (error) {
      if (!XenonError.is(error, 'XENON_NOT_FOUND')) throw error
      return await this.#abort(move, error.message)
    }
    // Ends the question for the freeze with the reading.
    const reading = new AbortController()
    const end = (): void => reading.abort()
    over.addEventListener('abort', end)
    try {
      if (log.name === move.log) await this.#read(log, move, reading.signal)
      else await this.#abort(move, `shard ${from} has another log than before: ${log.name}`)
    } catch (error) {
      // What is not in the log any more, or contradicts what was read of it, does not come back.
      if (!XenonError.is(error, 'XENON_NOT_FOUND') && !XenonError.is(error, 'XENON_CORRUPT')) throw error
      await this.#abort(move, error.message)
    } finally {
      over.removeEventListener('abort', end)
      end()
      await log.close()
    }
  }

  async #read(log: SharedLog, move: IncomingMove, signal: AbortSignal): Promise<void> {
    const { id, slots, from } = move
    const mover = this.#mover
    const { sequence, epoch, hash } = move.tail!
    const after = { epoch, hash: new Uint8Array(Buffer.from(hash, 'hex')) }
    let before = move
    let [changes, bytes, groups]: [Change[], number, number] = [[], 0, 0]
    let tail: Tail = move.tail!
    let isAsking = false
    const take = async (): Promise<void> => {
      await mover.record('import-data', { id, slots, from }, state => this.#taken(state, before, changes, tail))
      before = { ...before, tail }
      ;[changes, bytes, groups] = [[], 0, 0]
    }
    for await (const group of groupsOf(log, sequence + 1, { after, signal })) {
      const more = changesOfSlots(group.changes, slots)
      const moreBytes = sizeOf(more)
      if (bytes > 0 && bytes + moreBytes > DATA_BYTES) await take()
      changes.push(...more)
      bytes += moreBytes
      groups++
      tail = placeOf(group)
      mover.pending = group.pending
      if (this.isFreeze(group, move)) return await this.#commit(group, before, changes, tail)
      if (groups >= NOTED_EVERY || (changes.length > 0 && (bytes >= DATA_BYTES || group.pending === 0))) await take()
      if (!isAsking && group.pending <= NEAR) {
        isAsking = true
        void this.#askToFreeze(move, signal)
      }
    }
  }

  /** Whether the source has stopped with this message. (X13) */
  isFreeze({ kind, note }: LoggedGroup, { id }: IncomingMove): boolean {
    return kind === 'freeze' && decodeNote(note)?.id === id
  }

  /** What was read of the log since `before`, and the place there, in one commit. (X16) */
  #taken(state: SlotState, before: IncomingMove, changes: readonly Change[], tail: Tail): SlotState {
    requireUnchanged(state, before)
    this.#mover.options.store.apply(changes)
    return followed(state, before.id, tail)
  }

  /** From here on this shard has the slots. */
  async #commit(freeze: LoggedGroup, before: IncomingMove, changes: readonly Change[], tail: Tail): Promise<void> {
    const { id, slots, from } = before
    // X17
    this.#mover.options.node.raiseTime(freeze.time)
    await this.#mover.record('import-commit', { id, slots, from, sequence: freeze.sequence }, state =>
      committed(this.#taken(state, before, changes, tail), id),
    )
  }

  /** Again and again, until the freeze record is read. */
  async #askToFreeze(move: IncomingMove, signal: AbortSignal): Promise<void> {
    const { id, slots, from } = move
    while (!signal.aborted) {
      try {
        await this.#mover.ask(from, { ask: 'freeze', id, slots, to: this.#mover.options.shard })
      } catch (error) {
        if (signal.aborted) return
        if (XenonError.is(error, 'XENON_NOT_FOUND')) return await this.#abort(move, error.message).catch(() => {})
      }
      await this.#mover.pause()
    }
  }

  async #settle({ id, slots, from }: IncomingMove): Promise<void> {
    const { head } = await this.#mover.ask(from, { ask: 'settle', id, slots })
    if (head.isSettled) await this.#mover.record('import-end', { id, slots, from }, state => ended(state, id))
    else await this.#mover.pause()
  }

  /** What was copied goes, some records at a time; the source asks by itself whether it may serve again. */
  async #clear({ id, slots, from }: IncomingMove): Promise<void> {
    const { store } = this.#mover.options
    let isClear = false
    await this.#mover.record('import-abort', { id, slots, from }, state => {
      isClear = store.clear(slots, CLEARED_AT_ONCE)
      return state
    })
    if (isClear) await this.#mover.record('import-end', { id, slots, from }, state => ended(state, id))
  }
}

const outcomeOf = ({ incoming }: SlotState, id: string): MoveOutcome => {
  if (incoming === undefined || incoming.id !== id || incoming.phase === 'aborting') return 'gone'
  return incoming.phase === 'committed' ? 'committed' : 'open'
}

/** What another record has changed meanwhile is not to be done again. */
function requireUnchanged({ incoming: move }: SlotState, before: IncomingMove): void {
  const isSame =
    move?.id === before.id &&
    move.phase === before.phase &&
    move.copied === before.copied &&
    move.tail?.sequence === before.tail?.sequence
  if (!isSame) throw new XenonError('XENON_NOT_READY', `move ${before.id} has gone on meanwhile`)
}

const placeOf = ({ sequence, epoch, hash }: LoggedGroup): Tail => ({
  sequence,
  epoch,
  hash: Buffer.from(hash).toString('hex'),
})

const sizeOf = (changes: readonly Change[]): number =>
  changes.reduce(
    (sum, change) =>
      sum + 32 + ('key' in change ? change.key.length : 0) + ('value' in change ? change.value.length : 0),
    0,
  )
