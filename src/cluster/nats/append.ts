/**
 * One attempt to append, and what may be concluded from the answer. The rule: *refused* only where the server says that
 * this very message was turned away before it went into the replicated log of the servers, or by a rule that every
 * replica applies alike; anything else that is not an acknowledgement is *unknown*.
 */
import { headers, type Msg, type MsgHdrs, type NatsConnection, nuid } from '@nats-io/nats-core'
import { XenonError } from '../../errors.ts'
import type { AppendOutcome, LogLimits, RefusalReason } from '../shared-log.ts'
import type { NatsLink } from './connection.ts'

/** Error codes of JetStream. */
const WRONG_LAST_SEQUENCE = [10071, 10164]
const MESSAGE_TOO_LARGE = 10054
const STORE_FAILED = 10077
/** Batches: not enabled for the stream, too many messages. */
const NO_BATCHES = [10174, 10199]
/** The texts of 10077 that every replica comes to by itself. Others tell of one server's disk, and prove nothing. */
const FULL = ['maximum bytes exceeded', 'maximum messages exceeded']

interface Answer {
  stream?: string
  seq?: number
  error?: { code: number; err_code?: number; description?: string }
}

export interface AppendTarget {
  readonly stream: string
  readonly subject: string
  readonly limits: LogLimits
  /** Milliseconds after which the outcome is unknown. */
  readonly timeout: number
}

export async function append(
  link: NatsLink,
  target: AppendTarget,
  messages: readonly Uint8Array[],
  expectedLast: number,
): Promise<AppendOutcome> {
  const tooLarge = sizeProblem(messages, target.limits)
  if (tooLarge !== undefined) return refused('too large', tooLarge)
  let answer: Msg
  try {
    answer = await link.ask(`append to ${target.stream}`, () => send(link.connection, target, messages, expectedLast))
  } catch (cause) {
    // No answer in time, nobody there to answer, the connection lost: it may have been stored, or may be yet.
    return { kind: 'unknown', cause }
  }
  return outcomeOf(answer, target.stream, expectedLast + messages.length)
}

function sizeProblem(messages: readonly Uint8Array[], limits: LogLimits): string | undefined {
  if (messages.length > limits.batch)
    return `an append of ${messages.length} messages: the log takes ${limits.batch} at once`
  const largest = Math.max(...messages.map(({ length }) => length))
  if (largest > limits.messageBytes)
    return `a message of ${largest} bytes: the log takes ${limits.messageBytes} at most (max_payload of nats-server)`
  return undefined
}

/** A batch goes out at once; the server answers its last message, and checks all of it then. */
function send(
  connection: NatsConnection,
  { stream, subject, timeout }: AppendTarget,
  messages: readonly Uint8Array[],
  expectedLast: number,
): Promise<Msg> {
  const first = expectation(stream, expectedLast)
  if (messages.length === 1) return connection.request(subject, messages[0]!, { timeout, headers: first })
  const batch = nuid.next()
  const last = messages.length - 1
  for (let i = 0; i < last; i++)
    connection.publish(subject, messages[i]!, { headers: inBatch(i === 0 ? first : headers(), batch, i + 1) })
  const closing = inBatch(headers(), batch, messages.length)
  closing.set('Nats-Batch-Commit', '1')
  return connection.request(subject, messages[last]!, { timeout, headers: closing })
}

function expectation(stream: string, expectedLast: number): MsgHdrs {
  const expected = headers()
  expected.set('Nats-Expected-Stream', stream)
  expected.set('Nats-Expected-Last-Sequence', `${expectedLast}`)
  return expected
}

function inBatch(of: MsgHdrs, batch: string, sequence: number): MsgHdrs {
  of.set('Nats-Batch-Id', batch)
  of.set('Nats-Batch-Sequence', `${sequence}`)
  return of
}

/** @param last the sequence that the last message has if the append was stored */
export function outcomeOf(answer: Msg, stream: string, last: number): AppendOutcome {
  let found: Answer
  try {
    found = answer.json<Answer>()
  } catch (cause) {
    return { kind: 'unknown', cause }
  }
  const { error } = found
  if (error === undefined) {
    if (found.stream === stream && found.seq === last) return { kind: 'stored', sequence: last }
    return unknown(`an acknowledgement for ${found.stream} ${found.seq} in place of ${stream} ${last}`)
  }
  const text = error.description ?? `error ${error.err_code}`
  const code = error.err_code ?? 0
  if (WRONG_LAST_SEQUENCE.includes(code)) return refused('wrong last', text)
  if (code === MESSAGE_TOO_LARGE || NO_BATCHES.includes(code)) return refused('too large', text)
  if (code === STORE_FAILED && FULL.includes(text)) return refused('full', text)
  return unknown(`NATS answers: ${text} (${code})`)
}

const refused = (reason: RefusalReason, message: string): AppendOutcome => ({ kind: 'refused', reason, message })

const unknown = (message: string): AppendOutcome => ({
  kind: 'unknown',
  cause: new XenonError('XENON_CONNECTION', message),
})
