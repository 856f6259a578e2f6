/**
 * Seeds of random tests, and the printing of a seed when a test fails. They are the same in every run, so that a change
 * is told what it has broken and nothing else; `XENON_FRESH_SEEDS=1` tries what was never tried before.
 */
import { Random } from '../../src/testing/random.ts'

export { Random }

/** How much longer than usual the random tests run: `XENON_RUNS=10 npx vitest run tests/model`. */
export const runs: number = Math.max(1, Number(process.env.XENON_RUNS ?? 1))

/** Milliseconds that a random test may take. */
export const runTimeout: number = 120_000 * runs

export const hasFreshSeeds: boolean = process.env.XENON_FRESH_SEEDS === '1'

let seeds = 0

/** The seed to start from: `XENON_SEED` when it is set, else another one for each call. */
export function firstSeed(): number {
  const given = process.env.XENON_SEED
  if (given !== undefined) return Number(given)
  return hasFreshSeeds ? freshSeed() : ++seeds * 7919
}

/** The next seeds are those of a file that begins. */
export function restartSeeds(): void {
  seeds = 0
}

export function freshSeed(): number {
  return Math.floor(Math.random() * 2 ** 31)
}

/** Runs `body` with a random generator; a failure names the seed that replays it. */
export async function seeded(body: (random: Random) => unknown, seed: number = firstSeed()): Promise<void> {
  try {
    await body(new Random(seed))
  } catch (error) {
    if (error instanceof Error) error.message = `[replay with XENON_SEED=${seed}] ${error.message}`
    throw error
  }
}
