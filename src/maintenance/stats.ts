/** Gathers the counters of the layers. */

import type { Engine } from '../engine/engine.ts'
import { toHex } from '../runtime/bytes.ts'
import { requireInPlace } from '../storage/home.ts'
import type { File, Storage } from '../storage/storage.ts'
import type { Durability, Stats } from '../types.ts'
import { largeValueFigures, logBytesInUse, oldestTransaction, syncFigures } from './vitals.ts'

/** @throws MovedError if the name leads nowhere, or elsewhere, by now */
const allocatedBytes = (file: File, storage: Storage): number => {
  try {
    return storage.allocatedBytes(file.path)
  } catch (error) {
    requireInPlace(file)
    throw error
  }
}

export const collectStats = (engine: Engine, storage: Storage, directory: string, durability: Durability): Stats => {
  const { room, health } = engine
  const { metadata, file, pool, log, transactions, checkpointer, free } = engine
  const { structure, index } = engine.root
  return {
    directory,
    uuid: toHex(metadata.identity.uuid),
    blockSize: metadata.identity.blockSize,
    durability,
    ordered: metadata.ordered,
    records: metadata.records,
    spaces: { count: engine.spaces.count },
    blocks: { total: metadata.blocks, free: metadata.freeBlocks },
    reclaim: { pending: metadata.firstCondemned !== 0 },
    dataBytes: file.file.size(),
    dataBytesAllocated: allocatedBytes(file.file, storage),
    logBytes: log.segments.bytes + pool.images.bytes,
    logBytesInUse: logBytesInUse(engine),
    logSegments: log.segments.count,
    logBytesLimit: checkpointer.mostLog,
    cache: {
      frames: pool.frames,
      framesUsed: pool.framesUsed,
      dirty: pool.dirtyFrames,
      bytes: pool.framesUsed * pool.blockSize,
      accesses: pool.accesses,
      hits: pool.accesses - pool.misses,
      misses: pool.misses,
      evictions: pool.evictions,
      blockReads: file.blockReads,
      blockWrites: file.blockWrites,
    },
    log: {
      records: log.records,
      bytes: log.bytes,
      groups: log.groups,
      fsyncs: log.segments.fsyncs + pool.images.fsyncs,
      images: pool.images.count,
    },
    fsyncs: log.segments.fsyncs + pool.images.fsyncs + file.fsyncs,
    fsync: syncFigures(engine),
    longestStall: health.longestStall,
    largeValues: largeValueFigures(engine),
    disk: {
      free: storage.freeBytes?.(directory),
      full: room.isFull,
      reserve: room.reserve.bytes,
      refused: room.refused,
    },
    transactions: {
      open: transactions.open.size,
      oldest: oldestTransaction(engine),
      commits: transactions.commits,
      rollbacks: transactions.rollbacks,
      lockConflicts: transactions.locks.conflicts,
      lockWaits: transactions.waits.count,
      deadlocks: transactions.waits.deadlocks,
      lockTimeouts: transactions.waits.timeouts,
    },
    snapshots: {
      open: pool.versions.snapshots,
      oldest: pool.versions.oldestKept,
      copies: pool.versions.copies,
      bytes: pool.versions.bytes,
      limit: pool.versions.limit,
      lost: pool.versions.lost,
    },
    expired: engine.root.expired,
    checkpoints: checkpointer.count,
    lastCheckpoint: checkpointer.last,
    index: {
      splits: structure.counts.splits,
      redistributions: structure.counts.redistributions,
      merges: structure.counts.merges,
      compactions: index.compactions,
      slotsReused: index.slotsReused,
      blocksReused: free.reused,
    },
    recovery: engine.recovery,
  }
}
