/**
 * What shards, and operators, ask one another about moves. Who carries it is another's matter (`nats/` does, by requests).
 * Only the leader of a shard answers, under a valid lease unless it says otherwise; whoever gets no answer asks again.
 *
 * A question, and an answer: length of the JSON u32 (little-endian), JSON, then bytes that belong to it (records).
 */
import { CorruptionError, XenonError } from '../../errors.ts'
import type { SlotRange } from '../shard-map.ts'
import type { SlotState, Tail } from './slot-state.ts'

export type Question =
  /** Of an operator. */
  | { readonly ask: 'status' }
  /** Of an operator, to the target: begin a move. */
  | { readonly ask: 'begin'; readonly id: string; readonly slots: readonly SlotRange[]; readonly from: number }
  /** Of an operator, to the target: take it back, if it is not too late. */
  | { readonly ask: 'cancel'; readonly id: string | undefined }
  /**
   * Of the target: records behind `after` (hexadecimal). An answer that is larger than what a message may have comes in
   * pieces: `offset` is where the next one begins.
   */
  | {
      readonly ask: 'slice'
      readonly slots: readonly SlotRange[]
      readonly after: string | undefined
      readonly offset: number
    }
  /** Of the target: freeze the slots. */
  | { readonly ask: 'freeze'; readonly id: string; readonly slots: readonly SlotRange[]; readonly to: number }
  /** Of the source that has frozen slots, to the target: what has become of the move. */
  | { readonly ask: 'outcome'; readonly id: string }
  /** Of the target: whether the source has let go, which it is to do now. */
  | { readonly ask: 'settle'; readonly id: string; readonly slots: readonly SlotRange[] }

/** Whether the target has the slots by its log: `gone` if it will never have them by this move. */
export type MoveOutcome = 'open' | 'committed' | 'gone'

export interface MoveStatus {
  readonly node: number
  readonly state: SlotState | undefined
  /** Messages of the source's log that the target has yet to read, and what is in its way. */
  readonly pending: number | undefined
  readonly problem: string | undefined
}

export interface SliceAnswer {
  readonly log: string
  /** The state that the records are of. */
  readonly tail: Tail
  /** In hexadecimal. */
  readonly last: string | undefined
  readonly isWhole: boolean
  /** Of all pieces: how many bytes, and a hash of them. */
  readonly total: number
  readonly hash: string
}

/** What each question is answered with. */
export interface Answers {
  readonly status: MoveStatus
  readonly begin: { readonly ok: true }
  readonly cancel: { readonly id: string }
  readonly slice: SliceAnswer
  readonly freeze: { readonly ok: true }
  /** `time`: of the target's last message, milliseconds since 1970. */
  readonly outcome: { readonly outcome: MoveOutcome; readonly time: number }
  readonly settle: { readonly isSettled: boolean }
}

/** It is not done; `isFinal`: nor will it be if it is asked again. */
export interface Refusal {
  readonly refused: string
  readonly isFinal: boolean
}

export interface Paper<T> {
  readonly head: T
  readonly body: Uint8Array
}

export interface MoveChannel {
  /** Bytes that an answer may have. */
  readonly answerBytes: number
  /** What the leader of a shard answers; undefined if nobody does in time. Never rejects. */
  ask(shard: number, question: Uint8Array, ms: number): Promise<Uint8Array | undefined>
  /** From now on answers questions to a shard; what is undefined is no answer. The result stops that. */
  answer(shard: number, answer: (question: Uint8Array) => Promise<Uint8Array | undefined>): () => void
}

const NOTHING = new Uint8Array(0)
const LENGTH_BYTES = 4

export const encodePaper = (head: unknown, body: Uint8Array = NOTHING): Uint8Array => {
  const json = new TextEncoder().encode(JSON.stringify(head))
  const bytes = new Uint8Array(LENGTH_BYTES + json.length + body.length)
  new DataView(bytes.buffer).setUint32(0, json.length, true)
  bytes.set(json, LENGTH_BYTES)
  bytes.set(body, LENGTH_BYTES + json.length)
  return bytes
}

/** @throws CorruptionError */
export const decodePaper = <T>(bytes: Uint8Array): Paper<T> => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const length = bytes.length < LENGTH_BYTES ? Number.POSITIVE_INFINITY : view.getUint32(0, true)
  if (length > bytes.length - LENGTH_BYTES) throw new CorruptionError('a paper about a move', 'is too short')
  try {
    const head = JSON.parse(new TextDecoder().decode(bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length))) as T
    return { head, body: bytes.subarray(LENGTH_BYTES + length) }
  } catch (cause) {
    throw new CorruptionError('a paper about a move', `has no JSON: ${(cause as Error).message}`)
  }
}

/**
 * Asks the leader of a shard.
 * @throws XenonError `XENON_CONNECTION` if nobody answers in time; `XENON_NOT_READY` with its words if it refuses for now,
 *   `XENON_NOT_FOUND` if for ever
 */
export async function askLeader<K extends Question['ask']>(
  channel: MoveChannel,
  shard: number,
  question: Extract<Question, { ask: K }>,
  ms: number,
): Promise<Paper<Answers[K]>> {
  const bytes = await channel.ask(shard, encodePaper(question), ms)
  if (bytes === undefined)
    throw new XenonError('XENON_CONNECTION', `no leader of shard ${shard} has answered within ${ms} ms`)
  const paper = decodePaper<Answers[K] | Refusal>(bytes)
  const { head } = paper
  if ('refused' in head)
    throw new XenonError(head.isFinal ? 'XENON_NOT_FOUND' : 'XENON_NOT_READY', `shard ${shard}: ${head.refused}`)
  return paper as Paper<Answers[K]>
}
