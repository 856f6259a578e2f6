/**
 * A cluster of three nodes over three nats-servers beside a single `xenondb serve` whose answered writes survive power
 * loss, in turn, under redis-benchmark; and by how much a follower is behind meanwhile.
 */
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { NO_NATS, natsProgram } from '../tests/cluster/nats-servers.ts'
import { startCluster } from '../tests/cluster/nodes.ts'
import { WireConnection } from '../tests/redis/wire.ts'
import { type LoadResult, runLoad } from './redis/load.ts'
import { startServer, versionOf } from './redis/servers.ts'
import type { Chart } from './support/chart/chart.ts'
import { short } from './support/format.ts'
import { type Options, outputDirectory, positiveInteger } from './support/options.ts'
import { writeResults } from './support/results.ts'
import { median, percentile } from './support/statistics.ts'
import { printTable } from './support/table.ts'
import { makeTemporaryDirectory, removeTemporaryDirectory } from './support/temp.ts'

/** Clients side by side, and the share of the single server's writes that is wanted. */
const ROWS = [
  { clients: 64, wanted: 0.4 },
  { clients: 256, wanted: 0.7 },
] as const
const VALUE_BYTES = 100
const KEYS = 100_000
const WANTED_LAG_MS = 100

interface Sample {
  readonly clients: number
  readonly single: LoadResult
  readonly cluster: LoadResult
}

export async function run(options: Options): Promise<number> {
  const seconds = positiveInteger('seconds', options.seconds, options.quick ? 1 : 5)
  const repeats = positiveInteger('repeats', options.repeats, options.quick ? 1 : 3)
  if (natsProgram === undefined) {
    console.log(`SKIPPED: ${NO_NATS}`)
    return 0
  }
  if (versionOf('redis-server') === undefined) {
    console.log('SKIPPED: there is no redis-benchmark here (apt-get install redis-server redis-tools)')
    return 0
  }
  const load = loadavg()[0]!
  const directory = makeTemporaryDirectory()
  try {
    const { samples, lags } = await measure(directory, repeats, seconds)
    report(samples, lags, load)
    writeResults(outputDirectory(options), {
      benchmark: 'cluster',
      options: { seconds, repeats, valueBytes: VALUE_BYTES, keys: KEYS, nodes: 3, natsServers: 3 },
      data: { load, samples, lagsMs: lags },
      charts: [chart(samples)],
    })
  } finally {
    removeTemporaryDirectory(directory)
  }
  return 0
}

async function measure(
  directory: string,
  repeats: number,
  seconds: number,
): Promise<{ samples: Sample[]; lags: number[] }> {
  const cluster = await startCluster(join(directory, 'cluster'), { nodesPerShard: 3, servers: 3 })
  const single = await startServer('xenondb', join(directory, 'single')).catch(async error => {
    await cluster.close()
    throw error
  })
  try {
    const leader = await cluster.leaderOf(0)
    const follower = cluster.nodes.find(node => node !== leader)!
    const samples: Sample[] = []
    const lags: number[] = []
    for (let repeat = 0; repeat < repeats; repeat++)
      for (const { clients } of ROWS) {
        const ports = repeat % 2 === 0 ? [single.port, leader.port] : [leader.port, single.port]
        const results = new Map<number, LoadResult>()
        for (const port of ports) {
          const probes = port === leader.port ? startProbes(leader.port, follower.port) : undefined
          results.set(port, await timed(port, clients, seconds))
          lags.push(...((await probes?.()) ?? []))
        }
        samples.push({ clients, single: results.get(single.port)!, cluster: results.get(leader.port)! })
      }
    return { samples, lags: lags.sort((a, b) => a - b) }
  } finally {
    await cluster.close()
    await single.stop()
  }
}

/** A short run shows how many requests fill the time; it warms up too. */
async function timed(port: number, clients: number, seconds: number): Promise<LoadResult> {
  const load = { command: 'set' as const, pipeline: 1, keys: KEYS, clients, valueBytes: VALUE_BYTES }
  const warm = await runLoad(port, { ...load, requests: 20 * clients })
  return runLoad(port, { ...load, requests: Math.max(20 * clients, Math.ceil(warm.perSecond * seconds)) })
}

/** Writes to the leader and asks the follower until it has it, again and again; ends with the times in milliseconds. */
function startProbes(leader: number, follower: number): () => Promise<number[]> {
  let isOver = false
  const lags: number[] = []
  const work = (async () => {
    const [writer, reader] = [await WireConnection.open(leader), await WireConnection.open(follower)]
    await reader.send([['READONLY']])
    for (let i = 0; !isOver; i++) {
      await writer.send([['SET', 'probe', `${i}`]])
      const acknowledged = performance.now()
      for (;;) {
        const [reply] = await reader.send([['GET', 'probe']])
        if (reply?.text === `${i}`) break
      }
      lags.push(performance.now() - acknowledged)
      await new Promise(resolve => setTimeout(resolve, 10))
    }
    writer.close()
    reader.close()
  })()
  return async () => {
    isOver = true
    await work
    return lags
  }
}

const ratioOf = (samples: readonly Sample[], clients: number): number =>
  median(
    samples
      .filter(sample => sample.clients === clients)
      .map(({ cluster, single }) => cluster.perSecond / single.perSecond),
  )

const of = (samples: readonly Sample[], clients: number, who: 'single' | 'cluster', figure: keyof LoadResult): number =>
  median(samples.filter(sample => sample.clients === clients).map(sample => sample[who][figure]))

function report(samples: readonly Sample[], lags: readonly number[], load: number): void {
  console.log(`load average at the start: ${load.toFixed(1)}`)
  printTable(
    ['durable SET', 'single', 'cluster', 'share', 'wanted', ''],
    ROWS.map(({ clients, wanted }) => {
      const ratio = ratioOf(samples, clients)
      return [
        `${clients} clients`,
        ...(['single', 'cluster'] as const).map(
          who =>
            `${short(of(samples, clients, who, 'perSecond'))}/s, p50 ${of(samples, clients, who, 'p50').toFixed(1)} ms`,
        ),
        ratio.toFixed(2),
        `≥ ${wanted}`,
        pass(ratio >= wanted),
      ]
    }),
  )
  const p99 = percentile(lags, 0.99)
  console.log(
    `a follower has an acknowledged write after ${percentile(lags, 0.5).toFixed(1)} ms (p50), ${p99.toFixed(1)} ms (p99, wanted ≤ ${WANTED_LAG_MS}): ${pass(p99 <= WANTED_LAG_MS)}`,
  )
}

const pass = (holds: boolean): string => (holds ? 'PASS' : 'SHORT')

function chart(samples: readonly Sample[]): Chart {
  return {
    kind: 'bars',
    title: 'Three nodes over three nats-servers, and a single server',
    note: `durable SET of ${VALUE_BYTES}-byte values. Higher is better`,
    xLabel: 'clients',
    yLabel: 'SET per second',
    logY: false,
    categories: ROWS.map(({ clients }) => `${clients}`),
    series: (['single', 'cluster'] as const).map(name => ({
      name,
      values: ROWS.map(({ clients }) => of(samples, clients, name, 'perSecond')),
    })),
  }
}
