/**
 * Several writers at once over one database, in a child that is killed by SIGKILL at a random moment, again and again:
 * commits of `db.async` in flight, transactions that stay open over turns of the event loop, evictions,
 * checkpoints and recycled segments. For each writer, recovery must find the state after one of its commits, none that
 * was acknowledged missing, and what belongs together must be there together.
 */
import { expect, test } from 'vitest'
import { type Durability, type OpenOptions, open } from '../../src/index.ts'
import { type Child, pause, startChild } from '../support/child.ts'
import { closeQuietly, expectVerified } from '../support/database.ts'
import { withDirectory } from '../support/directory.ts'
import { History } from '../support/history.ts'
import { readImage, storageOf } from '../support/image.ts'
import { rounds } from '../support/long.ts'
import { expectEqual, type Records, scan } from '../support/model.ts'
import { type Random, runs, seeded } from '../support/random.ts'
import {
  accounts,
  asyncWriters,
  commitOf,
  groupKeys,
  groupWriter,
  MAX_IN_FLIGHT,
  OPENING_BALANCE,
  tellers,
  writers,
} from './many-writers.mjs'

const KILLS = rounds(6, 15) * runs
/** Chance decides what a kill meets: more of them, at most, until everything was met. */
const MOST_KILLS = 5 * KILLS

for (const durability of ['power', 'process'] as const) {
  test(
    `after ${KILLS} kills amid several writers with durability ${durability}, each writer's commits are there in their order`,
    () =>
      seeded(random =>
        withDirectory(async parent => {
          const campaign = new Campaign(`${parent}/db`, durability, random)
          for (let round = 0; round < KILLS || (!campaign.hasSeenAll && round < MOST_KILLS); round++) {
            try {
              await campaign.killOnce()
            } catch (error) {
              if (error instanceof Error) error.message = `kill ${round + 1}: ${error.message}`
              throw error
            }
          }
          const { seen, next } = campaign
          expect(seen.recoveries).toBeGreaterThan(KILLS / 4)
          expect(seen.rolledBack, 'transactions that were open at a kill').toBeGreaterThan(0)
          expect(seen.evictions).toBeGreaterThan(KILLS)
          expect(seen.checkpoints).toBeGreaterThan(0)
          expect(seen.recycled, 'segments recycled').toBeGreaterThan(0)
          expect(seen.conflicts, 'locks met').toBeGreaterThan(0)
          for (const writer of writers) expect(next.get(writer), writer).toBeGreaterThan(KILLS / 3)
        }),
      ),
    60_000 + 3000 * MOST_KILLS,
  )
}

class Campaign {
  readonly #directory: string
  readonly #random: Random
  readonly #options: OpenOptions
  #records: Records<string> = new Map()
  /** The next commit of each writer. */
  readonly next: Map<string, number> = new Map(writers.map(writer => [writer, 0]))
  /** What happened on the way, so that a campaign which proves nothing is noticed. */
  readonly seen = { recoveries: 0, rolledBack: 0, evictions: 0, checkpoints: 0, recycled: 0, conflicts: 0 }

  get hasSeenAll(): boolean {
    const { recoveries, evictions, ...others } = this.seen
    return (
      recoveries > KILLS / 4 &&
      evictions > KILLS &&
      Object.values(others).every(count => count > 0) &&
      writers.every(writer => this.next.get(writer)! > KILLS / 3)
    )
  }

