/**
 * A node's part in moves: it answers other shards and operators while it leads, and goes on with the moves that the
 * state of its shard names. What is done next follows from that state alone: so whoever leads goes on where the one before has
 * ended, and nothing is kept anywhere else.
 */
import { reasonOf, XenonError } from '../../errors.ts'
import type { MessageKind } from '../message.ts'
import {
  type Answers,
  askLeader,
  decodePaper,
  encodePaper,
  type MoveStatus,
  type Paper,
  type Question,
} from './move-channel.ts'
import type { MoveContext, MoverOptions } from './move-context.ts'
import { encodeNote, type MoveNote } from './move-note.ts'
import {
  decodeState,
  encodeState,
  type IncomingMove,
  type OutgoingMove,
  type SlotState,
  stateOf,
} from './slot-state.ts'
import { Source } from './source.ts'
import { Target } from './target.ts'

/** Between two attempts at a step that did not succeed, and two looks whether another shard has got on. */
const RETRY_MS = 200
/** Another shard has so long to answer. */
const ASK_MS = 2_000
/** A question waits for a lease so long. */
const HOLD_MS = 1_000

export class Mover implements MoveContext {
  readonly options: MoverOptions
  /** Of the target: messages of the source's log that are yet to be read. */
  pending: number | undefined
  readonly #problems = new Map<'incoming' | 'outgoing', string>()
  readonly #running = new Set<'incoming' | 'outgoing'>()
  /** Aborted when the node leads no more. */
  #over = new AbortController()
  #stopAnswering: (() => void) | undefined
  readonly #waiting = new Set<() => void>()
  readonly #source: Source
  readonly #target: Target

  constructor(options: MoverOptions) {
    this.options = options
    this.#source = new Source(this)
    this.#target = new Target(this)
  }

  start(): void {
    const { channel, shard } = this.options
    this.#stopAnswering = channel.answer(shard, question => this.#answer(question))
    this.poke()
  }

  /** What it waits for comes to nothing; the node refuses what it has under way. */
  stop(): void {
    this.#stopAnswering?.()
    this.#stopAnswering = undefined
    this.#over.abort()
    this.#wakeAll()
  }

  #wakeAll(): void {
    for (const wake of [...this.#waiting]) wake()
  }

  get isLeading(): boolean {
    return this.options.node.state === 'lead'
  }

  get incoming(): IncomingMove | undefined {
    return this.options.slots.state?.incoming
  }

  get outgoing(): OutgoingMove | undefined {
    return this.options.slots.state?.outgoing
  }

  /** The node leads, or does not any more; a record of a move was committed; somebody waits. */
  poke(): void {
    if (!this.isLeading) this.#over.abort()
    this.#wakeAll()
    if (this.#stopAnswering === undefined || !this.isLeading) return
    if (this.#over.signal.aborted) this.#over = new AbortController()
    const over = this.#over.signal
    this.#run('incoming', over, move => this.#target.step(move, over))
    this.#run('outgoing', over, move => this.#source.step(move))
  }

  /** Step after step, until there is no such move any more. */
  #run<K extends 'incoming' | 'outgoing'>(
    which: K,
    over: AbortSignal,
    step: (move: NonNullable<Mover[K]>) => Promise<void>,
  ): void {
    if (this.#running.has(which) || this[which] === undefined) return
    this.#running.add(which)
    const run = async (): Promise<void> => {
      for (let move = this[which]; move !== undefined && !over.aborted && this.isLeading; move = this[which])
        try {
          await step(move)
          this.#problems.delete(which)
        } catch (error) {
          this.#problems.set(which, reasonOf(error))
          await this.pause()
        }
    }
    void run().finally(() => {
      this.#running.delete(which)
      this.#problems.delete(which)
      if (which === 'incoming') this.pending = undefined
      this.poke()
    })
  }

  /** For a moment, or until it is poked. */
  pause(): Promise<void> {
    return new Promise(resolve => {
      const wake = (): void => {
        cancel()
        this.#waiting.delete(wake)
        resolve()
      }
      const cancel = this.options.clock.after(RETRY_MS, wake)
      this.#waiting.add(wake)
    })
  }

  /** The state as it is committed. */
  get state(): SlotState {
    return this.options.slots.state ?? stateOf(this.options.mapped())
  }

  /** A record that changes the state, and what `change` changes besides: one message, one commit. (X14) */
  async record(kind: MessageKind, note: MoveNote, change: (state: SlotState) => SlotState): Promise<void> {
    const { node, store } = this.options
    await node.executeRecord(kind, encodeNote(note), () => {
      const before = store.stateInGroup()
      store.writeState(encodeState(change(before === undefined ? this.state : decodeState(before))))
    })
  }

  ask<K extends Question['ask']>(shard: number, question: Extract<Question, { ask: K }>): Promise<Paper<Answers[K]>> {
    return askLeader(this.options.channel, shard, question, ASK_MS)
  }

  /** What is so by the log of this shard, whoever else may believe that it leads. */
  read<T>(work: () => T): Promise<T> {
    return this.options.node.read('leader', work, { holdMs: HOLD_MS })
  }

  async #answer(bytes: Uint8Array): Promise<Uint8Array | undefined> {
    if (!this.isLeading) return undefined
    try {
      const { head } = decodePaper<Question>(bytes)
      const answer = head.ask === 'status' ? encodePaper(this.status) : await this.#replyTo(head)
      this.poke()
      return answer
    } catch (error) {
      if (!XenonError.is(error)) throw error
      const isFinal = error.code === 'XENON_NOT_FOUND'
      return isFinal || error.code === 'XENON_NOT_READY' ? encodePaper({ refused: error.message, isFinal }) : undefined
    }
  }

  #replyTo(question: Exclude<Question, { ask: 'status' }>): Promise<Uint8Array> {
    switch (question.ask) {
      case 'begin':
        return this.#target.begin(question)
      case 'cancel':
        return this.#target.cancel(question.id)
      case 'outcome':
        return this.#target.outcome(question.id)
      case 'slice':
        return this.#source.slice(question)
      case 'freeze':
        return this.#source.freeze(question)
      case 'settle':
        return this.#source.settle(question)
    }
  }

  get status(): MoveStatus {
    const { self, slots } = this.options
    return {
      node: self,
      state: slots.state,
      pending: this.pending,
      problem: [...this.#problems.values()].join('; ') || undefined,
    }
  }
}
