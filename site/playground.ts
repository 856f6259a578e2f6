/**
 * A database to play with: what the worker of the site runs. It answers the calls of the explorer, and some more. On the
 * simulated disk, in memory, it can lose its power and have a bit flipped; in the file system of the browser (OPFS) it
 * stays over a reload.
 */
import { removeHandles } from '../src/browser/handles.ts'
import { type OpfsStorage, opfsStorage } from '../src/browser/opfs.ts'
import type { Database } from '../src/database/database.ts'
import { openOn } from '../src/database/open.ts'
import { DatabaseLockedError, InvalidArgumentError, XenonError } from '../src/errors.ts'
import { Explorer } from '../src/explorer/api.ts'
import { type LogRecordView, textOfChange, viewLog } from '../src/explorer/log.ts'
import { BlockSource } from '../src/explorer/source.ts'
import { blockLsn } from '../src/pager/bucket.ts'
import { Arena } from '../src/runtime/bytes.ts'
import type { Storage } from '../src/storage/storage.ts'
import { type CrashPolicy, crashPolicies, FaultDisk, SimulatedCrash } from '../src/testing/fault.ts'
import { Random } from '../src/testing/random.ts'
import type { RecoveryReport } from '../src/types.ts'

const DIRECTORY = 'db'
const OPTIONS = {
  keyEncoding: 'binary',
  valueEncoding: 'binary',
  storedEncoding: 'ignore',
  checkpointBytes: 4194304,
  logSegmentBytes: 1048576,
} as const
/** Of the database in the file system of the browser. */
const NAME = 'explorer'
/** A tab that is being reloaded gives its files up a moment later. */
const HANDLE_WAIT_MS = 150
const HANDLE_TRIES = 20
/** Records that a write storm puts at most before the power goes. */
const STORM = 5000

/** What recovery does with one change of the log to one block. */
export interface RedoStep {
  readonly lsn: number
  readonly transaction: number
  readonly type: LogRecordView['type']
  readonly block: number
  /** LSN of the block as the disk has it, and whether the change is newer, so that it is made again. */
  readonly blockLsn: number
  readonly isRedone: boolean
  readonly text: string
}

export interface CrashReport {
  readonly policy: CrashPolicy
  /** Writes and other changes that the disk had not synced: what the crash could take away. */
  readonly unsynced: number
  /** The files as the next start finds them. */
  readonly files: readonly { readonly path: string; readonly bytes: number }[]
  readonly steps: readonly RedoStep[]
  /** Transactions without an end: they are taken back. */
  readonly losers: readonly number[]
  readonly recovery: RecoveryReport
  readonly records: number
}

type Bytes = Database<Uint8Array, Uint8Array>
type Params = Readonly<Record<string, unknown>>

/** Where the database lies: on the simulated disk, or in the file system of the browser. */
export type Place = 'memory' | 'opfs'

export class Playground {
  private readonly seed: number
  private disk: FaultDisk
  /** Undefined: the simulated disk is used. */
  private kept: OpfsStorage | undefined
  private cacheBytes: number | undefined
  private moving: Promise<void> | undefined
  private db: Bytes
  private explorer: Explorer
  private readonly cities: () => Promise<readonly [string, string][]>

  /** `cities`: keys and values of the data set. */
  constructor(cities: () => Promise<readonly [string, string][]>, seed: number) {
    this.cities = cities
    this.seed = seed
    this.disk = new FaultDisk({ seed })
    this.db = this.open()
    this.explorer = this.explore()
  }

  /** @throws XenonError */
  async call(name: string, params: Params): Promise<object> {
    // Whoever asks meanwhile is answered about what is open afterwards.
    while (this.moving !== undefined) await this.moving
    if (name === 'place') return await this.move(() => this.moveTo(params.to))
    if (name === 'anew') return await this.move(() => this.beginAnew())
    if (name === 'sample') return this.sample(params)
    if (name === 'load') return await this.load()
    if (name === 'crash') return await this.crash(params)
    if (name === 'flip') return this.flip(params)
    if (name === 'reopen') return await this.move(() => this.reopen(params))
    if (name === 'clear') return this.clear()
    if (name === 'getAll') return this.getAll()
    return await this.explorer.call(name, params)
  }

  private async move<T>(work: () => Promise<T>): Promise<T> {
    const moved = work()
    this.moving = moved
      .then(
        () => {},
        () => {},
      )
      .then(() => {
        this.moving = undefined
      })
    return await moved
  }

