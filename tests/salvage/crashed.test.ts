/** Salvage of databases that were not closed, with damage in their blocks, their log, or both. */
import { describe, expect, test, vi } from 'vitest'
import { KeyHash } from '../../src/hash/key-hash.ts'
import {
  type Database,
  memoryStorage,
  type OpenOptions,
  open,
  type SalvageReport,
  type Storage,
} from '../../src/index.ts'
import { Metadata } from '../../src/pager/metadata.ts'
import { withMemoryDatabase } from '../support/database.ts'
import { thrownBy } from '../support/errors.ts'
import { History } from '../support/history.ts'
import { copyImage, type Image, readImage, segments, storageOf } from '../support/image.ts'
import { expectEqual, firstDifference, type Records, show } from '../support/model.ts'
import { type Random, runs, runTimeout, seeded } from '../support/random.ts'
import { blocksOf, smash } from './damage.ts'
import { expectComplete, salvaged } from './salvaging.ts'

vi.setConfig({ testTimeout: runTimeout })

const SECTOR = 512
const small: OpenOptions = {
  durability: 'process',
  cacheBytes: 65536,
  checkpointBytes: 262_144,
  logSegmentBytes: 131_072,
}

/** A database under way: what is committed, and every value that any key ever had. */
class Run {
  readonly records: Records<string> = new Map()
  readonly ever: Map<string, Set<string>> = new Map()
  readonly #db: Database
  readonly #random: Random

  constructor(db: Database, random: Random) {
    this.#db = db
    this.#random = random
  }

  #key(): string {
    return `key ${this.#random.below(1500)}`
  }

  #value(key: string): string {
    const random = this.#random
    const length = random.chance(0.03) ? random.below(20_000) : random.below(300)
    const value = `${random.below(1000)} `.repeat(1 + length / 4)
    const known = this.ever.get(key) ?? new Set()
    this.ever.set(key, known.add(value))
    return value
  }

  commits(count: number): void {
    for (let i = 0; i < count; i++) {
      const key = this.#key()
      if (this.#random.chance(0.7)) {
        const value = this.#value(key)
        this.#db.put(key, value)
        this.records.set(key, value)
      } else {
        this.#db.delete(key)
        this.records.delete(key)
      }
    }
  }

  /** Opens a transaction with changes of its own, and returns how to roll it back. */
  open(): () => void {
    const tx = this.#db.begin()
    for (let i = this.#random.below(80); i > 0; i--) {
      const key = this.#key()
      if (this.#random.chance(0.6)) tx.put(key, this.#value(key))
      else tx.delete(key)
    }
    return () => tx.rollback()
  }
}

/** Every record that is missing is hidden by damage that the report names. */
function expectAccounted(image: Image, report: SalvageReport, found: Records<string>, records: Records<string>): void {
  const { identity } = Metadata.decode(image.get('data')!.slice(0, 4096), 'data', memoryStorage())
  const hash = new KeyHash(identity.hashKey)
  if (report.gaps.count > 100 || report.lostKeys.count > 100) return
  const lost = new Set(report.lostKeys.first.map(({ key }) => key))
  for (const key of records.keys()) {
    if (found.has(key) || lost.has(key)) continue
    const bytes = new TextEncoder().encode(key)
    hash.of(bytes, 0, bytes.length)
    const { root, position } = hash
    const hidden = report.gaps.first.some(
      ({ indexBlock, from, to }) => indexBlock === root && from <= position && position <= to,
    )
    if (!hidden) expect.fail(`${show(key)} is missing, and nothing in the report says why`)
  }
}

