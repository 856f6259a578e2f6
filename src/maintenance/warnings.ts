/**
 * What will hurt, told before it does. Each warning is raised at one value and stays until a lower one, so that a figure
 * that swings around a limit is one occurrence. `docs/operations.md` has the table of these limits.
 */

import type { Engine } from '../engine/engine.ts'
import { maxInlineRecord } from '../pager/layout.ts'
import { performance } from '../runtime/timers.ts'
import type { Warning, WarningCode } from '../types.ts'
import { type LogHolder, logHolder, orElse, type Vitals } from './vitals.ts'

const MiB = 1048576
/** A transaction that is forgotten, and the share of the log's limit that is kept for it. */
const FORGOTTEN_MS = 30_000
const HELD = { raised: 0.5, cleared: 0.4 }
/** Share of `snapshotBytes`. */
const SNAPSHOT = { raised: 0.5, cleared: 0.4 }
/** Bytes that are left on the disk when checkpoint, undo and reserve have their room. */
const DISK = { raised: 32 * MiB, cleared: 48 * MiB }
/** Milliseconds of the slowest of 100 syncs, and syncs that have to be known. */
const SYNC = { raised: 100, cleared: 50 }
const LEAST_SYNCS = 32
const LONG_RECOVERY_MS = 5000
/** How long a long recovery is news. */
const NEWS_MS = 600_000
/** Share of the blocks of large values that holds nothing, and values that have to be known. */
const WASTE = { raised: 0.25, cleared: 0.2 }
const LEAST_VALUES = 100
/** What a record takes besides its value: its header, and a key that is not long. */
const RECORD_EXTRA = 64
const LARGEST_BLOCK = 65536

/** What the rules look at besides the vitals. */
export interface Circumstances {
  holder: LogHolder | undefined
  snapshots: { bytes: number; limit: number }
  /** Bytes left on the disk when everything has its room; undefined: nobody can tell. */
  spare: number | undefined
  blockSize: number
  recovery: { needed: boolean; milliseconds: number }
  /** Milliseconds since the open. */
  age: number
}

export interface Raised {
  /** Grows from occurrence to occurrence. */
  readonly number: number
  /** What tells occurrences of one warning apart. */
  readonly about: number
  readonly warning: Warning
}

/** `is`: whether it holds, given that it did before. `about`: another value is another occurrence. */
interface Rule {
  is(vitals: Vitals, more: Circumstances, was: boolean): boolean
  about?(more: Circumstances): number
  data(vitals: Vitals, more: Circumstances): Record<string, number>
  message(data: Record<string, number>): string
}

export class Warnings {
  private readonly opened: number = performance.now()
  private readonly raised: Map<WarningCode, Raised> = new Map()
  private count = 0

  /** Those that hold now. */
  look(engine: Engine, vitals: Vitals): readonly Raised[] {
    if (vitals.closed) this.raised.clear()
    else this.judge(vitals, circumstancesOf(engine, performance.now() - this.opened))
    return this.current
  }

  get current(): readonly Raised[] {
    return [...this.raised.values()]
  }

  /** @internal */
  judge(vitals: Vitals, more: Circumstances): void {
    const { raised } = this
    for (const [code, rule] of Object.entries(RULES) as [WarningCode, Rule][]) {
      const before = raised.get(code)
      const about = rule.about?.(more) ?? 0
      const isSame = before?.about === about
      if (!rule.is(vitals, more, isSame)) {
        raised.delete(code)
        continue
      }
      const data = rule.data(vitals, more)
      const warning: Warning = { code, message: rule.message(data), data }
      raised.set(code, { number: isSame ? before.number : ++this.count, about, warning })
    }
  }
}

const circumstancesOf = (engine: Engine, age: number): Circumstances => {
  const { pool, room, recovery, readOnly } = engine
  const { bytes, limit } = pool.versions
  return {
    holder: logHolder(engine),
    snapshots: { bytes, limit },
    spare: readOnly ? undefined : orElse(undefined, () => room.left()),
    blockSize: pool.blockSize,
    recovery,
    age,
  }
}

/** The least block size that lets values of so many bytes share blocks; undefined: there is none. */
export const advisedBlockSize = (valueBytes: number): number | undefined => {
  for (let size = 4096; size <= LARGEST_BLOCK; size *= 2)
    if (valueBytes + RECORD_EXTRA <= maxInlineRecord(size)) return size
  return undefined
}