  private get storage(): Storage {
    return this.kept ?? this.disk.storage
  }

  private open(): Bytes {
    const { storage, cacheBytes } = this
    return openOn<Uint8Array, Uint8Array>(DIRECTORY, { ...OPTIONS, cacheBytes, storage }, storage)
  }

  private explore(): Explorer {
    const { db, storage } = this
    return new Explorer({ directory: DIRECTORY, storage, db, writable: true })
  }

  /**
   * Goes on with the database of another place, and tells which one that is now.
   * @throws XenonError `XENON_NOT_SUPPORTED` where the browser has no such file system, `XENON_LOCKED` while another tab
   *   has that database; it stays where it was then
   */
  private async moveTo(to: unknown): Promise<{ place: Place }> {
    const place = this.kept === undefined ? 'memory' : 'opfs'
    if (to === undefined || to === place) return { place }
    if (to !== 'memory' && to !== 'opfs') throw new InvalidArgumentError("to must be 'memory' or 'opfs'")
    const kept = to === 'opfs' ? await heldStorage() : undefined
    await this.close()
    this.kept?.dispose()
    this.kept = kept
    try {
      this.start()
    } catch (error) {
      kept?.dispose()
      this.kept = undefined
      this.start()
      throw error
    }
    return { place: to }
  }

  /** Removes all of it. */
  private async beginAnew(): Promise<object> {
    await this.close()
    this.cacheBytes = undefined
    if (this.kept === undefined) this.disk = new FaultDisk({ seed: this.seed })
    else {
      this.kept.dispose()
      await removeHandles(NAME)
      this.kept = await heldStorage()
    }
    this.start()
    return {}
  }

  private async close(): Promise<void> {
    await this.explorer.close()
    this.db.close()
  }

  private start(): void {
    this.db = this.open()
    this.explorer = this.explore()
  }

  private requireDisk(): FaultDisk {
    if (this.kept === undefined) return this.disk
    throw new XenonError(
      'XENON_NOT_SUPPORTED',
      'only the simulated disk can lose its power or be damaged: choose the storage "memory" for this',
    )
  }

  private async load(): Promise<object> {
    const cities = await this.cities()
    const utf8 = new TextEncoder()
    const tx = this.db.begin()
    for (const [key, value] of cities) tx.put(utf8.encode(key), utf8.encode(value))
    tx.commit()
    return { records: cities.length }
  }

  private clear(): object {
    this.db.clear()
    return {}
  }

  /** Reads every record once by its key: the second time all of it lies in the pool. */
  private getAll(): object {
    const started = performance.now()
    const before = this.db.stats().cache
    let records = 0
    for (const key of [...this.db.keys()]) if (this.db.get(key) !== undefined) records++
    const { misses, accesses } = this.db.stats().cache
    const milliseconds = performance.now() - started
    return { records, milliseconds, misses: misses - before.misses, accesses: accesses - before.accesses }
  }

  /** `cacheBytes`: memory for the pool from now on; undefined: as much as is usual. */
  private async reopen({ cacheBytes }: Params): Promise<object> {
    if (cacheBytes !== undefined && !Number.isSafeInteger(cacheBytes))
      throw new InvalidArgumentError('cacheBytes must be a whole number')
    await this.close()
    this.cacheBytes = cacheBytes as number | undefined
    this.start()
    return {}
  }

  /** Reads so many records at random, the same ones for the same seed. */
  private sample({ count, seed }: Params): object {
    if (!Number.isSafeInteger(count) || !Number.isSafeInteger(seed))
      throw new InvalidArgumentError('count and seed must be whole numbers')
    const keys = [...this.db.keys()]
    const random = new Random(seed as number)
    const chosen = Array.from({ length: keys.length === 0 ? 0 : (count as number) }, () => random.pick(keys))
    const before = this.db.stats().cache
    const started = performance.now()
    for (const key of chosen) this.db.get(key)
    const milliseconds = performance.now() - started
    const { misses, accesses } = this.db.stats().cache
    return {
      records: chosen.length,
      milliseconds,
      misses: misses - before.misses,
      accesses: accesses - before.accesses,
    }
  }

