/**
 * `npm run test:cluster-faults`: clusters under load while everything goes wrong, round after round. Exit status 1 if anything
 * was lost, stale or different.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cac } from 'cac'
import Table from 'cli-table3'
import { freshSeed, Random } from '../../support/random.ts'
import { NO_NATS, natsProgram } from '../nats-servers.ts'
import { logBytesFor, runCampaign } from './campaign.ts'
import { FAULTS, SMALL_LOG_FAULTS, TINY_DISK_FAULTS } from './faults.ts'
import { MOVE_FAULTS } from './move-faults.ts'
import { runMoveCampaign } from './moves.ts'
import { whyNoTinyDisk } from './tiny-disk.ts'

interface Options {
  rounds: number
  only?: string
  seed?: number
}

const cli = cac('npm run test:cluster-faults --')
cli
  .command('', 'Let each fault happen to clusters under load')
  .option('--rounds <n>', 'How often each', { default: 10 })
  .option('--only <text>', 'Faults whose name has this in it')
  .option('--seed <n>', 'Of the clients and the order of faults')
  .action(async (options: Options) => {
    process.exitCode = await campaign(options)
  })
cli.help()
cli.parse()

async function campaign({ rounds, only = '', seed = freshSeed() }: Options): Promise<number> {
  if (natsProgram === undefined) {
    console.error(NO_NATS)
    return 2
  }
  const why = whyNoTinyDisk()
  if (why !== undefined) console.log(`without the faults of full disks: ${why}`)
  const chosen = (faults: object): string[] => Object.keys(faults).filter(name => name.includes(only))
  // A small log fills up again: each of its faults has a cluster of its own.
  const clusters = [
    { faults: chosen(FAULTS), settings: {} },
    ...chosen(SMALL_LOG_FAULTS).map(name => ({ faults: [name], settings: { maxBytes: logBytesFor(name) } })),
    { faults: why === undefined ? chosen(TINY_DISK_FAULTS) : [], settings: { tinyDisks: true } },
    { faults: chosen(MOVE_FAULTS), settings: undefined },
  ].filter(({ faults }) => faults.length > 0)
  const names = clusters.flatMap(({ faults }) => faults)
  if (names.length === 0) {
    const all = { ...FAULTS, ...SMALL_LOG_FAULTS, ...TINY_DISK_FAULTS, ...MOVE_FAULTS }
    console.error(`no fault is called so; there are: ${Object.keys(all).join(', ')}`)
    return 2
  }
  console.log(`seed ${seed}`)
  const random = new Random(seed)
  const gaps = new Map<string, number[]>(names.map(name => [name, []]))
  let [acknowledged, unknown, operations, failed] = [0, 0, 0, 0]
  for (let round = 1; round <= rounds; round++) {
    const directory = mkdtempSync(join(tmpdir(), 'xenon-cluster-'))
    try {
      for (const [i, { faults, settings }] of clusters.entries()) {
        const [place, order] = [join(directory, `${i}`), random.shuffle(faults)]
        const result = await (settings === undefined
          ? runMoveCampaign(place, order, random)
          : runCampaign(place, order, random, settings))
        for (const { fault, gap } of result.rounds) gaps.get(fault)!.push(gap)
        acknowledged += result.acknowledged
        unknown += result.unknown
        operations += result.operations
        for (const problem of result.problems) console.error(`round ${round}: ${problem}`)
        if (result.problems.length > 0) failed++
        console.log(`round ${round}: ${result.acknowledged} writes acknowledged, ${result.problems.length} problems`)
      }
    } catch (error) {
      failed++
      console.error(`round ${round}: ${(error as Error).stack}`)
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  }
  const table = new Table({
    head: ['fault', 'times', 'longest time without a write: median', 'most'],
    style: { head: [] },
  })
  for (const [name, all] of gaps) {
    const sorted = all.sort((a, b) => a - b)
    const seconds = (at: number): string => (sorted.length === 0 ? '' : `${(sorted[at]! / 1000).toFixed(1)} s`)
    table.push([name, all.length, seconds(sorted.length >> 1), seconds(sorted.length - 1)])
  }
  console.log(table.toString())
  console.log(
    `${operations} operations, ${acknowledged} writes acknowledged, ${unknown} of unknown outcome; ${failed} of ${rounds} rounds failed`,
  )
  return failed === 0 ? 0 : 1
}
