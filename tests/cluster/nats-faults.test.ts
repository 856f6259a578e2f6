/** The shared log while nats-servers are killed, stand still, or lose what they stored. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectNats } from '../../src/cluster/load.ts'
import type { ClusterServices } from '../../src/cluster/services.ts'
import type { SharedLog } from '../../src/cluster/shared-log.ts'
import { pause } from '../support/child.ts'
import { natsOfFile } from './nats-of-file.ts'
import { NO_NATS, natsOptions, natsProgram } from './nats-servers.ts'
import { appendDefinitely, bytesOf, collect } from './shared-logs.ts'

describe.skipIf(natsProgram === undefined)(`a log on three nats-servers (else ${NO_NATS})`, () => {
  const file = natsOfFile()
  let nats: ClusterServices
  let logs: SharedLog[]

  beforeAll(async () => {
    nats = await connectNats(natsOptions(file.servers))
    const settings = { replicas: 3, maxBytes: -1 } as const
    logs = [await nats.createLog(place(0), settings), await nats.createLog(place(1), settings)]
  })
  afterAll(() => nats?.close())

  const place = (generation: number) => ({ cluster: 'test', shard: 0, generation })

  /** A writer and a reader on connections of their own, while `during` does what it does. */
  async function underway(
    log: SharedLog,
    generation: number,
    during: (progress: () => Promise<void>) => Promise<void>,
  ) {
    const other = await connectNats(natsOptions(file.servers))
    const reader = collect(await other.openLog(place(generation)), 1)
    const acknowledged: string[] = []
    let isOver = false
    const writing = (async () => {
      for (let i = 0; !isOver; i++) {
        expect(await appendDefinitely(log, bytesOf(`${i}`), i)).toBe('ours')
        acknowledged.push(`${i}`)
      }
    })()
    await during(async () => {
      const goal = acknowledged.length + 20
      while (acknowledged.length < goal) await Promise.race([pause(20), writing])
    })
    isOver = true
    await writing
    await reader.until(acknowledged.length)
    expect(reader.texts).toEqual(acknowledged)
    expect(await log.bounds()).toEqual({ first: 1, last: acknowledged.length })
    reader.close()
    await other.close()
  }

  test('loses nothing and repeats nothing while its leader is killed, and while it stands still', async () => {
    const { servers } = file
    const log = logs[0]!
    await underway(log, 0, async progress => {
      await progress()
      const killed = (await servers.leaderOf(log.name))!
      await servers.kill(killed)
      await progress()
      await servers.restart(killed)
      await pause(1_000)
      await progress()
      const stopped = (await servers.leaderOf(log.name))!
      servers.stop(stopped)
      await progress()
      servers.resume(stopped)
      await pause(500)
      await progress()
    })
  })

  test('loses nothing when a follower comes back without its store, and when all servers are killed', async () => {
    const { servers } = file
    const log = logs[1]!
    await underway(log, 1, async progress => {
      await progress()
      const follower = ((await servers.leaderOf(log.name))! + 1) % 3
      await servers.kill(follower)
      servers.deleteStore(follower)
      await progress()
      await servers.restart(follower)
      await progress()
      while (!(await log.info()).replicas.every(({ current }) => current)) await pause(100)
      await Promise.all([0, 1, 2].map(server => servers.kill(server)))
      for (const server of [0, 1, 2]) await servers.restart(server)
      await progress()
    })
  })
})