  /** Changes one stored bit of a block. The block is written to the file before. */
  private flip(params: Params): object {
    const disk = this.requireDisk()
    const { block, byte = 100 } = params
    const { blocks, identity } = this.db.layers.metadata
    if (!Number.isSafeInteger(block) || (block as number) < 1 || (block as number) >= blocks)
      throw new InvalidArgumentError(`block must be a number from 1 to ${blocks - 1}`)
    const at = (block as number) * identity.blockSize + Number(byte)
    this.db.close()
    const isThere = at < disk.bytes(`${DIRECTORY}/data`).length
    if (isThere) disk.flip(`${DIRECTORY}/data`, at * 8 + 3)
    this.start()
    if (!isThere) throw new InvalidArgumentError(`block ${block} was never written: there is nothing to damage`)
    return { at }
  }

  /**
   * The power goes: now, or (`after`) at so many operations on the disk from now on, while records are written. Then the
   * database is opened on what is left.
   */
  private async crash(params: Params): Promise<CrashReport> {
    this.requireDisk()
    const policy = crashPolicies.find(each => each === params.policy) ?? 'none'
    if (params.after !== undefined) this.storm(Number(params.after))
    const unsynced = this.disk.settled ? 0 : this.unsynced()
    this.disk = this.disk.crash(policy)
    const before = this.plan()
    const files = this.files()
    this.start()
    const { recovery, records } = this.db.stats()
    return { policy, unsynced, files, ...before, recovery, records }
  }

  /** Writes records until the power goes. */
  private storm(after: number): void {
    if (!Number.isSafeInteger(after) || after < 1) throw new InvalidArgumentError('after must be at least 1')
    this.disk.inject({ effect: 'crash', after })
    const utf8 = new TextEncoder()
    try {
      for (let i = 0; i < STORM; i++) this.db.put(utf8.encode(`storm/${i}`), utf8.encode(`value ${i}`))
    } catch (error) {
      if (!isCrash(error)) throw error
    }
  }

  private unsynced(): number {
    const { nodes } = this.disk as unknown as { nodes: Map<number, { pending: unknown[] }> }
    return [...nodes.values()].reduce((sum, node) => sum + node.pending.length, 0)
  }

  private files(): { path: string; bytes: number }[] {
    const { storage } = this.disk
    const found: { path: string; bytes: number }[] = []
    const visit = (path: string): void => {
      for (const name of storage.list(path)) {
        const child = storage.join(path, name)
        if (storage.kind(child) === 'directory') visit(child)
        else found.push({ path: child, bytes: this.disk.bytes(child).length })
      }
    }
    visit(DIRECTORY)
    return found.sort((a, b) => (a.path < b.path ? -1 : 1))
  }

  /** What recovery is going to do, by what the disk holds: the same comparison as redo makes. */
  private plan(): { steps: RedoStep[]; losers: number[] } {
    const source = BlockSource.ofFiles(DIRECTORY, this.disk.storage)
    try {
      const log = viewLog(source, { limit: 1e6 })
      const lsns = new Map<number, number>()
      const a = new Arena(source.blockSize)
      const lsnOf = (block: number): number => {
        let lsn = lsns.get(block)
        if (lsn === undefined) {
          const { problem, checksumProblem, origin } = source.read(block, a, 0)
          lsn = origin === 'blank' || problem !== undefined || checksumProblem !== undefined ? 0 : blockLsn(a, 0)
          lsns.set(block, lsn)
        }
        return lsn
      }
      const steps: RedoStep[] = []
      const open = new Set<number>()
      for (const { records, lsn } of log.groups) {
        if (lsn < log.redoLsn) continue
        for (const record of records) {
          const { transaction, type } = record
          if (type === 'update' && !record.commits) open.add(transaction)
          if (type === 'commit' || type === 'end') open.delete(transaction)
          for (const { block, operations } of record.parts) {
            if (block === 0) continue
            const before = lsnOf(block)
            const isRedone = record.lsn > before
            if (isRedone) lsns.set(block, record.lsn)
            steps.push({
              lsn: record.lsn,
              transaction,
              type,
              block,
              blockLsn: before,
              isRedone,
              text: textOfChange(operations),
            })
          }
        }
      }
      return { steps, losers: [...open] }
    } finally {
      source.close()
    }
  }
}

const heldStorage = async (): Promise<OpfsStorage> => {
  for (let tries = 1; ; tries++)
    try {
      return await opfsStorage(NAME)
    } catch (error) {
      if (!(error instanceof DatabaseLockedError) || tries === HANDLE_TRIES) throw error
      await new Promise(resolve => setTimeout(resolve, HANDLE_WAIT_MS))
    }
}

/** The crash itself, or the failure of the handle that followed from it. */
const isCrash = (error: unknown): boolean =>
  error instanceof SimulatedCrash || (error as { cause?: unknown }).cause instanceof SimulatedCrash
