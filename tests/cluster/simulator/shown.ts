/** Whether schedules find a fault that was put in. */
import { expect } from 'vitest'

/** Runs the schedules 1 to `count` until one fails, as it should: `breaks` has left a rule out, until its result is called. */
export async function expectShown(
  breaks: () => () => void,
  count: number,
  run: (seed: number) => Promise<unknown>,
): Promise<void> {
  const restore = breaks()
  try {
    for (let seed = 1; seed <= count; seed++)
      try {
        await run(seed)
      } catch (error) {
        console.log(`${seed} schedules: ${(error as Error).message}`)
        return
      }
    expect.unreachable('no schedule has shown that the rule is missing')
  } finally {
    restore()
  }
}
