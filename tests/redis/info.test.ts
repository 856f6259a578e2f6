/** What INFO tells has the names that Redis gives it, and where both can be asked the same, the same figures. */
import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { pause } from '../support/child.ts'
import { withDirectory } from '../support/directory.ts'
import { hasRedis, startRedis, startXenon } from './servers.ts'

/** The fields of INFO by their names; those of the database (`db0`) as they are. */
const infoOf = async (redis: Redis, ...sections: string[]): Promise<Record<string, string>> =>
  Object.fromEntries(
    (await redis.info(...sections))
      .split('\r\n')
      .filter(line => line.includes(':'))
      .map(line => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
  )

const PREPARE = ['SET a 10', 'SET b 2 PX 100000', 'SET c 3 EX 1000']
/** `n` is not there. */
const COMMANDS = [
  'GET a', 'GET n', 'MGET a n b n', 'EXISTS a a n', 'TOUCH a n', 'TTL a', 'PTTL n', 'EXPIRETIME n', 'PEXPIRETIME b',
  'TYPE a', 'TYPE n', 'STRLEN a', 'STRLEN n', 'GETRANGE a 0 1', 'GETRANGE n 0 1', 'COPY n m', 'COPY a a2', 'COPY a b',
  'GETSET a 1', 'GETSET n2 1', 'SET a 1 GET', 'SET n3 1 GET', 'SET a 1 NX GET', 'GETDEL n', 'GETDEL c', 'GETEX n',
  'GETEX a EX 100', 'GETEX a PERSIST', 'SET a 1', 'SET a 1 NX', 'SET a 1 XX', 'SETNX a 1', 'SETNX n4 1', 'INCR a',
  'APPEND a 1', 'SETRANGE a 0 1', 'INCRBYFLOAT a 1', 'DEL n', 'DEL a n', 'EXPIRE n 10', 'EXPIRE b 1000', 'PERSIST n',
  'PERSIST b', 'MSET a 1 n5 2', 'MSETNX a 1 n6 2', 'RENAME a n7', 'RANDOMKEY', 'SCAN 0', 'KEYS *', 'DBSIZE',
].map(line => line.split(' ')) // biome-ignore format: a list

test.runIf(hasRedis)('hits, misses, expires and changes are those of Redis, command by command', () =>
  withDirectory(async directory => {
    const servers = [await startRedis(directory), await startXenon(`${directory}/db`, '--log-level', 'silent')]
    const clients = servers.map(({ port }) => new Redis(port))
    try {
      const told = await Promise.all(
        clients.map(async redis => {
          const lines: string[] = []
          for (const command of COMMANDS) {
            await redis.flushall()
            for (const line of PREPARE) await redis.call(...(line.split(' ') as [string]))
            await redis.config('RESETSTAT')
            const before = await infoOf(redis)
            await redis.call(...(command as [string]))
            const after = await infoOf(redis)
            const changed = Number(after.rdb_changes_since_last_save) > Number(before.rdb_changes_since_last_save)
            const { keyspace_hits, keyspace_misses, db0 } = after
            lines.push(
              `${command.join(' ')}: ${keyspace_hits} ${keyspace_misses} ${changed} ${db0?.replace(/,avg_ttl.*/, '')}`,
            )
          }
          return lines
        }),
      )
      expect(told[1]).toEqual(told[0])
    } finally {
      for (const client of clients) client.disconnect()
      for (const server of servers) await server.stop()
    }
  }),
)

/** What monitors ask for. */
const FIELDS = [
  'redis_version', 'process_id', 'run_id', 'tcp_port', 'uptime_in_seconds', 'executable', 'connected_clients',
  'blocked_clients', 'maxclients', 'used_memory', 'used_memory_human', 'used_memory_rss', 'used_memory_rss_human',
  'used_memory_peak', 'used_memory_peak_human', 'total_system_memory', 'total_system_memory_human', 'maxmemory',
  'maxmemory_human', 'maxmemory_policy', 'mem_fragmentation_ratio', 'rdb_changes_since_last_save', 'rdb_last_save_time',
  'total_connections_received', 'total_commands_processed', 'instantaneous_ops_per_sec', 'total_net_input_bytes',
  'total_net_output_bytes', 'instantaneous_input_kbps', 'instantaneous_output_kbps', 'rejected_connections',
  'expired_keys', 'evicted_keys', 'keyspace_hits', 'keyspace_misses', 'pubsub_channels', 'pubsub_patterns', 'role',
  'used_cpu_sys', 'used_cpu_user', 'latency_percentiles_usec_info', 'latency_percentiles_usec_client|setname',
] // biome-ignore format: a list

test.runIf(hasRedis)('the fields have the names and the forms that Redis gives them', () =>
  withDirectory(async directory => {
    const servers = [await startRedis(directory), await startXenon(`${directory}/db`, '--log-level', 'silent')]
    const clients = servers.map(({ port }) => new Redis(port))
    try {
      const shape = (value: string | undefined): string | undefined =>
        value
          ?.replace(/^[0-9a-f]{40}$/, 'id')
          .replace(/[0-9]+/g, '0')
          .replace(/[BKMGT]$/, 'unit')
          .replace(/^(0\.)?0unit$/, 'human')
      // Asked once before, INFO is one of those that it tells of.
      await Promise.all(clients.map(client => client.client('SETNAME', 'x').then(() => client.info())))
      const [theirs, ours] = await Promise.all(clients.map(client => infoOf(client, 'all')))
      const free = new Set(['executable'])
      for (const name of FIELDS)
        if (!free.has(name)) expect([name, shape(ours![name])]).toEqual([name, shape(theirs![name])])
    } finally {
      for (const client of clients) client.disconnect()
      for (const server of servers) await server.stop()
    }
  }),
)

test('the figures are those of the process', () =>
  withDirectory(async directory => {
    const server = await startXenon(`${directory}/db`, '--log-level', 'silent', '--cache-bytes', `${32 << 20}`)
    const redis = new Redis(server.port)
    try {
      for (let i = 0; i < 12; i++) {
        for (let j = 0; j < 100; j++) await redis.set(`k${j}`, 'v'.repeat(1000), 'PX', 40)
        await pause(200)
      }
      const told = await infoOf(redis)
      const number = (name: string): number => Number(told[name])
      expect(number('process_id')).toBe(server.process.pid)
      expect(told.run_id).toMatch(/^[0-9a-f]{40}$/)
      // The pool of 2 MiB at least, which lies outside of the heap, and the heap of Node.
      expect(number('used_memory')).toBeGreaterThan(8 << 20)
      expect(number('used_memory_peak')).toBeGreaterThanOrEqual(number('used_memory'))
      expect(number('used_memory_rss')).toBeGreaterThan(number('used_memory'))
      expect(number('total_net_input_bytes')).toBeGreaterThan(1_200_000)
      expect(number('total_net_output_bytes')).toBeGreaterThan(1200 * 5)
      // On a busy machine as well.
      expect(number('instantaneous_ops_per_sec')).toBeGreaterThan(2)
      expect(number('instantaneous_ops_per_sec')).toBeLessThan(1200)
      expect(number('instantaneous_input_kbps')).toBeGreaterThan(2)
      expect(number('expired_keys')).toBeGreaterThan(0)
      expect(number('rdb_changes_since_last_save')).toBe(1200)
      await redis.save()
      expect((await infoOf(redis)).rdb_changes_since_last_save).toBe('0')
      await redis.config('RESETSTAT')
      const after = await infoOf(redis)
      expect(Number(after.total_net_input_bytes)).toBeLessThan(100)
      expect(after.keyspace_misses).toBe('0')
      const blocked = new Redis(server.port)
      const holder = new Redis(server.port)
      await holder.call('BEGIN')
      await holder.set('locked', '1')
      const waiting = blocked.set('locked', '2')
      await expect
        .poll(() => infoOf(redis), { timeout: 60_000 })
        .toMatchObject({ blocked_clients: '1', connected_clients: '3' })
      await holder.call('COMMIT')
      await waiting
      expect(await infoOf(redis)).toMatchObject({ blocked_clients: '0' })
      blocked.disconnect()
      holder.disconnect()
    } finally {
      redis.disconnect()
      await server.stop()
    }
  }))
