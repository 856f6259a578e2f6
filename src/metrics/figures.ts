/** What a database has to tell in figures. A figure that nobody knows is left out. */
import type { Health, Stats, WarningCode } from '../types.ts'
import type { Figure } from './text.ts'

/** A database, as far as its figures are concerned. */
export interface Measured {
  /** As of a `Database`. */
  stats(): Stats
  /** As of a `Database`. */
  health(): Health
  /** As of a `Database`. */
  readonly closed: boolean
}

const WARNING_CODES: Record<WarningCode, true> = {
  'log-held': true,
  'snapshot-large': true,
  'disk-low': true,
  'slow-fsync': true,
  'slow-recovery': true,
  'block-size': true,
}

/** Of a handle that has failed or was closed: what `health` tells. */
export const figuresOf = (db: Measured): Figure[] => {
  const health = db.health()
  const figures = ofHealth(health)
  if (health.ok) figures.push(...ofStats(db.stats()))
  return figures
}

type Value = number | undefined

const gauge = (name: string, help: string, value: Value): Figure[] =>
  value === undefined ? [] : [{ name, type: 'gauge', help, value }]

const counter = (name: string, help: string, value: number): Figure[] => [
  { name: `${name}_total`, type: 'counter', help, value },
]

const inSeconds = (milliseconds: Value): Value => (milliseconds === undefined ? undefined : milliseconds / 1000)

const ofHealth = (health: Health): Figure[] => {
  const { oldestTransaction, oldestSnapshot, log, lastCheckpoint, disk, fsync, longestStall, largeValues } = health
  const current = new Set(health.warnings.map(({ code }) => code))
  const syncHelp = 'Time that syncs of the log took, of the last 512'
  return [
    ...gauge('up', 'The database is open and has not failed', health.ok ? 1 : 0),
    ...Object.keys(WARNING_CODES).map(
      (code): Figure => ({
        name: 'warning',
        type: 'gauge',
        help: 'What will hurt, 1 while it is so',
        value: current.has(code as WarningCode) ? 1 : 0,
        labels: { code },
      }),
    ),
    ...gauge(
      'oldest_transaction_seconds',
      'Age of the oldest open transaction',
      inSeconds(oldestTransaction?.milliseconds ?? 0),
    ),
    ...gauge('oldest_transaction_log_bytes', 'Bytes of log that are kept for it', oldestTransaction?.logBytes ?? 0),
    ...gauge(
      'oldest_snapshot_seconds',
      'Age of the oldest open snapshot',
      inSeconds(oldestSnapshot?.milliseconds ?? 0),
    ),
    ...gauge('oldest_snapshot_bytes', 'Bytes of blocks that are kept for it', oldestSnapshot?.bytes ?? 0),
    ...gauge('log_bytes_in_use', 'Bytes of log that recovery would need', log.bytesInUse),
    ...gauge('log_limit_bytes', 'Bytes that the log may take on the disk', log.limit),
    ...gauge('last_checkpoint_timestamp_seconds', 'When the last checkpoint ended', inSeconds(lastCheckpoint?.at)),
    ...gauge('last_checkpoint_seconds', 'How long it took', inSeconds(lastCheckpoint?.milliseconds)),
    ...gauge('disk_full', 'Writes are refused, since the disk is full', disk.full ? 1 : 0),
    ...gauge('disk_free_bytes', 'Bytes free on the file system of the database', disk.free),
    ...[fsync.p50, fsync.p99].map(
      (milliseconds, i): Figure => ({
        name: 'log_sync_seconds',
        type: 'gauge',
        help: syncHelp,
        value: milliseconds / 1000,
        labels: { quantile: i === 0 ? '0.5' : '0.99' },
      }),
    ),
    ...gauge(
      'longest_stall_seconds',
      'Longest time since the open that one call or step held up the event loop',
      inSeconds(longestStall?.milliseconds ?? 0),
    ),
    ...gauge(
      'large_values_wasted_ratio',
      'Share of the blocks of large values written since the open that holds nothing',
      largeValues.wasted,
    ),
  ]
}

const ofStats = (stats: Stats): Figure[] => {
  const { cache, transactions, snapshots, log } = stats
  return [
    ...gauge('records', 'Records stored', stats.records),
    ...gauge('data_bytes', 'Bytes of the data file', stats.dataBytes),
    ...gauge('data_allocated_bytes', 'Bytes that the data file takes on the disk', stats.dataBytesAllocated),
    ...gauge('log_bytes', 'Bytes of the log and of images of blocks on the disk', stats.logBytes),
    ...gauge('blocks', 'Blocks of the data file', stats.blocks.total),
    ...gauge('free_blocks', 'Blocks that are free', stats.blocks.free),
    ...gauge('cache_bytes', 'Bytes of blocks in memory', cache.bytes),
    ...gauge('cache_dirty_blocks', 'Blocks changed in memory', cache.dirty),
    ...gauge('open_transactions', 'Transactions that are open', transactions.open),
    ...gauge('open_snapshots', 'Snapshots and iterators that are open', snapshots.open),
    ...gauge('snapshot_bytes', 'Bytes of blocks that are kept for them', snapshots.bytes),
    ...gauge('snapshot_limit_bytes', 'Bytes that these may take', snapshots.limit),
    ...gauge('disk_reserve_bytes', 'Bytes that are kept for a full disk', stats.disk.reserve),
    ...counter('disk_refused_writes', 'Writes refused for want of room', stats.disk.refused),
    ...counter('commits', 'Transactions committed', transactions.commits),
    ...counter('rollbacks', 'Transactions rolled back', transactions.rollbacks),
    ...counter('lock_conflicts', 'Operations that met a lock and did not wait', transactions.lockConflicts),
    ...counter('lock_waits', 'Operations that waited for a lock', transactions.lockWaits),
    ...counter('lock_timeouts', 'Waits for a lock that ended by lockTimeout', transactions.lockTimeouts),
    ...counter('deadlocks', 'Deadlocks resolved', transactions.deadlocks),
    ...counter('lost_snapshots', 'Snapshots given up for want of memory', snapshots.lost),
    ...counter('fsyncs', 'fdatasync calls', stats.fsyncs),
    ...counter('checkpoints', 'Checkpoints ended', stats.checkpoints),
    ...counter('log_written_bytes', 'Bytes appended to the log', log.bytes),
    ...counter('cache_hits', 'Block accesses that found their block in memory', cache.hits),
    ...counter('cache_misses', 'Block accesses that read it', cache.misses),
    ...counter('cache_evictions', 'Blocks that left the memory for others', cache.evictions),
    ...counter('block_reads', 'Blocks read from the data file', cache.blockReads),
    ...counter('block_writes', 'Blocks written to the data file', cache.blockWrites),
    ...counter('expired', 'Expired records removed', stats.expired),
  ]
}
