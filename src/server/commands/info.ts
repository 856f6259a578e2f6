/** INFO. */

import { totalmem } from 'node:os'
import { told } from '../../storage/system.ts'
import { textAt } from '../protocol/request.ts'
import { percentileOf } from '../service/activity.ts'
import type { Cluster } from '../service/cluster.ts'
import { memoryInUse } from '../service/counts.ts'
import { PACKAGE_VERSION } from '../version.ts'
import { type Family, family } from './command.ts'
import type { Host } from './host.ts'

/** The Redis whose commands these are: clients choose what they send by it. */
export const VERSION = '7.0.15'

type Section = (server: Host) => Record<string, string | number>

const UNITS = ['B', 'K', 'M', 'G', 'T', 'P']

/** A number of bytes as Redis writes it for people. */
const human = (bytes: number): string => {
  const power = bytes < 1024 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(bytes) / 10))
  return `${power === 0 ? bytes : (bytes / 1024 ** power).toFixed(2)}${UNITS[power]}`
}

/** A figure in bytes, and behind it for people. */
const inBytes = (name: string, bytes: number): Record<string, string | number> => ({
  [name]: bytes,
  [`${name}_human`]: human(bytes),
})

const replicationOf = (cluster: Cluster): Record<string, string | number> => {
  const { own, status } = cluster
  if (cluster.isLeader) return { role: 'master', connected_slaves: Math.max(0, own.nodes.length - 1) }
  const { host = '?', port = 0 } = own.leader ?? {}
  const { lag, behindMs, isConnected, sequence } = status
  return {
    role: 'slave',
    master_host: host,
    master_port: port,
    master_link_status: isConnected && own.leader !== undefined ? 'up' : 'down',
    master_last_io_seconds_ago: Math.floor(behindMs / 1000),
    master_sync_in_progress: status.state === 'restore' ? 1 : 0,
    slave_read_repl_offset: sequence + lag,
    slave_repl_offset: sequence,
    slave_read_only: 1,
    connected_slaves: 0,
  }
}

/** What Redis says, and the node's own figures. */
const clusterSection = ({ name, status }: Cluster): Record<string, string | number> => ({
  cluster_enabled: 1,
  cluster_name: name,
  cluster_node: status.node,
  cluster_shard: status.shard,
  cluster_log: status.log,
  cluster_node_state: status.state,
  cluster_node_reason: status.reason,
  cluster_leader: status.leader?.address ?? '',
  cluster_epoch: status.epoch,
  cluster_sequence: status.sequence,
  cluster_lag: status.lag,
  cluster_behind_ms: Math.round(status.behindMs),
  cluster_lease_left_ms: Math.round(status.leaseLeft),
  cluster_log_connected: status.isConnected ? 1 : 0,
  cluster_queued: status.queued,
  cluster_groups: status.counts.groups,
  cluster_commands: status.counts.commands,
  cluster_appends: status.counts.appends,
  cluster_append_attempts: status.counts.attempts,
  cluster_append_ms: Math.round(status.counts.appendMs),
  cluster_applied: status.counts.applied,
  cluster_superseded: status.counts.superseded,
})
/** Those that Redis tells of if nobody asks for others. */
const PERCENTILES = [50, 99, 99.9]

