/**
 * Hundreds of schedules in which slots move between two shards in simulated time (`simulator/move-schedule.ts`), each from
 * a seed of its own: `XENON_RUNS=20` has twenty times as many, `XENON_SEED=1234` replays one and prints what happened.
 *
 * Every one checks X13 to X16 (X17 is that of `restore`): no acknowledged write is lost and no read stale across moves (X13, X16), each commit is
 * that of a message with all that it says (X14), and in the end each slot has one shard, with each record of it in that
 * shard alone (X15), and no move is left over.
 */
import { expect, test } from 'vitest'
import { runs } from '../support/random.ts'
import { moveMutants } from './simulator/move-mutants.ts'
import { type MoveOutcomes, MoveSchedule } from './simulator/move-schedule.ts'
import { expectShown } from './simulator/shown.ts'

const SCHEDULES = 40
/** Schedules in which a missing rule has to show. */
const MUTANT_SCHEDULES = 100
const seed: string | undefined = process.env.XENON_SEED

test.skipIf(seed !== undefined)(
  `${SCHEDULES * runs} schedules with moves go well`,
  async () => {
    const total: Partial<MoveOutcomes> = {}
    for (let seed = 1; seed <= SCHEDULES * runs; seed++)
      for (const [figure, count] of Object.entries(await new MoveSchedule(seed).run()))
        total[figure as keyof MoveOutcomes] = (total[figure as keyof MoveOutcomes] ?? 0) + count
    console.log(JSON.stringify(total))
    // Enough has happened for the checks to mean something.
    expect(total.acknowledged).toBeGreaterThan(SCHEDULES * 50)
    expect(total.committed).toBeGreaterThan(SCHEDULES * 2)
    expect(total.aborted).toBeGreaterThan(SCHEDULES / 2)
  },
  300_000 * runs,
)

test.skipIf(seed !== undefined).each(moveMutants)(
  'a schedule shows it where it is not so: $rule',
  ({ faults, breaks }) => expectShown(breaks, MUTANT_SCHEDULES, seed => new MoveSchedule(seed, { faults }).run()),
  300_000,
)

test.runIf(seed !== undefined)(`schedule ${seed}`, async () => {
  const schedule = new MoveSchedule(Number(seed), { trace: true })
  try {
    console.log(JSON.stringify(await schedule.run()))
  } finally {
    console.log(`${JSON.stringify(schedule.faults)}\n${schedule.trace!.join('\n')}`)
  }
})
