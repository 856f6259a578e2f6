/** What tests do with a shared log, whoever implements it. */
import type { SharedLog } from '../../src/cluster/shared-log.ts'
import { pause } from '../support/child.ts'

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
export const textOf = (bytes: Uint8Array | undefined): string | undefined =>
  bytes === undefined ? undefined : new TextDecoder().decode(bytes)

/** Appends a message as a leader does: again and again until it is known whether it or another one is there. */
export async function appendDefinitely(
  log: SharedLog,
  bytes: Uint8Array,
  last: number,
): Promise<'ours' | 'superseded'> {
  for (;;) {
    const outcome = await log.append([bytes], last)
    if (outcome.kind === 'stored') return 'ours'
    try {
      const found = await log.read(last + 1)
      if (found !== undefined) return Buffer.from(found).equals(bytes) ? 'ours' : 'superseded'
    } catch {
      // Nobody says: again.
    }
    await pause(50)
  }
}

export interface Collected {
  readonly texts: string[]
  /** Resolves when there are `count`; rejects when the feed is over before. */
  until(count: number): Promise<void>
  close(): void
}

/** All that a feed gives, each sequence checked. */
export function collect(log: SharedLog, from: number): Collected {
  const texts: string[] = []
  let over: unknown
  const feed = log.feed(from, {
    onMessage({ sequence, bytes }) {
      if (sequence !== from + texts.length) throw new Error(`${sequence} after ${texts.length} from ${from}`)
      texts.push(textOf(bytes)!)
    },
    onGap(first) {
      over = new Error(`the log begins at ${first}`)
    },
    onEnd(cause) {
      over = cause
    },
  })
  return {
    texts,
    close: () => feed.close(),
    async until(count) {
      while (texts.length < count) {
        if (over !== undefined) throw over
        await pause(10)
      }
    },
  }
}
