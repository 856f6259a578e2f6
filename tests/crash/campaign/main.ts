/**
 * `npm run crash`: the crash campaign on all cores. Exit status 1 at a crash that was not survived, and when fewer
 * crash points or images were tried than --points and --images ask for.
 */
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { cac } from 'cac'
import Table from 'cli-table3'
import { type Policy, policies, Tally } from './campaign.ts'
import { type Job, nameOf, planJobs, runJob } from './plan.ts'

interface Options {
  seeds: number
  seed: number | 'random'
  nightly?: boolean
  replay?: string
  points: number
  images: number
  aside: number
  stride: number
}

const cli = cac('npm run crash --')
cli
  .command('', 'Crash recorded workloads at every change of the disk, under every policy')
  .option('--seeds <n>', 'Seeds for each workload', { default: 8 })
  .option('--seed <s>', "First seed, or 'random': by the clock", { default: 1 })
  .option('--nightly', 'Seeds that were never tried before: --seed random')
  .option('--replay <id>', 'One crash again: SEED:INDEX:POLICY for every workload, or WORKLOAD/SEED:INDEX:POLICY')
  .option('--points <n>', 'Fail below this number of crash points', { default: 0 })
  .option('--images <n>', 'Fail below this number of crash images', { default: 0 })
  .option('--stride <n>', 'Crash at every n-th of the points only', { default: 1 })
  .option('--aside <n>', 'Fail below this number of checkpoints that ended aside', { default: 0 })
  .action(async (options: Options) => {
    process.exitCode = await (options.replay === undefined ? campaign(options) : replay(String(options.replay)))
  })
cli.help()
cli.parse()

async function campaign({ seeds, points, images, aside, stride, ...options }: Options): Promise<number> {
  const started = performance.now()
  const isRandom = options.nightly === true || options.seed === 'random'
  const seed = isRandom ? Math.floor(Date.now() / 10) % 1e9 : Number(options.seed)
  if (![seed, seeds, stride].every(Number.isInteger) || seeds < 1 || stride < 1) {
    console.error("--seeds and --stride take a number from 1 on, --seed a number or 'random'")
    return 2
  }
  const rerun = `npm run crash -- --seeds ${seeds} --seed ${seed}${stride === 1 ? '' : ` --stride ${stride}`}`
  if (isRandom) console.log(`seed ${seed} by the clock; the same again: ${rerun}`)
  // Longest first would need to be known; the order of the plan is mixed enough.
  const jobs = planJobs(seed, seeds)
  const byName = new Map<string, Tally>()
  const failures: string[] = []
  const cores = Math.min(availableParallelism(), jobs.length)
  console.log(`${jobs.length} recordings, seeds ${seed} to ${seed + seeds - 1}, ${cores} threads`)
  await Promise.all(Array.from({ length: cores }, () => work(jobs, stride, byName, failures)))
  const total = new Tally()
  for (const tally of byName.values()) total.add(tally)
  print(byName, total, (performance.now() - started) / 1000)
  if (failures.length > 0) console.error(`${failures.length} failed, as told above; all of it again: ${rerun}`)
  if (total.points < points || total.images < images || total.endedAside < aside) {
    console.error(
      `FAILED: asked for at least ${points} crash points, ${images} images, ${aside} checkpoints that ended aside`,
    )
    return 1
  }
  return failures.length === 0 ? 0 : 1
}

async function work(jobs: Job[], stride: number, byName: Map<string, Tally>, failures: string[]): Promise<void> {
  const worker = new Worker(new URL('./worker.js', import.meta.url))
  try {
    for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
      const answer = await ask(worker, job, stride)
      const tally = byName.get(nameOf(job)) ?? new Tally()
      tally.add(answer.tally)
      byName.set(nameOf(job), tally)
      if (answer.failure !== undefined) {
        failures.push(answer.failure)
        console.error(`FAILED ${answer.failure}`)
      }
      if (process.stderr.isTTY) process.stderr.write(`\r${jobs.length} recordings to go `)
    }
  } finally {
    await worker.terminate()
  }
}

/** Sends a worker a job and waits for its answer. */
function ask(worker: Worker, job: Job, stride: number): Promise<{ tally: Tally; failure?: string }> {
  return new Promise((resolve, reject) => {
    worker.once('message', answer => {
      worker.off('error', reject)
      resolve(answer)
    })
    worker.once('error', reject)
    worker.postMessage({ job, stride })
  })
}

function print(byName: ReadonlyMap<string, Tally>, total: Tally, seconds: number): void {
  const table = new Table({
    head: ['workload', 's', 'ended aside', 'crash points', 'images', 'in a recovery', 'again', ...policies],
    style: { head: [] },
    colAligns: ['left', ...Array.from({ length: 6 + policies.length }, () => 'right' as const)],
  })
  const row = (name: string, tally: Tally): string[] => [
    name,
    tally.seconds.toFixed(0),
    `${tally.endedAside} of ${tally.checkpoints}`,
    ...[
      ...[tally.points, tally.images, tally.nested, tally.again],
      ...policies.map(policy => tally.byPolicy[policy] ?? 0),
    ].map(number => number.toLocaleString('en-US')),
  ]
  for (const [name, tally] of byName) table.push(row(name, tally))
  table.push(row('all', total))
  console.log(table.toString())
  console.log(
    `${total.images.toLocaleString('en-US')} crash images from ${total.points.toLocaleString('en-US')} crash points in ${seconds.toFixed(0)} s`,
  )
}

/** `SEED:INDEX:POLICY`, with the workload before the seed if only one is meant. */
async function replay(id: string): Promise<number> {
  const [name = '', index, policy] = id.split(':')
  const slash = name.lastIndexOf('/')
  const seed = Number(name.slice(slash + 1))
  const workload = slash < 0 ? undefined : name.slice(0, slash)
  if (!Number.isInteger(seed) || !Number.isInteger(Number(index)) || !policies.includes(policy as Policy)) {
    console.error(`--replay takes SEED:INDEX:POLICY; policies are ${policies.join(', ')}`)
    return 2
  }
  const jobs: Job[] =
    workload === 'sequence'
      ? [{ from: seed, to: seed + 1 }]
      : planJobs(seed, 1).filter(job => 'workload' in job && (workload ?? job.workload) === job.workload)
  let status = 0
  for (const job of jobs) {
    const tally = new Tally()
    try {
      await runJob(job, tally, { index: Number(index), policy: policy as Policy })
      console.log(`${nameOf(job)}: ${tally.images} images survived`)
    } catch (error) {
      status = 1
      console.error(`${nameOf(job)}: ${(error as Error).stack}`)
      console.error((error as { cause?: { cause?: Error } }).cause?.cause?.stack)
    }
  }
  return status
}
