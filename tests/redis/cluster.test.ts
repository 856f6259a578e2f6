/** A redis-server in cluster mode and a server that is a node of a cluster: the same answers, types and error texts. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ONE_SHARD, withShard } from '../server/cluster/fake-shard.ts'
import { firstSeed, Random } from '../support/random.ts'
import { hasRedis, NO_REDIS, type RunningServer, startRedis } from './servers.ts'
import { type Command, show, showWire, type Wire, WireConnection } from './wire.ts'

if (!hasRedis) console.log(NO_REDIS)

const words = (line: string): Command => line.split(' ')

describe.runIf(hasRedis)('cluster', () => {
  let directory: string
  let redis: RunningServer
  let replica: RunningServer

  beforeAll(async () => {
    directory = mkdtempSync(join(process.env.XENON_TMP ?? tmpdir(), 'xenon-test-'))
    const options = ['--cluster-enabled', 'yes']
    redis = await startRedis(directory, ...options)
    replica = await startRedis(directory, ...options, '--cluster-config-file', 'replica.conf')
    const [leader, follower] = [await WireConnection.open(redis.port), await WireConnection.open(replica.port)]
    await leader.send([words('CLUSTER ADDSLOTSRANGE 0 16383'), words(`CLUSTER MEET 127.0.0.1 ${replica.port}`)])
    const [id] = await leader.send([words('CLUSTER MYID')])
    const until = async (
      connection: WireConnection,
      command: string,
      isDone: (wire: Wire) => boolean,
    ): Promise<void> => {
      for (let attempt = 0; attempt < 400; attempt++) {
        const [wire] = await connection.send([words(command)])
        if (isDone(wire!)) return
        await new Promise(resolve => setTimeout(resolve, 25))
      }
      throw new Error(`never: ${command}`)
    }
    await until(follower, `CLUSTER REPLICATE ${id!.text}`, ({ kind }) => kind === '+')
    await until(leader, 'CLUSTER INFO', ({ text }) => text!.includes('cluster_state:ok'))
    await until(follower, 'CLUSTER INFO', ({ text }) => text!.includes('cluster_state:ok'))
    await until(leader, 'CLUSTER SLOTS', ({ items }) => items?.[0]?.items?.length === 4)
    await until(follower, 'ROLE', ({ items }) => items?.[3]?.text === 'connected')
    await until(leader, 'CLUSTER SHARDS', wire => showWire(wire).split('"online"').length === 3)
    for (const connection of [leader, follower]) connection.close()
  }, 30_000)

  afterAll(async () => {
    await replica?.stop()
    await redis?.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  /** What is each server's own: ids, ports, and how far a replica is. */
  const alike = (wire: Wire): string =>
    showWire(wire)
      .replace(/[0-9a-f]{40}/g, '<id>')
      .replace(/(127\.0\.0\.1"? ?:)\d+(@\d+)?/g, '$1<port>')
      .replace(/("port" :)\d+/g, '$1<port>')
      .replace(/("replication-offset" :)\d+/g, '$1<offset>')

  const compare = async (
    commands: readonly Command[],
    protocol: 2 | 3,
    from: RunningServer,
    port: number,
  ): Promise<void> => {
    const replies: string[][] = []
    for (const each of [from.port, port]) {
      const connection = await WireConnection.open(each)
      await connection.send([['HELLO', String(protocol)]])
      const wires = await connection.send(commands)
      replies.push(wires.map((wire, i) => `${show(commands[i]!)} → ${alike(wire)}`))
      connection.close()
    }
    expect(replies[1]).toEqual(replies[0])
  }

  const LINES = [
    'cluster slots', 'cluster shards', 'cluster keyslot foo', 'cluster keyslot {a}b', 'CLUSTER KEYSLOT',
    'cluster', 'cluster bogus', 'cluster countkeysinslot 5', 'cluster countkeysinslot 16384',
    'cluster countkeysinslot -1', 'cluster countkeysinslot x', 'cluster getkeysinslot 5 10',
    'cluster getkeysinslot 5 -1', 'cluster getkeysinslot 16384 1', 'cluster getkeysinslot x 1', 'cluster getkeysinslot 1',
    'cluster replicas x', 'cluster slaves x', 'cluster myid', 'readonly', 'readwrite', 'asking', 'readonly x',
    'select 0', 'select 1', 'select 99', 'select -1', 'select x', 'swapdb 0 1', 'move a 1', 'move a 0', 'move a x',
    'copy a b', 'copy {t}a {t}b', 'copy {t}a {t}b db 1', 'copy {t}a {t}b db 0', 'mget a b', 'mget {t}a {t}b', 'mset a 1 b 2',
    'mset {t}a 1 {t}b 2', 'msetnx a 1 b 2', 'del a b', 'exists a b', 'touch {t}a {t}b', 'rename a b', 'rename {t}a {t}c',
    'renamenx {t}c {t}a', 'bitop and {t}x {t}a {t}b', 'bitop and x {t}a {t}b', 'lcs a b', 'lcs {t}a {t}b',
    'object encoding {t}nothing', 'watch a b', 'watch {t}a {t}b', 'multi', 'set {t}a 2', 'get {t}a', 'exec',
    'multi', 'set a 1', 'set b 1', 'exec', 'exec', 'multi', 'mset a 1 b 2', 'set a 1', 'exec', 'multi', 'get a', 'discard',
    'multi', 'exec', 'ssubscribe a b', 'spublish a b', 'publish a b', 'dbsize', 'flushall', 'dbsize', 'scan 0',
    'keys *', 'randomkey', 'wait 0 0', 'failover to', 'role',
  ] // biome-ignore format: a list
  const SCRIPTS: readonly Command[] = [
    ['eval', 'return 1', '0'],
    ['eval', 'return 1', '2', 'a', 'b'],
    ['eval', 'return redis.call("set", KEYS[1], 7)', '1', '{t}s'],
    ['eval', 'return redis.call("get", "{t}s")', '1', '{t}x'],
    ['eval', 'return redis.pcall("mset", "a", 1, "b", 2)', '0'],
    ['eval_ro', 'return redis.call("get", KEYS[1])', '1', '{t}s'],
    ['eval_ro', 'return redis.call("set", KEYS[1], 1)', '1', '{t}s'],
  ]
  /** What differs by intent: FAILOVER works, and what follows depends on time. */
  const OURS = /^(failover|role)/

  test.each([2, 3] as const)('a leader answers the same, RESP%d', async protocol => {
    await withShard(async ({ port }) => {
      const commands = [...LINES.filter(line => !OURS.test(line)).map(words), ...SCRIPTS]
      await compare([words('flushall'), ...commands], protocol, redis, port)
    })
  })

  // But for channels of shards: there is no bus, so all of a channel meet at the leader.
  test.each([2, 3] as const)('so does a node that follows, RESP%d', async protocol => {
    await withShard(
      async ({ port, node, changed }) => {
        node.state = 'follow'
        node.leader = { node: 2, address: `127.0.0.1:${redis.port}`, epoch: 2 }
        changed()
        const lines = [
          'cluster slots', 'cluster shards', 'get foo', 'set foo 1', 'mget a b', 'mget {t}a {t}b', 'multi', 'get foo',
          'exec', 'multi', 'set foo 1', 'set foo 2', 'exec', 'watch foo', 'readonly', 'get nothing', 'mget {t}a {t}b',
          'mget a b', 'set foo 1', 'multi', 'get nothing', 'exec', 'multi', 'get nothing', 'set nothing 1', 'exec',
          'object encoding nothing', 'exists nothing', 'keys nothing', 'wait 0 0', 'readwrite', 'get foo',
          'cluster keyslot foo',
        ] // biome-ignore format: a list
        await compare(lines.map(words), protocol, replica, port)
      },
      {
        ...ONE_SHARD,
        nodes: ONE_SHARD.nodes.map(each => (each.node === 2 ? { ...each, address: `127.0.0.1:${redis.port}` } : each)),
      },
    )
  })

  test('HELLO, INFO and the lines of CLUSTER NODES say the same', async () => {
    await withShard(async ({ port }) => {
      const shownBy = async (each: number): Promise<string[]> => {
        const connection = await WireConnection.open(each)
        const [hello, info, nodes, server] = await connection.send([
          words('HELLO 3'),
          words('CLUSTER INFO'),
          words('CLUSTER NODES'),
          words('INFO server'),
        ])
        connection.close()
        const lines = nodes!
          .text!.replace(/^txt:/, '')
          .trimEnd()
          .split('\n')
          .sort((a, b) => Number(b.includes('myself')) - Number(a.includes('myself')))
        const fields = info!.text!.split('\r\n').filter(line => !/epoch|messages/.test(line))
        return [
          showWire(hello!)
            .replace(/"id" :\d+/, '')
            .replace(/"version" "[^"]*"/, ''),
          // Redis has no limit of its links here either.
          ...fields.filter(line => line !== ''),
          ...lines.map(line =>
            line
              .replace(/[0-9a-f]{40}/g, '<id>')
              .replace(/:\d+@\d+/, ':<port>')
              .replace(/ \d+ \d+ \d+ connected/, ' connected'),
          ),
          /redis_mode:\w+/.exec(server!.text!)![0],
        ]
      }
      const ours = await shownBy(port)
      // A busy machine makes Redis think for a moment that its other node has failed.
      await expect.poll(() => shownBy(redis.port), { timeout: 10_000, interval: 200 }).toEqual(ours)
    })
  })

  test('CLUSTER KEYSLOT of any key', async () => {
    await withShard(async ({ port }) => {
      const random = new Random(firstSeed())
      const keys = Array.from({ length: 500 }, () =>
        Buffer.from(
          Array.from({ length: random.between(0, 12) }, () =>
            random.chance(0.4) ? random.below(2) * 2 + 123 : random.below(256),
          ),
        ),
      )
      await compare(
        keys.map(key => ['CLUSTER', 'KEYSLOT', key]),
        2,
        redis,
        port,
      )
    })
  })
})
