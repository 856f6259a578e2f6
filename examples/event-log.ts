/**
 * An event log with keys that are tuples and values of any type: `npm run build && node build/examples/event-log.js`.
 *
 * A key is `[stream, time, number]`: events of a stream lie in the order of their times, and those of one time in the
 * order in which they came. A prefix finds a stream, two bounds find a span of time.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { open } from 'xenondb'

interface Event {
  readonly type: string
  readonly at: Date
  /** What msgpack keeps as it is: a Map of amounts, each a bigint. */
  readonly amounts: ReadonlyMap<string, bigint>
}

const directory = mkdtempSync(join(tmpdir(), 'xenondb-events-'))
type EventKey = readonly [stream: string, time: number, number: number]

const path = join(directory, 'events')
const db = open<Event, EventKey>(path, { keyEncoding: 'tuple', valueEncoding: 'msgpack' })

let number = 0
const append = (stream: string, type: string, time: string, amounts: Record<string, bigint> = {}): void => {
  const at = new Date(time)
  db.put([stream, at.getTime(), number++], { type, at, amounts: new Map(Object.entries(amounts)) })
}

append('order 9', 'placed', '2026-11-29T09:00:00Z', { EUR: 1200n })
append('order 10', 'placed', '2026-11-29T09:00:00Z', { EUR: 5n })
append('order 9', 'paid', '2026-11-29T09:05:00Z', { EUR: 1200n })
append('order 9', 'shipped', '2026-11-30T08:00:00Z')
append('order 9', 'refunded', '2026-12-02T16:30:00Z', { EUR: -200n, points: 2n ** 64n })
append('order 9', 'closed', '2026-12-02T16:30:00Z')

const show = ([stream, time]: EventKey, event: Event): string =>
  `${stream} ${new Date(time).toISOString().slice(0, 16)} ${event.type}`

console.log('the whole of order 9, which is not order 10:')
for (const [key, event] of db.entries(['order 9'])) console.log(`  ${show(key, event)}`)

console.log('from 30 November on:')
const since = { prefix: ['order 9'], gte: ['order 9', Date.parse('2026-11-30')] }
for (const [key, event] of db.entries(since)) console.log(`  ${show(key, event)}`)

const [last] = db.values({ prefix: ['order 9'], reverse: true, limit: 1 })
console.log(`the last event: ${last!.type}`)

let sum = 0n
for (const { amounts } of db.values(['order 9'])) sum += amounts.get('EUR') ?? 0n
console.log(`EUR in all: ${sum}`)

const [refund] = db.values({ gte: ['order 9', Date.parse('2026-12-02')] })
console.log(`a Date again: ${refund!.at instanceof Date}, and every digit: ${refund!.amounts.get('points')}`)

db.clear(['order 9'])
console.log(`events left without order 9: ${db.count()}`)

db.close()
rmSync(directory, { recursive: true })
