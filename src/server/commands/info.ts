/** INFO. */

import { textAt } from '../protocol/request.ts'
import { PACKAGE_VERSION } from '../version.ts'
import { type Family, family } from './command.ts'
import type { Host } from './host.ts'

/** The Redis whose commands these are: clients choose what they send by it. */
export const VERSION = '7.0.15'

type Section = (server: Host) => Record<string, string | number>

const sections: Readonly<Record<string, Section>> = {
  server: ({ address, settings, started }) => ({
    redis_version: VERSION,
    redis_mode: 'standalone',
    xenondb_version: PACKAGE_VERSION,
    node_version: process.version,
    os: `${process.platform} ${process.arch}`,
    arch_bits: 64,
    process_id: process.pid,
    tcp_port: address !== undefined && 'port' in address ? address.port : 0,
    unix_socket: settings.socket ?? '',
    uptime_in_seconds: Math.floor((Date.now() - started) / 1000),
    uptime_in_days: Math.floor((Date.now() - started) / 86_400_000),
  }),
  clients: ({ sessions, settings, lockWaits }) => ({
    connected_clients: sessions.size,
    maxclients: settings.maxClients,
    blocked_clients: lockWaits.count,
  }),
  memory: ({ db }) => {
    const { rss, heapUsed } = process.memoryUsage()
    return { used_memory: heapUsed, used_memory_rss: rss, maxmemory: 0, pool_bytes: db.stats().cache.bytes }
  },
  persistence: ({ db, lastSave, failure, diskFull, reopened }) => {
    const { dataBytes, logBytesInUse, checkpoints, fsyncs, disk } = db.stats()
    return {
      loading: 0,
      rdb_bgsave_in_progress: 0,
      rdb_last_save_time: lastSave,
      rdb_last_bgsave_status: 'ok',
      aof_enabled: 1,
      aof_last_write_status: failure === undefined && !diskFull ? 'ok' : 'err',
      disk_full: diskFull ? 1 : 0,
      disk_free_bytes: disk.free ?? -1,
      disk_reserve_bytes: disk.reserve,
      disk_refused_writes: disk.refused,
      database_reopened: reopened,
      durability: db.durability,
      data_bytes: dataBytes,
      log_bytes_in_use: logBytesInUse,
      checkpoints,
      fsyncs,
    }
  },
  stats: server => {
    const { cache, transactions } = server.db.stats()
    return {
      total_connections_received: server.connectionsReceived,
      total_commands_processed: server.commandsProcessed,
      rejected_connections: server.connectionsRefused,
      total_net_output_bytes: server.bytesSent,
      keyspace_hits: cache.hits,
      keyspace_misses: cache.misses,
      commits: transactions.commits,
      lock_waits: transactions.lockWaits,
      deadlocks: transactions.deadlocks,
    }
  },
  replication: () => ({ role: 'master', connected_slaves: 0 }),
  cpu: () => {
    const { user, system } = process.cpuUsage()
    return { used_cpu_sys: (system / 1e6).toFixed(6), used_cpu_user: (user / 1e6).toFixed(6) }
  },
  cluster: () => ({ cluster_enabled: 0 }),
  keyspace: ({ keys, db }) => {
    const records = keys.records.count()
    return records === 0 || db.closed ? {} : { db0: `keys=${records},expires=0,avg_ttl=0` }
  },
}

const ALL = new Set(['all', 'default', 'everything'])

/** The sections asked for, or all of them. */
const infoText = (server: Host, asked: readonly string[]): string => {
  const everything = asked.length === 0 || asked.some(name => ALL.has(name))
  return Object.entries(sections)
    .filter(([name]) => everything || asked.includes(name))
    .map(([name, section]) => {
      const title = name === 'cpu' ? 'CPU' : `${name[0]!.toUpperCase()}${name.slice(1)}`
      const lines = Object.entries(section(server)).map(([field, value]) => `${field}:${value}\r\n`)
      return `# ${title}\r\n${lines.join('')}`
    })
    .join('\r\n')
}

export const info: Family = family(
  { group: 'server', afterBegin: 'apart' },
  {
    info: {
      arity: -1,
      flags: 'loading stale',
      categories: '@slow @dangerous',
      since: '1.0.0',
      complexity: 'O(1)',
      summary: 'Get information and statistics about the server',
      run({ out, server }, request) {
        const asked: string[] = []
        for (let i = 1; i < request.count; i++) asked.push(textAt(request, i).toLowerCase())
        out.verbatim(infoText(server, asked))
      },
    },
  },
)
