/** The map of a file that changes: what is told of the changes adds up to what a map made anew says. */
import { expect, test } from 'vitest'
import { LiveMap, type MapAnswer } from '../../src/explorer/live-map.ts'
import { FileMap } from '../../src/explorer/map.ts'
import { hasArrays, pack } from '../../src/explorer/pack.ts'
import { BlockSource } from '../../src/explorer/source.ts'
import type { Observer } from '../../src/runtime/observer.ts'
import { withMemoryDatabase } from '../support/database.ts'
import { seeded } from '../support/random.ts'
import { fillAtRandom } from './random-database.ts'

/** Looks on, and sees nothing. */
const BLIND: Observer = {
  used() {},
  read() {},
  left() {},
  wrote() {},
  group() {},
  synced() {},
  checkpointBegan() {},
  checkpointEnded() {},
  deadlock() {},
}

/** Nobody has their turn: what is changed while the map is read would be told the next time. */
const turn = (): Promise<void> => Promise.resolve()

/** What a page makes of the answers. */
class Told {
  version = 0
  uses: Uint8Array = new Uint8Array(0)
  fills: Uint8Array = new Uint8Array(0)
  flags: Uint8Array = new Uint8Array(0)

  take({ version, blocks, changed, uses, fills, flags }: MapAnswer): void {
    this.version = version
    const grown = (from: Uint8Array): Uint8Array => {
      const to = new Uint8Array(blocks)
      to.set(from.subarray(0, blocks))
      return to
    }
    if (changed === undefined) {
      this.uses = uses.slice()
      this.fills = fills.slice()
      this.flags = flags.slice()
      return
    }
    this.uses = grown(this.uses)
    this.fills = grown(this.fills)
    this.flags = grown(this.flags)
    for (const [i, block] of changed.entries()) {
      this.uses[block] = uses[i]!
      this.fills[block] = fills[i]!
      this.flags[block] = flags[i]!
    }
  }
}

test('the changes that are told add up, with evictions, checkpoints, clearing and compaction in between', async () => {
  await seeded(random =>
    withMemoryDatabase({ cacheBytes: 262144, checkpointBytes: 262144, logSegmentBytes: 131072 }, async ({ db }) => {
      const source = BlockSource.ofEngine(db.directory, db.layers)
      const map = new LiveMap(source, turn)
      db.layers.health.observer = { ...BLIND, used: block => map.noteUse(block), left: block => map.note(block) }
      const told = new Told()
      let partly = 0
      for (let i = 0; i < 12; i++) {
        fillAtRandom(db, random, 300)
        if (random.chance(0.3)) await db.checkpoint()
        if (i === 6) db.sub('users').clear()
        if (i === 9) await db.compact()
        const answer = await map.since(random.chance(0.8) ? told.version : 0)
        if (answer.changed !== undefined) partly++
        told.take(answer)
        const fresh = FileMap.of(source)
        expect(told.uses).toEqual(fresh.uses)
        expect(told.fills).toEqual(fresh.fills)
        expect(told.flags).toEqual(fresh.flags)
      }
      expect(partly).toBeGreaterThan(0)
      const again = await map.since(told.version)
      expect([again.version, again.changed]).toEqual([told.version, new Uint32Array(0)])
      db.layers.health.observer = undefined
    }),
  )
})

test('a message holds the arrays as they are', () => {
  for (let length = 0; length < 40; length++) {
    const answer = {
      text: 'é'.repeat(length),
      u8: Uint8Array.from({ length }, (_, i) => i),
      u32: Uint32Array.of(length, 7),
    }
    expect([hasArrays(answer), hasArrays({ text: 'x' })]).toEqual([true, false])
    const message = pack(answer)
    const bytes = new DataView(message.buffer).getUint32(0, true)
    const { $arrays, ...plain } = JSON.parse(new TextDecoder().decode(message.subarray(4, 4 + bytes)))
    expect(plain).toEqual({ text: answer.text })
    for (const [name, type, at, count] of $arrays) {
      expect(at % 4).toBe(0)
      expect(at).toBeGreaterThanOrEqual(4 + bytes)
      const array =
        type === 'u32' ? new Uint32Array(message.buffer, at, count) : new Uint8Array(message.buffer, at, count)
      expect(array).toEqual(answer[name as 'u8' | 'u32'])
    }
  }
})
