/**
 * A child writes and is killed by SIGKILL at a random moment, again and again on the same database.
 * What recovery finds must be the state after one of its commits, none that had returned missing.
 */
import { expect, test } from 'vitest'
import { type Durability, type OpenOptions, open } from '../../src/index.ts'
import { pause, startChild } from '../support/child.ts'
import { closeQuietly, expectVerified } from '../support/database.ts'
import { withDirectory } from '../support/directory.ts'
import { History } from '../support/history.ts'
import { readImage, storageOf } from '../support/image.ts'
import { rounds } from '../support/long.ts'
import { expectEqual, type Records, scan } from '../support/model.ts'
import { type Random, runs, seeded } from '../support/random.ts'
import { commitOf, groupKeys, MAX_IN_FLIGHT } from './workload.mjs'

const KILLS: Record<Durability, number> = { power: rounds(8, 25), process: rounds(8, 25), none: rounds(3, 8) }
/** On a busy machine a child gets little done before it is killed: more of them, at most, until enough was done. */
const MOST_TIMES = 4

for (const durability of ['power', 'process', 'none'] as const) {
  const kills = KILLS[durability] * runs
  const promise =
    durability === 'none'
      ? 'no transaction is half there'
      : 'every commit that had returned is there and no transaction is half there'
  test(
    `after ${kills} kills with durability ${durability}, ${promise}`,
    () =>
      seeded(random =>
        withDirectory(async parent => {
          const campaign = new Campaign(`${parent}/db`, durability, random)
          // A kill right after a checkpoint leaves nothing to recover.
          const hasDoneEnough = (): boolean => campaign.recoveries > kills / 2 && campaign.generation > kills * 5
          for (let round = 0; round < kills || (!hasDoneEnough() && round < MOST_TIMES * kills); round++) {
            try {
              await campaign.killOnce()
            } catch (error) {
              if (error instanceof Error) error.message = `kill ${round + 1}: ${error.message}`
              throw error
            }
          }
          expect(campaign.recoveries).toBeGreaterThan(kills / 2)
          expect(campaign.generation).toBeGreaterThan(kills * 5)
        }),
      ),
    60_000 + 1500 * MOST_TIMES * kills,
  )
}

class Campaign {
  readonly #directory: string
  readonly #random: Random
  readonly #options: OpenOptions
  #records: Records<string> = new Map()
  /** The next commit of the child. */
  generation = 0
  /** How often the database had to be recovered. */
  recoveries = 0

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
      if (db.stats().recovery.needed) this.recoveries++
      const found = scan(db)
      this.#expectWholeGroups(found)
      this.generation += this.#expectSurvivors(found, acknowledged)
      expectEqual(db, found)
      await expectVerified(db, found.size)
      this.#records = found
      if (copied) return
      db.put('after recovery', `${this.generation}`)
      found.set('after recovery', `${this.generation}`)
    } finally {
      closeQuietly(db)
    }
  }

  /** The number of the last commit that had returned, or -1. */
  async #runAndKill(): Promise<number> {
    const child = startChild('crash/writer.mjs', [
      this.#directory,
      JSON.stringify(this.#options),
      `${this.#random.seed}`,
      `${this.generation}`,
    ])
    try {
      await child.firstLine
      await pause(this.#random.between(5, 400))
    } finally {
      child.kill()
    }
    const { lines, signal, errors } = await child.ended
    expect(signal, errors).toBe('SIGKILL')
    return Math.max(-1, ...lines.map(Number))
  }

  #expectWholeGroups(found: ReadonlyMap<string, string>): void {
    const generations = new Set(groupKeys.map(key => found.get(key)))
    expect([...generations], 'a transaction is half there').toHaveLength(1)
    expect(found.get('never')).toBeUndefined()
  }

  /** How many commits of the last child are there. */
  #expectSurvivors(found: ReadonlyMap<string, string>, acknowledged: number): number {
    const history = new History(this.#records)
    const last = acknowledged + 2 * MAX_IN_FLIGHT
    for (let generation = this.generation; generation <= last; generation++) {
      history.commit(commitOf(this.#random.seed, generation).changes)
    }
    if (this.#options.durability !== 'none') history.certain(acknowledged - this.generation + 1)
    return history.expectRecovered(found)
  }
}
