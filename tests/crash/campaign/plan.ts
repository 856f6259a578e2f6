/** What a campaign crashes: every workload with one seed after the other, and all short sequences of operations. */
import { Random } from '../../../src/testing/random.ts'
import { type CrashOptions, crashEverywhere, type Tally } from './campaign.ts'
import { recordSequence, sequences } from './sequences.ts'
import { type Recording, Session } from './session.ts'
import { usualOptions, workloads } from './workloads.ts'

/** One recording to crash: a workload with a seed, or a range of the short sequences. */
export type Job = { workload: string; seed: number } | { from: number; to: number }

const SEQUENCES_PER_JOB = 111

/** Runs a workload; its recording follows from the seed alone. */
export const record = async (name: string, seed: number): Promise<Recording> => {
  const workload = workloads.find(candidate => candidate.name === name)
  if (workload === undefined) throw new RangeError(`there is no workload '${name}'`)
  const random = new Random(seed ^ Math.imul(workloads.indexOf(workload) + 1, 0x85ebca6b))
  const session = new Session({ ...usualOptions(random), ...workload.options?.(random) }, random, workload.session)
  await workload.run(session)
  const { recording } = session
  for (const [what, least] of Object.entries(workload.least ?? {}))
    if (recording[what as 'endedAside'] < least)
      throw new Error(
        `${what} is ${recording[what as 'endedAside']}, expected at least ${least}: the workload no longer does what it is for`,
      )
  return recording
}

export const planJobs = (seed: number, seeds: number): Job[] => {
  const jobs: Job[] = []
  for (let from = 0; from < sequences.length; from += SEQUENCES_PER_JOB)
    jobs.push({ from, to: Math.min(sequences.length, from + SEQUENCES_PER_JOB) })
  for (let i = 0; i < seeds; i++) for (const { name } of workloads) jobs.push({ workload: name, seed: seed + i })
  return jobs
}

export const nameOf = (job: Job): string => ('workload' in job ? job.workload : `sequences of up to 3 operations`)

/** @throws Error that says what to replay. */
export const runJob = async (job: Job, tally: Tally, options: CrashOptions = {}): Promise<void> => {
  if ('workload' in job) {
    await explain(`${job.workload}/${job.seed}`, async () =>
      crashEverywhere(await record(job.workload, job.seed), job.seed, tally, options),
    )
    return
  }
  for (let number = job.from; number < job.to; number++)
    await explain(`sequence/${number}`, async () =>
      crashEverywhere(await recordSequence(sequences[number]!), number, tally, options),
    )
}

const explain = async (id: string, run: () => Promise<void>): Promise<void> => {
  try {
    await run()
  } catch (error) {
    const { index = 0, policy = 'none' } = error as { index?: number; policy?: string }
    throw new Error(`${(error as Error).message}\n  replay: npm run crash -- --replay '${id}:${index}:${policy}'`, {
      cause: error,
    })
  }
}
