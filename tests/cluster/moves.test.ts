/**
 * Slots that move between the shards of a real cluster while clients write and read: nothing that was acknowledged is
 * lost, nothing that is read is stale (X13 to X17), whoever is killed meanwhile. The long form has those that
 * kill, cancel and add a shard, too.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Cluster } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { slotOf } from '../../src/cluster/slots.ts'
import { open } from '../../src/index.ts'
import { WireConnection } from '../redis/wire.ts'
import { expectVerified } from '../support/database.ts'
import { isLong } from '../support/long.ts'
import { freePort } from '../support/ports.ts'
import { MoveLoad } from './move-load.ts'
import { NO_NATS, natsProgram } from './nats-servers.ts'
import { type ClusterProcess, type RunningCluster, startCluster } from './nodes.ts'
import { contradictions } from './registers.ts'

if (natsProgram === undefined) console.log(NO_NATS)

/** Nodes and clients of their own processes, on a machine that others use too. */
const LIMIT_MS = 120_000
/** Slots of shard 0 in the beginning, half of them. */
const HALF = '0-4095'

describe.skipIf(natsProgram === undefined)('slots move', () => {
  let directory: string
  let cluster: RunningCluster
  let client: Cluster

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'xenon-moves-'))
    cluster = await startCluster(directory, { shards: 2 })
    client = new Cluster(
      cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port })),
      { slotsRefreshTimeout: 5000, redisOptions: { connectTimeout: 1000 } },
    )
    // Enough that a move takes several slices.
    for (let i = 0; i < 20; i++)
      await patient(() => client.mset(...Array.from({ length: 100 }, (_, j) => pair(`{many ${i}}${j}`)).flat()))
  }, LIMIT_MS)

  afterAll(async () => {
    client?.disconnect()
    await cluster?.close()
    for (const { directory: path } of cluster?.nodes ?? []) {
      const db = open(path, { createIfMissing: false, keyEncoding: 'binary', valueEncoding: 'binary' })
      await expectVerified(db)
      db.close()
    }
    rmSync(directory, { recursive: true, force: true })
  }, LIMIT_MS)

  /** Runs while clients write and read, who must not see anything that cannot be. */
  async function underLoad(work: (load: MoveLoad) => Promise<unknown>): Promise<void> {
    const load = new MoveLoad(() => client)
    try {
      await load.progress(50)
      await work(load)
      await load.progress(50)
    } finally {
      await load.end()
    }
    await load.readAll()
    expect(contradictions(load.history)).toEqual([])
    expect(load.problems).toEqual([])
  }

  const slotsOf = async (shard: number): Promise<unknown> => {
    const status = JSON.parse(await cluster.cli('status', '--json').catch(({ stdout }) => stdout))
    return status.shards[shard].slots
  }

  const expectEverything = async (): Promise<void> => {
    let count = 0
    for (const shard of new Set(cluster.nodes.map(node => node.shard)))
      count += Number(await patient(async () => asked((await cluster.leaderOf(shard)).port, 'DBSIZE')))
    expect(count).toBe(2000 + MoveLoad.KEYS)
    for (let i = 0; i < 20; i++)
      expect(
        await patient(() => client.mget(...Array.from({ length: 100 }, (_, j) => pair(`{many ${i}}${j}`)[0]!))),
      ).toEqual(Array.from({ length: 100 }, (_, j) => pair(`{many ${i}}${j}`)[1]!))
  }

  test(
    'under load',
    async () => {
      await underLoad(async () => {
        expect(await cluster.cli('move', HALF, '--to', '1')).toMatch(/^slots 0-4095 from shard 0 to shard 1: moved$/m)
        // Whoever knows the old place is sent to the new one.
        const { port } = await cluster.leaderOf(0)
        const key = MoveLoad.keys.find(key => slotOf(Buffer.from(key)) < 4096)!
        expect(await asked(port, 'GET', key)).toMatch(/^MOVED /)
      })
      expect(await slotsOf(0)).toEqual([{ from: 4096, to: 8191 }])
      expect(await slotsOf(1)).toEqual([
        { from: 0, to: 4095 },
        { from: 8192, to: 16383 },
      ])
      await expectEverything()
      for (const shard of [0, 1]) await cluster.settled(shard)
    },
    LIMIT_MS,
  )

  test.runIf(isLong)(
    'the leader of the source is killed, then that of the target',
    async () => {
      await underLoad(async load => {
        for (const [killed, to] of [
          [1, 0],
          [1, 1],
        ] as const) {
          const leader = await cluster.leaderOf(killed)
          const moved = cluster.cli('move', HALF, '--to', `${to}`)
          moved.catch(() => {})
          await begun(cluster, to)
          await cluster.end(leader, 'SIGKILL')
          expect(await moved).toMatch(/: moved$/m)
          await cluster.start(leader)
          await load.progress(20)
        }
      })
      await expectEverything()
    },
    LIMIT_MS,
  )

  test.runIf(isLong)(
    'one that is cancelled leaves all as it was, and can be made again',
    async () => {
      const before = await slotsOf(1)
      const nodes = cluster.nodes.filter(({ shard }) => shard === 1)
      // The source does not answer: the move cannot get on.
      for (const { child } of nodes) child!.kill('SIGSTOP')
      const moved = cluster.cli('move', HALF, '--to', '0').catch(error => String(error.stderr))
      try {
        await begun(cluster, 0)
        expect(await cluster.cli('move', '--cancel', '--to', '0')).toContain('nothing is on its way to shard 0')
        expect(await moved).toContain('not moved: cancelled')
      } finally {
        for (const { child } of nodes) child!.kill('SIGCONT')
      }
      await cluster.leaderOf(1)
      expect(await slotsOf(1)).toEqual(before)
      await underLoad(() => cluster.cli('move', HALF, '--to', '0'))
      await expectEverything()
    },
    LIMIT_MS,
  )

  test.runIf(isLong)(
    'a shard more gets its part',
    async () => {
      expect(await cluster.cli('add', '--log-bytes', `${64 * 1024 * 1024}`)).toMatch(/^shard 2: /)
      const node: ClusterProcess = {
        ...{ node: 5, shard: 2, port: await freePort(), directory: join(directory, 'node5'), child: undefined },
      }
      ;(cluster.nodes as ClusterProcess[]).push(node)
      await cluster.start(node)
      await cluster.leaderOf(2)
      await underLoad(() => cluster.cli('rebalance'))
      const parts = (await Promise.all([0, 1, 2].map(slotsOf))) as { from: number; to: number }[][]
      const counts = parts.map(ranges => ranges.reduce((sum, { from, to }) => sum + to - from + 1, 0))
      expect(counts.sort()).toEqual([5461, 5461, 5462])
      await expectEverything()
      expect(await cluster.cli('rebalance')).toContain('each shard has as many slots as the others')
    },
    LIMIT_MS,
  )
})

/** On a machine with much else to do a node may not reach its log for some seconds. */
async function patient<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++)
    try {
      return await work()
    } catch (error) {
      if (attempt === 5) throw error
    }
}

const pair = (key: string): [key: string, value: string] => [key, `v ${key} ${'x'.repeat(200)}`]

/** A node answers for itself. */
async function asked(port: number, ...command: string[]): Promise<string> {
  const connection = await WireConnection.open(port)
  try {
    const [reply] = await connection.send([command], 5000)
    return reply?.text ?? ''
  } finally {
    connection.close()
  }
}

/** Resolves once slots are on their way to a shard, or have come. */
async function begun(cluster: RunningCluster, shard: number): Promise<void> {
  await cluster.logged(shard, /import-begin/)
}
