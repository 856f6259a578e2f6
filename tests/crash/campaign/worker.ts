/** A worker of the campaign: runs the jobs it is sent, one at a time, and answers with what it counted. */
import { parentPort } from 'node:worker_threads'
import { Tally } from './campaign.ts'
import { type Job, runJob } from './plan.ts'

parentPort!.on('message', async ({ job, stride }: { job: Job; stride: number }) => {
  const tally = new Tally()
  const started = performance.now()
  let failure: string | undefined
  try {
    await runJob(job, tally, { stride })
  } catch (error) {
    failure = (error as Error).message
  }
  tally.seconds = (performance.now() - started) / 1000
  parentPort!.postMessage({ job, tally: { ...tally }, failure })
})