const averageLarge = ({ largeValues: { count, bytes } }: Vitals): number => (count === 0 ? 0 : bytes / count)

const above = (value: number, limit: { raised: number; cleared: number }, was: boolean): boolean =>
  value > (was ? limit.cleared : limit.raised)

const RULES: Record<WarningCode, Rule> = {
  'log-held': {
    is: ({ log }, { holder }, was) =>
      holder !== undefined && holder.milliseconds >= FORGOTTEN_MS && above(holder.logBytes / log.limit, HELD, was),
    about: ({ holder }) => holder?.id ?? 0,
    data: ({ log }, { holder }) => ({
      transaction: holder!.id,
      milliseconds: Math.round(holder!.milliseconds),
      logBytes: holder!.logBytes,
      limit: log.limit,
    }),
    message: ({ transaction, milliseconds, logBytes }) =>
      `transaction ${transaction} has been open for ${seconds(milliseconds!)}, and ${mebibytes(logBytes!)} of log are kept for it; commit it or roll it back: until then the log grows with every commit, and so does the time of a recovery`,
  },
  'snapshot-large': {
    is: (_, { snapshots: { bytes, limit } }, was) => limit > 0 && above(bytes / limit, SNAPSHOT, was),
    data: ({ oldestSnapshot }, { snapshots: { bytes, limit } }) => ({
      bytes,
      limit,
      milliseconds: Math.round(oldestSnapshot?.milliseconds ?? 0),
    }),
    message: ({ bytes, limit, milliseconds }) =>
      `open snapshots and iterators keep ${mebibytes(bytes!)} of blocks, of the ${mebibytes(limit!)} that snapshotBytes allows; the oldest is ${seconds(milliseconds!)} old: close it, or it is given up (XENON_SNAPSHOT_LOST) when there is no more room; or raise snapshotBytes`,
  },
  'disk-low': {
    is: (_, { spare }, was) => spare !== undefined && spare < (was ? DISK.cleared : DISK.raised),
    data: ({ disk: { free = 0 } }, { spare = 0 }) => ({ free, spare }),
    message: ({ free, spare }) =>
      `the disk is nearly full: ${mebibytes(free!)} are free, of which ${mebibytes(Math.max(0, spare!))} are not needed for a checkpoint, for taking back open transactions or for the reserve; free some space on it before writes are refused (XENON_FULL)`,
  },
  'slow-fsync': {
    is: ({ fsync }, _, was) => fsync.count >= LEAST_SYNCS && above(fsync.p99, SYNC, was),
    data: ({ fsync: { p50, p99 } }) => ({ p50, p99 }),
    message: ({ p50, p99 }) =>
      `the disk is slow: one sync in 100 takes ${Math.round(p99!)} ms or more, one in two ${p50!.toFixed(1)} ms, and each commit waits for one; look for other writers on the disk, use db.async so that the event loop does not wait, or move the database to a faster disk`,
  },
  'slow-recovery': {
    is: (_, { recovery, age }) => recovery.needed && recovery.milliseconds >= LONG_RECOVERY_MS && age < NEWS_MS,
    data: (_, { recovery }) => ({ milliseconds: Math.round(recovery.milliseconds) }),
    message: ({ milliseconds }) =>
      `the database had not been closed, and its recovery took ${seconds(milliseconds!)}; call db.close() when the process is asked to end (SIGTERM), end transactions soon, or lower checkpointBytes, which bounds the log that a recovery reads`,
  },
  'block-size': {
    is: (vitals, { blockSize }, was) =>
      vitals.largeValues.count >= LEAST_VALUES &&
      above(vitals.largeValues.wasted, WASTE, was) &&
      (advisedBlockSize(averageLarge(vitals)) ?? 0) > blockSize,
    data: (vitals, { blockSize }) => ({
      blockSize,
      advised: advisedBlockSize(averageLarge(vitals))!,
      valueBytes: Math.round(averageLarge(vitals)),
      wasted: vitals.largeValues.wasted,
    }),
    message: ({ blockSize, advised, valueBytes, wasted }) =>
      `values of ${valueBytes} bytes on average take blocks of ${blockSize} bytes for themselves, of which ${Math.round(wasted! * 100)} % hold nothing; with blocks of ${advised} bytes they share them: create the database with blockSize: ${advised}, or close it and run 'xenondb convert <directory> --block-size ${advised}'`,
  },
}

const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(1)} s`

const mebibytes = (bytes: number): string => `${(bytes / MiB).toFixed(1)} MiB`
