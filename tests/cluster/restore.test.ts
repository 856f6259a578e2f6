/** `xenondb cluster restore`: what a cluster held at a point, by a snapshot and by its log alone. */
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { expect, test } from 'vitest'
import { slotOf } from '../../src/cluster/slots.ts'
import { open } from '../../src/index.ts'
import { WireConnection } from '../redis/wire.ts'
import { pause } from '../support/child.ts'
import { expectVerified } from '../support/database.ts'
import { withDirectory } from '../support/directory.ts'
import { NO_NATS, natsProgram } from './nats-servers.ts'
import { startCluster } from './nodes.ts'

if (natsProgram === undefined) console.log(NO_NATS)

const FAR = 10 ** 9
const KEYS = Array.from({ length: 60 }, (_, i) => `key ${i}`)

/** Of shard 0, which has the first half of the slots. */
const isOfFirst = (key: string): boolean => slotOf(Buffer.from(key)) < 8192

/** All records of a database, with their times to live to the minute. */
async function contentOf(directory: string): Promise<Map<string, string>> {
  const db = open(directory, { createIfMissing: false, storedEncoding: 'ignore' })
  try {
    await expectVerified(db)
    const minutes = (key: string): string => {
      const left = db.ttl(key)!
      return left === Number.POSITIVE_INFINITY ? '' : ` for ${Math.ceil(left / 60_000)} min`
    }
    return new Map([...db.entries()].map(([key, value]) => [key, `${value}${minutes(key)}`]))
  } finally {
    db.close()
  }
}

test.skipIf(natsProgram === undefined)('each point gives what was there, and the cluster goes on', () =>
  withDirectory(async directory => {
    const cluster = await startCluster(`${directory}/cluster`, { shards: 2, nodesPerShard: 1 })
    const connections: WireConnection[] = []
    try {
      for (const shard of [0, 1]) connections.push(await WireConnection.open((await cluster.leaderOf(shard)).port))
      const send = async (key: string, ...words: string[]): Promise<void> => {
        const [reply] = await connections[isOfFirst(key) ? 0 : 1]!.send([words])
        expect(reply!.kind, `${words[0]} ${key}: ${reply!.text}`).not.toBe('-')
      }
      const states: { at: string; content: Map<string, string> }[] = []
      const content = new Map<string, string>()
      const note = async (): Promise<void> => {
        await pause(20)
        states.push({ at: new Date().toISOString(), content: new Map(content) })
        await pause(20)
      }
      await note()
      for (const key of KEYS) {
        await send(key, 'SET', key, 'first')
        content.set(key, 'first')
      }
      await send('lives', 'SET', 'lives', 'x'.repeat(300_000), 'PX', `${FAR}`)
      content.set('lives', `${'x'.repeat(300_000)} for ${Math.ceil(FAR / 60_000)} min`)
      await note()
      await cluster.cli('snapshot', '--shard', '0')
      for (const key of KEYS.slice(0, 40)) {
        await send(key, 'DEL', key)
        content.delete(key)
      }
      for (const key of KEYS.slice(50)) {
        await send(key, 'APPEND', key, ' and second')
        content.set(key, 'first and second')
      }
      await note()
      for (const connection of connections) await connection.send([['FLUSHALL']])
      content.clear()
      await note()

      const refused = (...words: string[]): Promise<string> =>
        cluster.cli('restore', ...words).then(
          () => 'done',
          ({ stderr }: { stderr: string }) => stderr,
        )
      for (const [i, { at, content: expected }] of states.entries()) {
        const target = `${directory}/state ${i}`
        if (i < 2) {
          // The snapshot has taken the place of what was before it in the log of shard 0.
          expect(await refused(target, '--to', at)).toMatch(
            /oldest verified snapshot is of message \d+, .*: no earlier/,
          )
          expect(existsSync(target)).toBe(false)
          await cluster.cli('restore', target, '--to', at, '--shard', '1')
          const ofShard = [...expected].filter(([key]) => !isOfFirst(key))
          expect(await contentOf(target)).toEqual(new Map(ofShard))
          continue
        }
        const told = await cluster.cli('restore', target, '--to', at)
        expect(await contentOf(target), told).toEqual(expected)
        expect(told).toMatch(/^shard 0: \d+ records? as of .*\nshard 1: \d+ records? as of .*\n$/)
      }
      // By message: the last one of the snapshot's shard, and one that was never written.
      await cluster.cli('restore', `${directory}/all`, '--shard', '0', '--to', '99999999')
      expect((await contentOf(`${directory}/all`)).size).toBe(0)
      await cluster.cli('restore', `${directory}/none`, '--shard', '1', '--to', '0')
      expect((await contentOf(`${directory}/none`)).size).toBe(0)
      expect(await refused(`${directory}/all`)).toContain('is there already')
      // A name with a slash at its end, and a directory that is there and empty.
      mkdirSync(`${directory}/empty`)
      await cluster.cli('restore', `${directory}/empty/`, '--to', states[2]!.at)
      expect(await contentOf(`${directory}/empty`)).toEqual(states[2]!.content)
      mkdirSync(`${directory}/new.restoring/0`, { recursive: true })
      expect(await refused(`${directory}/new`)).toContain('a restore that was cut off')
      rmSync(`${directory}/new.restoring`, { recursive: true })
      expect(await refused(`${directory}/new`, '--to', '7')).toContain('say which one with --shard')
      expect(await refused(`${directory}/new`, '--to', 'yesterday')).toContain('--to is a time')
      expect(await refused(`${directory}/new`, '--shard', '5')).toContain('has no shard 5')
      expect(await refused()).toContain('cluster restore <name> <directory>')
      expect(existsSync(`${directory}/new`)).toBe(false)
      expect(readdirSync(directory).filter(name => name.endsWith('.restoring'))).toEqual([])
      await send(KEYS[0]!, 'SET', KEYS[0]!, 'again')
    } finally {
      for (const connection of connections) connection.close()
      await cluster.close()
    }
  }),
)