test('damaged blocks cost at most what they hold; those that the log can rebuild cost nothing', () =>
  seeded(random =>
    withMemoryDatabase(small, async ({ db, image }) => {
      const run = new Run(db, random)
      let rebuilt = 0
      let lost = 0
      for (let round = 0; round < 30 * runs; round++) {
        run.commits(random.below(400))
        const end = random.chance(0.6) ? run.open() : () => {}
        if (random.chance(0.3)) await db.checkpoint()
        await db.flush()
        const damaged = image()
        const whole = copyImage(damaged)
        const share = random.pick([0.01, 0.05, 0.3])
        for (let block = 1; block < blocksOf(damaged); block++) if (random.chance(share)) smash(damaged, block, random)
        const { report, records } = await salvaged(damaged)
        expectSubset(records, run.records)
        expectAccounted(whole, report, records, run.records)
        expect(report.log.state).toBe('sound')
        expect(report.expectedRecords).toBe(run.records.size)
        expect(report.newerBlocks.count).toBe(0)
        if (report.gaps.count + report.lostKeys.count === 0) {
          expect(firstDifference(records, run.records)).toBeUndefined()
          expect(report.complete).toBe(true)
        } else expect(report.complete).toBe(false)
        rebuilt += report.blocks.rebuilt
        lost += run.records.size - records.size
        end()
      }
      expect(rebuilt).toBeGreaterThan(0)
      expect(lost).toBeGreaterThan(0)
    }),
  ))

describe('damage in the log', () => {
  test('at any sector leaves the commits before it, and is reported', () =>
    seeded(random =>
      withMemoryDatabase({ logSegmentBytes: 131_072 }, async ({ db, image }) => {
        const history = new History<string>()
        const states: Records<string>[] = [new Map()]
        for (let i = 0; i < 150; i++) {
          const key = `key ${random.below(60)}`
          const records = new Map(states.at(-1))
          const value = random.chance(0.75) ? `${i} `.repeat(random.below(random.chance(0.1) ? 3000 : 60)) : undefined
          if (value === undefined && !records.has(key)) continue
          if (value === undefined) {
            db.delete(key)
            records.delete(key)
          } else {
            db.put(key, value)
            records.set(key, value)
          }
          history.commit([[key, value]])
          states.push(records)
        }
        const whole = image()
        const records = states.at(-1)!
        let reported = 0
        for (const name of segments(whole)) {
          const bytes = whole.get(name)!
          for (let at = 0; at < bytes.length; at += SECTOR) {
            if (bytes.subarray(at, at + SECTOR).every(byte => byte === 0)) continue
            const damaged = copyImage(whole)
            if (random.chance(0.5)) damaged.get(name)!.fill(0, at, at + SECTOR)
            else damaged.get(name)!.set(random.bytes(SECTOR), at)
            const { report, records: found } = await salvaged(damaged)
            const commit = states.findLastIndex(state => firstDifference(found, state) === undefined)
            expect(commit, `${name}, sector ${at / SECTOR}: no state of the history`).toBeGreaterThanOrEqual(0)
            if (commit === states.length - 1) {
              expect(firstDifference(found, records)).toBeUndefined()
            } else if (report.log.state === 'damaged' || report.log.state === 'missing') {
              reported++
              expect(report.complete).toBe(false)
              expect(report.warnings.join()).toContain(`LSN ${report.log.end}`)
            }
            // The last commit alone looks like one that was never finished.
            else expect(commit, `${name}, sector ${at / SECTOR}`).toBe(states.length - 2)
          }
        }
        expect(reported).toBeGreaterThan(50)
      }),
    ))

  test('under blocks that are newer gives values that there were, and says which blocks are in doubt', () =>
    seeded(random =>
      withMemoryDatabase(small, async ({ db, image }) => {
        const run = new Run(db, random)
        let newer = 0
        for (let round = 0; round < 25 * runs; round++) {
          run.commits(random.below(500))
          const end = random.chance(0.5) ? run.open() : () => {}
          if (random.chance(0.2)) await db.checkpoint()
          await db.flush()
          const damaged = image()
          const name = random.pick(segments(damaged))
          const bytes = damaged.get(name)!
          const roll = random.below(4)
          const at = SECTOR * random.below(bytes.length / SECTOR)
          if (roll === 0) damaged.delete(name)
          else if (roll === 1) damaged.set(name, bytes.slice(0, at))
          else bytes.fill(random.below(256), at, at + SECTOR)
          if (random.chance(0.3)) {
            const share = random.pick([0.01, 0.1])
            for (let block = 1; block < blocksOf(damaged); block++)
              if (random.chance(share)) smash(damaged, block, random)
          }
          const hurt = copyImage(damaged)
          const { report, records } = await salvaged(damaged)
          for (const [key, value] of records)
            if (!run.ever.get(key)?.has(value)) expect.fail(`${show(key)} was never ${show(value)}`)
          newer += report.newerBlocks.count
          if (report.complete) expectAsRecovered(hurt, records, run.records)
          end()
        }
        expect(newer).toBeGreaterThan(0)
      }),
    ))

  test('that takes all of it away leaves what the last checkpoint wrote', () =>
    seeded(random =>
      withMemoryDatabase({ logSegmentBytes: 131_072 }, async ({ db, image }) => {
        const run = new Run(db, random)
        run.commits(1000)
        await db.checkpoint()
        const records = new Map(run.records)
        const closedLog = image()
        for (const name of segments(closedLog)) closedLog.delete(name)
        const without = await salvaged(closedLog)
        expect(firstDifference(without.records, records)).toBeUndefined()
        run.commits(100)
        const damaged = image()
        for (const name of segments(damaged)) damaged.delete(name)
        const { report, records: found } = await salvaged(damaged)
        expect(firstDifference(found, records)).toBeUndefined()
        expect(report).toMatchObject({ complete: false, log: { state: 'missing' } })
      }),
    ))
})

