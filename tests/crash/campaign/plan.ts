/** What a campaign crashes: every workload with one seed after the other, and all short sequences of operations. */
import { Random } from '../../../src/storage/random.ts'
import { type Recording, Session } from './session.ts'
import { usualOptions, workloads } from './workloads.ts'

/** Runs a workload; its recording follows from the seed alone. */
export const record = async (name: string, seed: number): Promise<Recording> => {
  const workload = workloads.find(candidate => candidate.name === name)
  if (workload === undefined) throw new RangeError(`there is no workload '${name}'`)
  const random = new Random(seed ^ Math.imul(workloads.indexOf(workload) + 1, 0x85ebca6b))
  const session = new Session({ ...usualOptions(random), ...workload.options?.(random) }, random)
  await workload.run(session)
  return session.recording
}
