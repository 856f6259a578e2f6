/** Whether the simulator would notice: each rule of the node is switched off in turn, and a schedule must show it. */
import { expect, test } from 'vitest'
import { mutants } from './simulator/mutants.ts'
import { Schedule } from './simulator/schedule.ts'

/** Schedules in which a missing rule has to show. */
const SCHEDULES = 600

test.each(mutants)(
  '$rule',
  async ({ faults, breaks }) => {
    const restore = breaks()
    try {
      for (let seed = 1; seed <= SCHEDULES; seed++)
        try {
          await new Schedule(seed, { faults }).run()
        } catch (error) {
          console.log(`${seed} schedules: ${(error as Error).message}`)
          return
        }
      expect.unreachable('no schedule has shown that the rule is missing')
    } finally {
      restore()
    }
  },
  600_000,
)
