/**
 * For how long a client waits when the leader of a shard hands over, and when it is killed: three nodes over three
 * nats-servers, and a client that writes one record after the other all the time.
 */
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { connectCluster } from '../src/cluster/index.ts'
import { NO_NATS, natsProgram } from '../tests/cluster/nats-servers.ts'
import { type RunningCluster, startCluster } from '../tests/cluster/nodes.ts'
import { WireConnection } from '../tests/redis/wire.ts'
import { type Options, outputDirectory, positiveInteger } from './support/options.ts'
import { writeResults } from './support/results.ts'
import { median } from './support/statistics.ts'
import { printTable } from './support/table.ts'
import { makeTemporaryDirectory, removeTemporaryDirectory } from './support/temp.ts'

const ROWS = [
  { name: 'the leader hands over', wanted: 300, event: handOver },
  { name: 'the leader is killed', wanted: 4_000, event: kill },
] as const

export async function run(options: Options): Promise<number> {
  const rounds = positiveInteger('rounds', options.rounds, options.quick ? 3 : 20)
  if (natsProgram === undefined) {
    console.log(`SKIPPED: ${NO_NATS}`)
    return 0
  }
  const load = loadavg()[0]!
  const directory = makeTemporaryDirectory()
  const cluster = await startCluster(join(directory, 'cluster'), { nodesPerShard: 3, servers: 3 })
  try {
    const waits: number[][] = []
    for (const { event } of ROWS) waits.push(await measure(cluster, event, rounds))
    console.log(`load average at the start: ${load.toFixed(1)}; ${rounds} rounds each`)
    printTable(
      ['a client waits when', 'p50', 'longest', 'wanted', ''],
      ROWS.map(({ name, wanted }, i) => {
        const longest = Math.max(...waits[i]!)
        const verdict = longest <= wanted ? 'PASS' : 'SHORT'
        return [name, `${median(waits[i]!).toFixed(0)} ms`, `${longest.toFixed(0)} ms`, `≤ ${wanted} ms`, verdict]
      }),
    )
    writeResults(outputDirectory(options), {
      benchmark: 'handover',
      options: { rounds, nodes: 3, natsServers: 3 },
      data: { load, waitsMs: Object.fromEntries(ROWS.map(({ name }, i) => [name, waits[i]])) },
      charts: [],
    })
  } finally {
    await cluster.close()
    removeTemporaryDirectory(directory)
  }
  return 0
}

/** The longest time between two acknowledged writes of a client around each event. */
async function measure(
  cluster: RunningCluster,
  event: (cluster: RunningCluster) => Promise<() => Promise<void>>,
  rounds: number,
): Promise<number[]> {
  const client = await connectCluster({ nodes: cluster.addresses, patience: 30_000 })
  let longest = 0
  let written = 0
  let isOver = false
  const writing = (async () => {
    let last = performance.now()
    while (!isOver) {
      // One that may have been executed is not sent again by the client: whoever writes does so himself.
      const isWritten = await client.put('probe', `${written}`).then(
        () => true,
        () => false,
      )
      const now = performance.now()
      if (!isWritten) continue
      longest = Math.max(longest, now - last)
      last = now
      written++
    }
  })()
  const waits: number[] = []
  try {
    for (let round = 0; round < rounds; round++) {
      await cluster.settled(0).catch(() => {})
      longest = 0
      const end = await event(cluster)
      const before = written
      while (written < before + 10) await pause(10)
      waits.push(longest)
      await end()
    }
  } finally {
    isOver = true
    await writing
    await client.close()
  }
  return waits
}

async function handOver(cluster: RunningCluster): Promise<() => Promise<void>> {
  const leader = await cluster.leaderOf(0)
  const connection = await WireConnection.open(leader.port)
  const [reply] = await connection.send([['FAILOVER']], 10_000)
  connection.close()
  if (reply!.text !== 'OK') throw new Error(`bench: FAILOVER: ${reply!.text}`)
  return async () => void (await cluster.leaderOf(0))
}

async function kill(cluster: RunningCluster): Promise<() => Promise<void>> {
  const leader = await cluster.leaderOf(0)
  await cluster.end(leader, 'SIGKILL')
  return () => cluster.start(leader)
}

const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))