test('anything damaged anywhere gives nothing but what there was', () =>
  seeded(random =>
    withMemoryDatabase(small, async ({ db, image }) => {
      const run = new Run(db, random)
      for (let round = 0; round < 40 * runs; round++) {
        run.commits(random.below(200))
        const end = random.chance(0.5) ? run.open() : () => {}
        if (random.chance(0.3)) await db.checkpoint()
        await db.flush()
        const damaged = image()
        const head = damaged.get('data')!.slice(0, 4 * SECTOR)
        for (let hit = random.between(1, 6); hit > 0; hit--) {
          const bytes = damaged.get(random.pick([...damaged.keys()]))!
          const at = SECTOR * random.below(bytes.length / SECTOR)
          if (random.chance(0.5)) bytes.fill(random.below(256), at, at + SECTOR)
          else bytes[at + random.below(SECTOR)]! ^= 1 << random.below(8)
          if (random.chance(0.3)) damaged.get('data')!.fill(0, SECTOR, (2 + random.below(2)) * SECTOR)
          if (random.chance(0.3)) damaged.get('data')!.fill(0, 0, SECTOR)
        }
        const hurt = copyImage(damaged)
        // Salvage can do without block 0, and opening cannot.
        hurt.get('data')!.set(head)
        const { report, records } = await salvaged(damaged)
        for (const [key, value] of records)
          if (!run.ever.get(key)?.has(value)) expect.fail(`${show(key)} was never ${show(value)}`)
        if (report.complete) expectAsRecovered(hurt, records, run.records)
        end()
      }
    }),
  ))

test('a database that recovery was killed in gives what recovery gives', () =>
  seeded(random =>
    withMemoryDatabase(small, async ({ db, image }) => {
      const run = new Run(db, random)
      for (let round = 0; round < 5 * runs; round++) {
        run.commits(random.below(500))
        const end = run.open()
        await db.flush()
        const killed = killedRecovery(image(), random.below(60))
        const { report, records } = await salvaged(killed)
        expect(firstDifference(records, run.records)).toBeUndefined()
        expectComplete(report)
        end()
      }
    }),
  ))

/** What a recovery leaves that is killed after some writes. */
function killedRecovery(image: Image, writes: number): Image {
  const storage = storageOf(image)
  let left = writes
  const crashing: Storage = {
    ...storage,
    open(path, options) {
      const file = storage.open(path, options)
      const write = file.write.bind(file)
      file.write = (...given) => {
        if (left-- <= 0) throw new Error('killed')
        write(...given)
      }
      return file
    },
    remove(path) {
      if (left <= 0) throw new Error('killed')
      storage.remove(path)
    },
  }
  thrownBy(() => open('db', { ...small, storage: crashing }))
  return readImage('db', storage)
}

function expectSubset(found: Records<string>, records: Records<string>): void {
  for (const [key, value] of found)
    if (records.get(key) !== value) expect.fail(`${show(key)} is ${show(value)}, but was ${show(records.get(key))}`)
}

/** Damage to the very end of the log looks like a torn tail, and then recovery takes it for one as well. */
function expectAsRecovered(image: Image, found: Records<string>, records: Records<string>): void {
  if (firstDifference(found, records) === undefined) return
  const db = open('db', { ...small, storage: storageOf(image) })
  expectEqual(db, found)
  db.close()
}
