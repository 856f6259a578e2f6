/** Recordings: what is played adds up to what there is, each block can be seen as it was, and it ends when it is full. */
import { expect, test } from 'vitest'
import { Player } from '../../explorer/page/player.ts'
import { Explorer } from '../../src/explorer/api.ts'
import type { MapAnswer } from '../../src/explorer/live-map.ts'
import { FileMap } from '../../src/explorer/map.ts'
import type { RecordedEvent } from '../../src/explorer/recorder.ts'
import type { BlockView } from '../../src/explorer/shapes.ts'
import { BlockSource } from '../../src/explorer/source.ts'
import type { Database } from '../../src/index.ts'
import { withMemoryDatabase } from '../support/database.ts'
import { seeded } from '../support/random.ts'

const bytes = (text: string): Buffer => Buffer.from(text)
const OPTIONS = { keyEncoding: 'binary', valueEncoding: 'binary' } as const
type Bytes = Database<Uint8Array, Uint8Array>

interface Subject {
  readonly db: Bytes
  readonly call: <T>(name: string, params?: object) => Promise<T>
  readonly player: Player
  readonly source: BlockSource
}

/** A database that is being recorded. */
const withRecording = (options: object, body: (subject: Subject) => Promise<void>): Promise<void> =>
  withMemoryDatabase({ ...OPTIONS, ...options }, async ({ db: opened, options: { storage } }) => {
    const db = opened as unknown as Bytes
    for (let i = 0; i < 500; i++) db.put(bytes(`first/${i}`), bytes(`${i}`.repeat(20)))
    const explorer = new Explorer({ directory: db.directory, storage: storage!, db, writable: true })
    const call = async <T>(name: string, params: object = {}): Promise<T> => (await explorer.call(name, params)) as T
    try {
      const map = await call<MapAnswer>('map', { since: 0 })
      const pool = await call<{ blocks: Uint32Array; flags: Uint8Array }>('pool')
      const { marks, metadata } = await call<{
        marks: { endLsn: number; syncedLsn: number }
        metadata: { redoLsn: number }
      }>('state')
      const player = new Player({
        map: { uses: map.uses.slice(), fills: map.fills.slice(), flags: map.flags.slice() },
        pool,
        marks: { redo: metadata.redoLsn, synced: marks.syncedLsn, end: marks.endLsn },
      })
      await call('record', { on: true })
      await body({ db, call, player, source: BlockSource.ofEngine(db.directory, db.layers) })
    } finally {
      await explorer.close()
      expect(db.layers.health.observer).toBeUndefined()
    }
  })

const take = async ({ call, player }: Subject): Promise<boolean> => {
  for (;;) {
    const { events, isFull } = await call<{ events: RecordedEvent[]; isFull: boolean }>('events', {
      since: player.events.length,
    })
    player.take(events)
    if (events.length === 0) return isFull
  }
}

test('what is played adds up to the map, the pool and the marks as they are', () =>
  seeded(random =>
    withRecording({ cacheBytes: 262144, logSegmentBytes: 131072 }, async subject => {
      const { db, player, source } = subject
      for (let i = 0; i < 25; i++) {
        const key = bytes(`${random.pick(['first', 'second'])}/${random.below(400)}`)
        if (random.chance(0.3)) db.delete(key)
        else db.put(key, random.bytes(random.below(600)))
        if (random.chance(0.1)) await db.checkpoint()
        if (random.chance(0.3)) db.get(bytes(`first/${random.below(500)}`))
      }
      const isFull = await take(subject)
      player.goTo(player.events.length)
      expect([isFull, player.isAtEnd]).toEqual([false, true])
      const fresh = FileMap.of(source)
      const { length } = player.uses
      expect([...player.flags].slice(1)).toEqual([...fresh.flags.subarray(1, length)])
      expect([...player.fills].slice(1)).toEqual([...fresh.fills.subarray(1, length)])
      expect(new Set(player.pool.blocks)).toEqual(new Set((await poolOf(subject)).blocks))
      const { log, metadata } = db.layers
      expect(player.marks).toEqual({ redo: metadata.redoLsn, synced: log.syncedLsn, end: log.writtenLsn })
      // Back and forth, the picture of a moment is the same.
      const middle = player.events.length >>> 1
      player.goTo(middle)
      const [flags, pool] = [player.flags.slice(), player.pool]
      player.goTo(player.events.length)
      player.goTo(3)
      player.goTo(middle)
      expect([player.flags, player.pool]).toEqual([flags, pool])
    }),
  ))