  constructor(directory: string, durability: Durability, random: Random) {
    this.#directory = directory
    this.#random = random
    this.#options = {
      durability,
      cacheBytes: 64 * 4096,
      checkpointBytes: 256 * 1024,
      logSegmentBytes: 128 * 1024,
    }
  }

  async killOnce(): Promise<void> {
    const acknowledged = await this.#runAndKill()
    // Half of the time a copy is recovered, and the next child itself finds what the kill left behind.
    const copied = this.#random.chance(0.5)
    const db = copied
      ? open('db', { ...this.#options, storage: storageOf(readImage(this.#directory)) })
      : open(this.#directory, this.#options)
    try {
      const { recovery } = db.stats()
      if (recovery.needed) this.seen.recoveries++
      this.seen.rolledBack += recovery.transactionsRolledBack
      const found = scan(db)
      this.#expectInvariants(found)
      for (const writer of [...asyncWriters, groupWriter]) {
        this.next.set(writer, this.#survivors(found, writer, acknowledged.get(writer)))
      }
      for (const teller of tellers) this.#expectTeller(found, teller, acknowledged.get(teller))
      expectEqual(db, found)
      await expectVerified(db, found.size)
      this.#records = found
    } finally {
      closeQuietly(db)
    }
  }

  /** The last acknowledged commit of each writer that has one. */
  async #runAndKill(): Promise<Map<string, number>> {
    const child = startChild('crash/writers.mjs', [
      this.#directory,
      JSON.stringify(this.#options),
      `${this.#random.seed}`,
      JSON.stringify(Object.fromEntries(this.next)),
    ])
    try {
      // Now and then it dies while it opens the database, and recovers what the one before it left.
      if (this.#records.size > 0 && this.#random.chance(0.15)) await pause(this.#random.between(1, 120))
      else {
        await child.firstLine
        await Promise.race([said(child, this.#random.between(1, 600)), pause(2000)])
        await pause(this.#random.below(10))
      }
    } finally {
      child.kill()
    }
    const { lines, signal, errors } = await child.ended
    expect(signal, errors).toBe('SIGKILL')
    const acknowledged = new Map<string, number>()
    let stats: number[] = []
    for (const line of lines.slice(1)) {
      const [writer = '', ...numbers] = line.split(' ')
      if (writer === 'stats') stats = numbers.map(Number)
      else acknowledged.set(writer, Math.max(acknowledged.get(writer) ?? -1, Number(numbers[0])))
    }
    const [evictions = 0, checkpoints = 0, recycled = 0, conflicts = 0] = stats
    this.seen.evictions += evictions
    this.seen.checkpoints += checkpoints
    this.seen.recycled += recycled
    this.seen.conflicts += conflicts
    return acknowledged
  }

  #expectInvariants(found: Records<string>): void {
    expect(found.has('never'), 'a record that was always rolled back').toBe(false)
    expect(new Set(groupKeys.map(key => found.get(key))), 'generations of the group').toHaveProperty('size', 1)
    const sum = accounts.reduce((total, account) => total + Number(found.get(account)), 0)
    expect(sum, 'the sum of the accounts').toBe(accounts.length * OPENING_BALANCE)
  }

  /** The records of one writer are those after one of its commits; returns the number of the next. */
  #survivors(found: Records<string>, writer: string, acknowledged = -1): number {
    const first = this.next.get(writer)!
    const history = new History(only(this.#records, writer))
    const last = Math.max(acknowledged, first) + 3 * MAX_IN_FLIGHT
    for (let generation = first; generation <= last; generation++) {
      history.commit(commitOf(this.#random.seed, writer, generation).changes)
    }
    if (acknowledged >= first) history.certain(acknowledged - first + 1)
    try {
      return first + history.expectRecovered(only(found, writer))
    } catch (error) {
      if (error instanceof Error) error.message = `writer ${writer}: ${error.message}`
      throw error
    }
  }

  /** The tellers share the accounts, so each leaves its number there with every transfer. */
  #expectTeller(found: Records<string>, teller: string, acknowledged = -1): void {
    const text = found.get(`teller/${teller}`)
    const last = text === undefined ? -1 : Number(text)
    expect(last, `the last transfer of ${teller}`).toBeGreaterThanOrEqual(
      Math.max(acknowledged, this.next.get(teller)! - 1),
    )
    // At most one transfer of a teller is under way.
    if (acknowledged >= 0) expect(last).toBeLessThanOrEqual(acknowledged + 1)
    this.next.set(teller, last + 1)
  }
}

/** Resolves once the child has printed so many lines: so a slow machine tests as much as a fast one. */
function said(child: Child, lines: number): Promise<void> {
  return new Promise(resolve => {
    let count = 0
    child.process.stdout?.on('data', (text: string) => {
      count += text.split('\n').length - 1
      if (count >= lines) resolve()
    })
  })
}

/** The records of one writer. */
function only(records: Records<string>, writer: string): Records<string> {
  return new Map([...records].filter(([key]) => key.startsWith(`${writer}/`)))
}
