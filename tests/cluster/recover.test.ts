/** `xenondb cluster recover`: NATS has lost everything, and the cluster goes on with what a node has. */
import { renameSync } from 'node:fs'
import { expect, test } from 'vitest'
import { open } from '../../src/index.ts'
import { WireConnection } from '../redis/wire.ts'
import { expectVerified } from '../support/database.ts'
import { withDirectory } from '../support/directory.ts'
import { NO_NATS, natsProgram } from './nats-servers.ts'
import { type ClusterProcess, startCluster } from './nodes.ts'

if (natsProgram === undefined) console.log(NO_NATS)

const LARGE = 'x'.repeat(600_000)
const KEYS = Array.from({ length: 300 }, (_, i) => `key ${i}`)

test.skipIf(natsProgram === undefined)('what a node has goes into a new log, with its times, and is said', () =>
  withDirectory(async directory => {
    const cluster = await startCluster(`${directory}/cluster`)
    const nodes = cluster.nodes as [ClusterProcess, ClusterProcess]
    const refused = (...words: string[]): Promise<string> =>
      cluster.cli('recover', ...words).then(
        () => 'done',
        ({ stderr }: { stderr: string }) => stderr,
      )
    const ask = async (...commands: string[][]): Promise<(string | undefined)[]> => {
      const connection = await WireConnection.open((await cluster.leaderOf(0)).port)
      try {
        return (await connection.send(commands)).map(({ text }) => text)
      } finally {
        connection.close()
      }
    }
    try {
      await ask(...KEYS.map(key => ['SET', key, `value of ${key}`]), ['SET', 'large', LARGE, 'PX', '100000000'])
      await ask(['DEL', KEYS[0]!])
      await cluster.settled(0)
      expect(await refused(nodes[0].directory)).toMatch(/node \d at .* runs; stop all nodes of shard 0 first/)
      for (const node of nodes) await cluster.end(node, 'SIGTERM')
      await cluster.nats.kill(0)
      cluster.nats.deleteStore(0)
      await cluster.nats.restart(0)
      await cluster.nats.ready()
      expect(await refused(nodes[0].directory)).toContain('there is no cluster test')
      await cluster.cli('create', '--log-bytes', '67108864')
      expect(await refused()).toContain('that of the node with the most, stopped')
      expect(await refused(`${directory}/none`)).toContain('XENON_NOT_FOUND')
      expect(await refused(nodes[0].directory, '--shard', '1')).toContain('has no shard 1')

      const told = await cluster.cli('recover', nodes[0].directory, '--log-bytes', '67108864')
      expect(told).toMatch(
        /^shard 0: generation 2 with 300 records as of message \d+, 20.*Z; the log before ends at message 0/,
      )
      // Of a log that is no longer that of the shard.
      expect(await refused(nodes[1].directory)).toContain('has followed another log')
      for (const node of nodes) {
        renameSync(node.directory, `${node.directory}.old`)
        await cluster.start(node)
      }
      const values = await ask(...KEYS.map(key => ['GET', key]), ['GET', 'large'], ['PTTL', 'large'], ['DBSIZE'])
      expect(values.slice(1, -3)).toEqual(KEYS.slice(1).map(key => `value of ${key}`))
      expect(values.at(-3)).toBe(LARGE)
      expect(Number(values.at(-2))).toBeGreaterThan(90_000_000)
      expect(values.at(-1)).toBe('300')
      expect(await ask(['SET', 'new', '1'], ['GET', 'new'])).toEqual(['OK', '1'])
      await cluster.settled(0)
      for (const node of nodes) await cluster.end(node, 'SIGTERM')
      const contents: unknown[] = []
      for (const node of nodes) {
        const db = open(node.directory, { storedEncoding: 'ignore', createIfMissing: false })
        await expectVerified(db)
        contents.push([...db.entries()])
        db.close()
      }
      expect(contents[1]).toEqual(contents[0])
    } finally {
      await cluster.close()
    }
  }),
)