const poolOf = ({ call }: Subject): Promise<{ blocks: Uint32Array }> => call('pool')

test('a put is seen as uses of blocks, changes, a group of the log and a sync, in this order', () =>
  withRecording({}, async subject => {
    const { db, player } = subject
    db.put(bytes('cat'), bytes('a small feline'))
    await take(subject)
    const whats = player.events.map(({ what }) => what)
    const order = ['use', 'change', 'group', 'sync'].map(what => whats.indexOf(what as RecordedEvent['what']))
    expect(order).toEqual([...order].sort((a, b) => a - b))
    expect(order[0]).toBe(0)
    const change = player.events.find(({ what, text }) => what === 'change' && text?.includes('a small feline'))
    expect(change).toMatchObject({ commits: true, transaction: 0 })
  }))

test('a block is shown as it was before a change, and as it is afterwards', () =>
  withRecording({}, async subject => {
    const { db, call, player } = subject
    for (let i = 0; i < 5; i++) db.put(bytes('cat'), bytes(`value ${i}`))
    await take(subject)
    const changes = player.events.filter(({ text }) => text?.includes('value') === true)
    expect(changes.length).toBe(5)
    const valueAt = async (at: number): Promise<string | undefined> => {
      const view = await call<BlockView>('block', { block: changes[0]!.block, at })
      return view.bucket!.records.find(({ key }) => key.text === 'cat')?.value?.text
    }
    expect(await valueAt(0)).toBeUndefined()
    for (const [i, { number }] of changes.entries()) {
      expect(await valueAt(number)).toBe(`value ${i}`)
      expect(await valueAt(number - 1)).toBe(i === 0 ? undefined : `value ${i - 1}`)
    }
    const path = await call<{ found: boolean }>('path', { key: 'cat', at: 0 })
    const now = await call<{ found: boolean }>('path', { key: 'cat' })
    expect([path.found, now.found]).toEqual([false, true])
  }))

test('a recording that is full takes no more, and the next one begins anew', () =>
  withRecording({}, async subject => {
    const { db, call, player } = subject
    for (let i = 0; i < 2_000; i++) db.put(bytes(`more/${i}`), bytes('x'))
    expect(await take(subject)).toBe(true)
    const { length } = player.events
    db.put(bytes('after'), bytes('x'))
    await take(subject)
    expect(player.events.length).toBe(length)
    await call('record', { on: true })
    const { events, isFull } = await call<{ events: unknown[]; isFull: boolean }>('events', { since: 0 })
    expect([events, isFull]).toEqual([[], false])
    await call('record', { on: false })
    db.put(bytes('after'), bytes('y'))
    expect(await call('events', { since: 0 })).toEqual({ events: [], isOn: false, isFull: false })
  }))

test('a deadlock is told with its circle and who was ended, and a checkpoint with what it writes', () =>
  withRecording({}, async subject => {
    const { db, call, player } = subject
    const begin = async (): Promise<number> => (await call<{ transaction: number }>('begin')).transaction
    const put = (transaction: number, key: string): Promise<object> =>
      call('inside', { transaction, what: 'put', key, value: 'x' })
    const [one, two] = [await begin(), await begin()]
    await put(one, 'a')
    await put(two, 'b')
    const waits = put(one, 'b')
    await expect(put(two, 'a')).rejects.toThrow(/deadlock/)
    await waits
    await call('inside', { transaction: one, what: 'commit' })
    await db.checkpoint()
    const { deadlocks, checkpoint } = await call<{
      deadlocks: { circle: number[]; ended: number }[]
      checkpoint: { blocks: number; written: number; redoLsn: number }
    }>('state')
    expect(deadlocks).toEqual([{ at: expect.any(Number), circle: [two, one], ended: two }])
    expect(checkpoint).toMatchObject({ blocks: checkpoint.written, redoLsn: db.layers.metadata.redoLsn })
    expect(checkpoint.blocks).toBeGreaterThan(0)
    await take(subject)
    expect(player.events.find(({ what }) => what === 'deadlock')).toMatchObject({ circle: [two, one], ended: two })
    expect(player.events.filter(({ what }) => what === 'write').length).toBe(checkpoint.written)
  }))
