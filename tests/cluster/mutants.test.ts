/** Whether the simulator would notice: each rule of the node is switched off in turn, and a schedule must show it. */
import { test } from 'vitest'
import { mutants } from './simulator/mutants.ts'
import { Schedule } from './simulator/schedule.ts'
import { expectShown } from './simulator/shown.ts'

/** Schedules in which a missing rule has to show. */
const SCHEDULES = 600

test.each(mutants)(
  '$rule',
  ({ faults, breaks }) => expectShown(breaks, SCHEDULES, seed => new Schedule(seed, { faults }).run()),
  600_000,
)
