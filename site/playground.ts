/**
 * A database to play with, on the simulated disk: what the worker of the site runs. It answers the calls of the explorer,
 * and some more: it can lose its power, and have a bit flipped.
 */
import type { Database } from '../src/database/database.ts'
import { openOn } from '../src/database/open.ts'
import { InvalidArgumentError } from '../src/errors.ts'
import { Explorer } from '../src/explorer/api.ts'
import { type LogRecordView, type OperationView, viewLog } from '../src/explorer/log.ts'
import { BlockSource } from '../src/explorer/source.ts'
import { blockLsn } from '../src/pager/bucket.ts'
import { Arena } from '../src/runtime/bytes.ts'
import { type CrashPolicy, crashPolicies, FaultDisk, SimulatedCrash } from '../src/testing/fault.ts'
import type { RecoveryReport } from '../src/types.ts'

const DIRECTORY = 'db'
const OPTIONS = {
  keyEncoding: 'binary',
  valueEncoding: 'binary',
  storedEncoding: 'ignore',
  checkpointBytes: 4194304,
  logSegmentBytes: 1048576,
} as const
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

export class Playground {
  private disk: FaultDisk
  private db: Bytes
  private explorer: Explorer
  private readonly cities: () => Promise<readonly [string, string][]>

  /** `cities`: keys and values of the data set. */
  constructor(cities: () => Promise<readonly [string, string][]>, seed: number) {
    this.cities = cities
    this.disk = new FaultDisk({ seed })
    this.db = this.open()
    this.explorer = this.explore()
  }

  /** @throws XenonError */
  async call(name: string, params: Params): Promise<object> {
    if (name === 'load') return await this.load()
    if (name === 'crash') return await this.crash(params)
    if (name === 'flip') return this.flip(params)
    if (name === 'reopen') return await this.reopen()
    if (name === 'clear') return this.clear()
    if (name === 'getAll') return this.getAll()
    return await this.explorer.call(name, params)
  }

  private open(): Bytes {
    const { storage } = this.disk
    return openOn<Uint8Array, Uint8Array>(DIRECTORY, { ...OPTIONS, storage }, storage)
  }

  private explore(): Explorer {
    const { db } = this
    return new Explorer({ directory: DIRECTORY, storage: this.disk.storage, db, writable: true })
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

  private async reopen(): Promise<object> {
    await this.explorer.close()
    this.db.close()
    this.db = this.open()
    this.explorer = this.explore()
    return {}
  }

  /** Changes one stored bit of a block. The block is written to the file before. */
  private flip(params: Params): object {
    const { block, byte = 100 } = params
    const { blocks, identity } = this.db.layers.metadata
    if (!Number.isSafeInteger(block) || (block as number) < 1 || (block as number) >= blocks)
      throw new InvalidArgumentError(`block must be a number from 1 to ${blocks - 1}`)
    const at = (block as number) * identity.blockSize + Number(byte)
    this.db.close()
    const isThere = at < this.disk.bytes(`${DIRECTORY}/data`).length
    if (isThere) this.disk.flip(`${DIRECTORY}/data`, at * 8 + 3)
    this.db = this.open()
    this.explorer = this.explore()
    if (!isThere) throw new InvalidArgumentError(`block ${block} was never written: there is nothing to damage`)
    return { at }
  }

  /**
   * The power goes: now, or (`after`) at so many operations on the disk from now on, while records are written. Then the
   * database is opened on what is left.
   */
  private async crash(params: Params): Promise<CrashReport> {
    const policy = crashPolicies.find(each => each === params.policy) ?? 'none'
    if (params.after !== undefined) this.storm(Number(params.after))
    const unsynced = this.disk.settled ? 0 : this.unsynced()
    this.disk = this.disk.crash(policy)
    const before = this.plan()
    const files = this.files()
    this.db = this.open()
    this.explorer = this.explore()
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
              text: textOf(operations),
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

/** The longest text that is written, if it is one to read; else what the first operation does. */
const textOf = (operations: readonly OperationView[]): string => {
  const texts = operations.flatMap(({ data }) => (data?.text === undefined ? [] : [data.text.replace(/^\P{L}+/u, '')]))
  const longest = texts.filter(text => !/\p{Cc}/u.test(text)).sort((a, b) => b.length - a.length)[0]
  return longest === undefined || longest.length < 2 ? (operations[0]?.text ?? '') : longest.slice(0, 120)
}

/** The crash itself, or the failure of the handle that followed from it. */
const isCrash = (error: unknown): boolean =>
  error instanceof SimulatedCrash || (error as { cause?: unknown }).cause instanceof SimulatedCrash