const sections: Readonly<Record<string, Section>> = {
  server: ({ address, settings, started, runId, cluster }) => ({
    redis_version: VERSION,
    redis_mode: cluster === undefined ? 'standalone' : 'cluster',
    xenondb_version: PACKAGE_VERSION,
    node_version: process.version,
    os: `${process.platform} ${process.arch}`,
    arch_bits: 64,
    process_id: process.pid,
    run_id: runId,
    tcp_port: address !== undefined && 'port' in address ? address.port : 0,
    unix_socket: settings.socket ?? '',
    server_time_usec: Date.now() * 1000,
    uptime_in_seconds: Math.floor((Date.now() - started) / 1000),
    uptime_in_days: Math.floor((Date.now() - started) / 86_400_000),
    executable: process.execPath,
    config_file: '',
  }),
  clients: ({ sessions, settings, lockWaits, tracking }) => ({
    connected_clients: sessions.size,
    maxclients: settings.maxClients,
    blocked_clients: [...sessions.values()].filter(({ busy }) => busy).length,
    tracking_clients: tracking.size,
    xenondb_lock_waits: lockWaits.count,
  }),
  memory: ({ db, samples, memory, scripts }) => {
    const { used, rss, peak } = memoryInUse(samples)
    return {
      ...inBytes('used_memory', used),
      ...inBytes('used_memory_rss', rss),
      ...inBytes('used_memory_peak', peak),
      used_memory_peak_perc: `${((100 * used) / peak).toFixed(2)}%`,
      ...inBytes('total_system_memory', told(totalmem) ?? 0),
      ...inBytes('maxmemory', 0),
      maxmemory_policy: 'noeviction',
      mem_clients_normal: memory.used,
      mem_fragmentation_ratio: (rss / used).toFixed(2),
      mem_fragmentation_bytes: rss - used,
      ...inBytes('used_memory_lua', scripts.engineBytes),
      used_memory_vm_eval: scripts.engineBytes,
      ...inBytes('used_memory_scripts', scripts.bytes),
      used_memory_scripts_eval: scripts.bytes,
      number_of_cached_scripts: scripts.count,
      xenondb_pool_bytes: db.stats().cache.bytes,
    }
  },
  persistence: ({ db, lastSave, counts, failure, diskFull, reopened }) => {
    const { dataBytes, logBytesInUse, checkpoints, fsyncs, disk } = db.stats()
    return {
      loading: 0,
      rdb_changes_since_last_save: counts.changes - counts.saved,
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
  stats: ({ db, counts, samples, channels, tracking, out }) => {
    const { cache, transactions, expired } = db.stats()
    const { commands, received, sent } = samples.rates(Date.now())
    return {
      total_connections_received: counts.connections,
      total_commands_processed: counts.commands,
      instantaneous_ops_per_sec: Math.round(commands),
      total_net_input_bytes: counts.received,
      total_net_output_bytes: counts.sent,
      instantaneous_input_kbps: (received / 1024).toFixed(2),
      instantaneous_output_kbps: (sent / 1024).toFixed(2),
      rejected_connections: counts.refused,
      evicted_clients: counts.evictedClients,
      total_error_replies: [...out.errors.values()].reduce((sum, count) => sum + count, 0),
      expired_keys: expired,
      evicted_keys: 0,
      keyspace_hits: counts.hits,
      keyspace_misses: counts.misses,
      pubsub_channels: channels.channels.size,
      pubsub_patterns: channels.patterns.size,
      pubsubshard_channels: channels.shardChannels.size,
      tracking_total_keys: tracking.keys,
      tracking_total_items: tracking.items,
      tracking_total_prefixes: tracking.prefixes,
      xenondb_pool_hits: cache.hits,
      xenondb_pool_misses: cache.misses,
      xenondb_pool_evictions: cache.evictions,
      commits: transactions.commits,
      lock_waits: transactions.lockWaits,
      deadlocks: transactions.deadlocks,
    }
  },
  commandstats: ({ activity }) => {
    const found: Record<string, string> = {}
    for (const { name, calls, milliseconds, rejected, failed } of activity.all()) {
      const usec = Math.round(milliseconds * 1000)
      const each = (calls === 0 ? 0 : (milliseconds * 1000) / calls).toFixed(2)
      found[`cmdstat_${name}`] =
        `calls=${calls},usec=${usec},usec_per_call=${each},rejected_calls=${rejected},failed_calls=${failed}`
    }
    return found
  },
  errorstats: ({ out }) =>
    Object.fromEntries([...out.errors].map(([code, count]) => [`errorstat_${code}`, `count=${count}`])),
  latencystats: ({ activity }) => {
    const found: Record<string, string> = {}
    for (const stats of activity.all()) {
      if (stats.calls === 0) continue
      const told = PERCENTILES.map(percent => `p${percent}=${percentileOf(stats, percent).toFixed(3)}`)
      found[`latency_percentiles_usec_${stats.name}`] = told.join(',')
    }
    return found
  },
  replication: ({ runId, cluster }) => ({
    ...(cluster === undefined ? { role: 'master', connected_slaves: 0 } : replicationOf(cluster)),
    master_failover_state: 'no-failover',
    master_replid: runId,
    master_replid2: '0'.repeat(40),
    master_repl_offset: cluster?.status.sequence ?? 0,
    second_repl_offset: -1,
    repl_backlog_active: 0,
  }),
  cpu: () => {
    const { user, system } = process.cpuUsage()
    return { used_cpu_sys: (system / 1e6).toFixed(6), used_cpu_user: (user / 1e6).toFixed(6) }
  },
  cluster: ({ cluster }) => (cluster === undefined ? { cluster_enabled: 0 } : clusterSection(cluster)),
  // The average time to live would have to be read record by record: it is left out.
  keyspace: ({ databases, db }) => {
    const found: Record<string, string> = {}
    for (let number = 0; number < databases.count && !db.closed; number++) {
      const records = databases.find(number)?.records
      const count = records?.count() ?? 0
      if (count > 0) found[`db${number}`] = `keys=${count},expires=${records!.countExpiring()}`
    }
    return found
  },
}

const ALL: ReadonlySet<string> = new Set(['all', 'everything'])
/** Left out unless they are asked for. */
const LONG: ReadonlySet<string> = new Set(['commandstats', 'latencystats'])

/** The sections asked for, or all of them but the long ones. */
const infoText = (server: Host, asked: readonly string[]): string => {
  const everything = asked.some(name => ALL.has(name))
  const usual = asked.length === 0 || asked.includes('default')
  return Object.entries(sections)
    .filter(([name]) => everything || asked.includes(name) || (usual && !LONG.has(name)))
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
      tips: 'nondeterministic_output request_policy:all_shards response_policy:special',
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
