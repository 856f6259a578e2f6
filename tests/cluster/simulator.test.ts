/**
 * Thousands of schedules of a whole cluster in simulated time (`simulator/`), each from a seed of its own:
 * `XENON_RUNS=20` has twenty times as many, `XENON_SEED=1234` replays one and prints what happened in it.
 *
 * Every one checks X1 to X12 as far as they can be seen from outside: states at each commit against the log (X2, X3, X8),
 * one message at most that is undetermined (X1, X4), the chain of the log (X7), no acknowledged write lost and no stale
 * read (X5, X6), nobody who writes past a node that has more than the log (X12), nothing that revives (X10), no purge
 * above a snapshot (X9), and that a healed cluster has one leader, equal replicas, and takes writes.
 */
import { expect, test } from 'vitest'
import { rounds } from '../support/long.ts'
import { runs } from '../support/random.ts'
import { DatabaseStore } from './simulator/database-store.ts'
import { type Outcome, Schedule } from './simulator/schedule.ts'

const SCHEDULES = rounds(250, 1000)
const WITH_DATABASES = 20
const seed: string | undefined = process.env.XENON_SEED

test.skipIf(seed !== undefined)(
  `${SCHEDULES * runs} schedules go well`,
  async () => {
    const total: Outcome = { events: 0, operations: 0, acknowledged: 0, epochs: 0, superseded: 0, unknown: 0 }
    for (let seed = 1; seed <= SCHEDULES * runs; seed++) {
      const outcome = await new Schedule(seed).run()
      for (const figure of Object.keys(total) as (keyof Outcome)[]) total[figure] += outcome[figure]
    }
    console.log(JSON.stringify(total))
    // Enough has happened for the checks to mean something.
    expect(total.acknowledged).toBeGreaterThan(SCHEDULES * 50)
    expect(total.epochs).toBeGreaterThan(SCHEDULES * 2)
    expect(total.superseded).toBeGreaterThan(SCHEDULES / 30)
    expect(total.unknown).toBeGreaterThan(SCHEDULES / 30)
  },
  600_000 * runs,
)

test.skipIf(seed !== undefined)(
  `${WITH_DATABASES * runs} schedules with real databases go well`,
  async () => {
    const restores: number[] = []
    for (let seed = 1; seed <= WITH_DATABASES * runs; seed++) {
      // The disks of these keep what was written, and the check compares what is there without its times of expiry.
      const faults = { powerCuts: false, expiry: false, snapshots: seed % 2 === 0 }
      const schedule = new Schedule(seed, { faults, makeStore: () => new DatabaseStore() })
      schedule.onState = to => to === 'restore' && restores.push(seed)
      await schedule.run()
    }
    expect(restores.length).toBeGreaterThan(0)
  },
  600_000 * runs,
)

test.runIf(seed !== undefined)(`schedule ${seed}`, async () => {
  const schedule = new Schedule(Number(seed), { trace: true })
  try {
    console.log(JSON.stringify(await schedule.run()))
  } finally {
    console.log(`${JSON.stringify(schedule.faults)}\n${schedule.trace!.join('\n')}`)
  }
})
