/** `xenondb serve` beside redis-server, and valkey-server where there is one, all of them durable. */
import { loadavg } from 'node:os'
import type { Chart } from '../support/chart/chart.ts'
import { count, short } from '../support/format.ts'
import { type Options, outputDirectory, positiveInteger } from '../support/options.ts'
import { writeResults } from '../support/results.ts'
import { median } from '../support/statistics.ts'
import { printTable } from '../support/table.ts'
import { makeTemporaryDirectory, removeTemporaryDirectory } from '../support/temp.ts'
import { type LoadResult, runLoad } from './load.ts'
import { CLIENTS, ROWS, type Row, VALUE_BYTES } from './rows.ts'
import { type Server, type ServerName, startServer, versionOf } from './servers.ts'

interface Sample extends LoadResult {
  row: string
  server: ServerName
  repeat: number
}

interface Figure {
  row: Row
  /** Of the servers that can do it. */
  medians: Partial<Record<ServerName, LoadResult>>
  /** Of xenondb to redis-server. */
  ratio: number | undefined
}

export async function run(options: Options): Promise<number> {
  const keys = positiveInteger('keys', options.keys, options.quick ? 10_000 : 1_000_000)
  const repeats = positiveInteger('repeats', options.repeats, options.quick ? 1 : 3)
  const seconds = positiveInteger('seconds', options.seconds, options.quick ? 1 : 5)
  const version = versionOf('redis-server')
  if (version === undefined) {
    console.log('SKIPPED: there is no redis-server here (apt-get install redis-server redis-tools)')
    return 0
  }
  const valkey = versionOf('valkey-server')
  if (valkey === undefined) console.log('valkey-server: skipped, there is none here (apt-get install valkey-server)')
  const names: ServerName[] = ['redis-server', ...(valkey === undefined ? [] : ['valkey-server' as const]), 'xenondb']
  const load = loadavg()[0]!
  const { samples, commands } = await measure(names, keys, repeats, seconds)
  const figures = ROWS.map(row => figureOf(row, names, samples))
  report(figures, names, keys, version, load)
  writeResults(outputDirectory(options), {
    benchmark: 'redis',
    options: { keys, repeats, seconds, clients: CLIENTS, valueBytes: VALUE_BYTES },
    data: { redis: version, valkey, load, commands, figures, samples },
    charts: [chart(figures, names, keys, version)],
  })
  return 0
}

async function measure(
  names: readonly ServerName[],
  keys: number,
  repeats: number,
  seconds: number,
): Promise<{ samples: Sample[]; commands: string[] }> {
  const directories = names.map(() => makeTemporaryDirectory())
  const servers: Server[] = []
  const samples: Sample[] = []
  const sampleAll = async (rows: readonly Row[], repeat: number): Promise<void> => {
    for (const row of rows) {
      // Another one goes first in each repeat.
      for (const server of repeat % 2 === 0 ? servers : servers.toReversed()) {
        const result = await row.run({ port: server.port, keys, seconds })
        if (result !== undefined) samples.push({ row: row.label, server: server.name, repeat, ...result })
      }
    }
  }
  try {
    for (const [i, name] of names.entries()) servers.push(await startServer(name, directories[i]!))
    for (let repeat = 0; repeat < repeats; repeat++) {
      await sampleAll(
        ROWS.filter(row => row.empty),
        repeat,
      )
    }
    for (const server of servers) await fill(server, keys)
    for (let repeat = 0; repeat < repeats; repeat++) {
      await sampleAll(
        ROWS.filter(row => !row.empty),
        repeat,
      )
    }
    return { samples, commands: servers.map(({ command }) => command) }
  } finally {
    for (const server of servers) await server.stop()
    for (const directory of directories) removeTemporaryDirectory(directory)
  }
}

/** As many random SETs as there are keys: some two thirds of them exist then, with all servers. */
async function fill(server: Server, keys: number): Promise<void> {
  const { perSecond } = await runLoad(server.port, {
    command: 'set',
    pipeline: 64,
    keys,
    requests: keys,
    clients: CLIENTS,
    valueBytes: VALUE_BYTES,
  })
  console.log(`${server.name}: ${count(keys)} SETs to fill it, ${short(perSecond)} per second`)
}

function figureOf(row: Row, names: readonly ServerName[], samples: readonly Sample[]): Figure {
  const medians: Figure['medians'] = {}
  for (const name of names) {
    const mine = samples.filter(sample => sample.row === row.label && sample.server === name)
    const medianOf = (figure: keyof LoadResult): number => median(mine.map(sample => sample[figure]))
    if (mine.length > 0)
      medians[name] = { perSecond: medianOf('perSecond'), p50: medianOf('p50'), p99: medianOf('p99') }
  }
  const { xenondb, 'redis-server': redis } = medians
  const ratio = xenondb === undefined || redis === undefined ? undefined : xenondb[row.figure] / redis[row.figure]
  return { row, medians, ratio }
}

/** Of requests per second, more is better; of a wait, less. */
function reaches({ figure }: Row, ratio: number, goal: number): boolean {
  return figure === 'perSecond' ? ratio >= goal : ratio <= goal
}

function report(
  figures: readonly Figure[],
  names: readonly ServerName[],
  keys: number,
  version: string,
  load: number,
): void {
  console.log(
    `\n-c ${CLIENTS}, ${VALUE_BYTES}-byte values, ${count(keys)} random keys; redis-server ${version}; medians; load average ${load.toFixed(2)} before.\nRequests per second, p50 and p99 in ms; of fairness the p99 is compared`,
  )
  const told = (result: LoadResult | undefined): string =>
    result === undefined ? '-' : `${short(result.perSecond)} (${result.p50.toFixed(2)}, ${result.p99.toFixed(2)})`
  printTable(
    ['', ...names, 'ratio', 'aim', 'bound', ''],
    figures.map(({ row, medians, ratio }) => {
      const sign = row.figure === 'perSecond' ? '≥' : '≤'
      return [
        row.label,
        ...names.map(name => told(medians[name])),
        ratio?.toFixed(2) ?? '-',
        `${sign} ${row.aim}`,
        `${sign} ${row.bound}`,
        ratio === undefined
          ? 'SKIPPED'
          : reaches(row, ratio, row.aim)
            ? 'PASS +'
            : reaches(row, ratio, row.bound)
              ? 'PASS'
              : 'SHORT',
      ]
    }),
  )
}

function chart(figures: readonly Figure[], names: readonly ServerName[], keys: number, version: string): Chart {
  const shown = figures.filter(({ row, ratio }) => row.figure === 'perSecond' && ratio !== undefined)
  return {
    kind: 'bars',
    title: 'xenondb serve beside redis-server, every write durable',
    note: `-c ${CLIENTS}, ${VALUE_BYTES}-byte values, ${count(keys)} random keys; redis-server ${version} with appendfsync always. Higher is better`,
    xLabel: '',
    yLabel: 'requests per second',
    logY: true,
    categories: shown.map(({ row }) => row.label),
    series: names.map(name => ({ name, values: shown.map(({ medians }) => medians[name]?.perSecond ?? Number.NaN) })),
  }
}
