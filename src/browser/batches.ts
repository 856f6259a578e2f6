/**
 * Many messages as one: to send a message costs more than what most calls do. What may wait is sent at the end of the
 * running turn, with all else that waits, in the order in which it came; what may not takes all that waits along.
 */
import type { Line } from './web.ts'

export interface Batching {
  /** Whether a message may wait: nobody changes it meanwhile. */
  mayWait(message: unknown): boolean
  /** What to send in the place of a message that cannot be sent. Left out: messages that wait can all be sent. */
  instead?(message: unknown, error: unknown): unknown
}

/** A line over another one, whose other end is one of these, too. */
export const batched = (line: Line, { mayWait, instead }: Batching): Line => {
  let waiting: unknown[] = []
  let isClosed = false
  const sendEach = (messages: readonly unknown[]): void => {
    for (const message of messages)
      try {
        line.postMessage(message)
      } catch (error) {
        if (instead === undefined) throw error
        line.postMessage(instead(message, error))
      }
  }
  const flush = (): void => {
    const messages = waiting
    if (messages.length === 0 || isClosed) return
    waiting = []
    if (messages.length === 1) sendEach(messages)
    else
      try {
        line.postMessage(messages)
      } catch {
        sendEach(messages)
      }
  }
  return {
    postMessage(message) {
      if (isClosed) return
      if (mayWait(message)) {
        if (waiting.push(message) === 1) queueMicrotask(flush)
        return
      }
      flush()
      line.postMessage(message)
    },
    addEventListener(event, listener) {
      line.addEventListener(event, ({ data }) => {
        if (Array.isArray(data)) for (const each of data) listener({ data: each })
        else listener({ data })
      })
    },
    start: () => line.start?.(),
    close() {
      flush()
      isClosed = true
      line.close()
    },
  }
}
