/**
 * Readers beside a writer of another process, which commits what keeps some rules (writer.mjs), makes checkpoints,
 * compacts, and is killed or closed and started again. No reader ever sees a rule broken, nor anything but a typed error;
 * none writes a byte, and the writer never notices them.
 */
import { describe, expect, test } from 'vitest'
import { type Database, open, XenonError } from '../../src/index.ts'
import { pause, startChild } from '../support/child.ts'
import { closeQuietly } from '../support/database.ts'
import { withDirectory } from '../support/directory.ts'
import { rounds } from '../support/long.ts'
import { runs, seeded } from '../support/random.ts'

const LIFE_MS = 900
const LIVES = rounds(3, 5) * runs

const SETTINGS = [
  { name: 'a short log and a small pool', cacheBytes: 64 * 4096, checkpointBytes: 262_144, durability: 'process' },
  { name: 'syncs', cacheBytes: 4 << 20, checkpointBytes: 1 << 20, durability: 'power' },
] as const

/** Everything that must be true of one moment. */
function check(reader: Database): void {
  const all = new Map(reader.entries())
  let sum = 0
  for (let i = 0; i < 40; i++) sum += Number(all.get(`account ${i}`))
  expect(sum).toBe(4_000)
  expect(all.get('left') === all.get('right')).toBe(true)
  expect(reader.sub('twin').get('right') === all.get('left')).toBe(true)
  const large = all.get('large')!
  expect(large.length).toBe(Number(all.get('large length')))
  expect(new Set(large).size).toBeLessThan(2)
  const length = Number(all.get('run length'))
  const run = [...reader.values('run/')]
  expect(run.length).toBe(length)
  expect(new Set(run).size).toBeLessThan(2)
  expect(reader.count()).toBe(all.size)
  for (let i = 0; i < 40; i += 7) expect(reader.get(`account ${i}`)).toBe(all.get(`account ${i}`))
}

describe('readers beside a process that writes', () => {
  for (const { name, ...options } of SETTINGS)
    test(`${name}: ${LIVES} lives, killed or closed`, { timeout: 60_000 * runs }, () =>
      seeded(random =>
        withDirectory(async parent => {
          const directory = `${parent}/db`
          const readers: Database[] = []
          let looks = 0
          let lost = 0
          for (let life = 0; life < LIVES; life++) {
            const writer = startChild('followers/writer.mjs', [directory, JSON.stringify(options), `${random.next()}`])
            // A reader looks while it recovers, too.
            if (readers.length > 0) look(readers)
            await writer.firstLine
            while (readers.length < 3)
              readers.push(
                open(directory, { readOnly: true, cacheBytes: [64 * 4096, 1 << 20, 16 << 20][readers.length]! }),
              )
            const until = Date.now() + LIFE_MS
            while (Date.now() < until) {
              look(readers)
              await pause(random.below(12))
            }
            if (random.chance(0.6)) writer.kill()
            else writer.process.stdin!.end()
            const { lines, errors } = await writer.ended
            expect(errors).toBe('')
            if (lines.length > 1) expect(JSON.parse(lines[1]!)).toEqual({ ok: true, problems: [] })
            look(readers)
          }
          expect(looks).toBeGreaterThan(lost)
          for (const reader of readers) {
            reader.refresh()
            expect((await reader.verify()).problems).toEqual([])
            closeQuietly(reader)
          }
          const owner = open(directory)
          expect((await owner.verify()).problems).toEqual([])
          check(owner)
          owner.close()

          function look(at: readonly Database[]): void {
            for (const reader of at) {
              looks++
              try {
                if (random.chance(0.8)) reader.refresh()
                check(reader)
              } catch (error) {
                if (!XenonError.is(error, 'XENON_VIEW_LOST')) throw error
                lost++
              }
            }
          }
        }),
      ),
    )
})
