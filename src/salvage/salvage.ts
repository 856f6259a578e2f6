/**
 * Salvage: builds a new database from every record of a damaged one whose block and checksum are sound, and reports
 * exactly what could not be read. The damaged files are read only; nothing is guessed.
 *
 *   source   who the database is, and its log as far as it is whole        source.ts, segments.ts, log.ts
 *   redo     each block brought up to date with the log, in memory         redo.ts, storage/overlay.ts
 *   look     every block: sound or damaged                                 blocks.ts
 *   spaces   the sub-databases by name; what was cleared, to leave it out  spaces.ts, cleared.ts, domain.ts
 *   collect  records that the index leads to, then those it cannot         collect.ts, large.ts
 *   undo     what was never committed taken back, record by record         unfinished.ts
 *   recode   convert() alone: values of one key space in another encoding  recode.ts
 *   target   written in batches, verified, and only then given its name    target.ts
 */

import { waitForLockAside } from '../database/lock-wait.ts'
import { resolveOptions } from '../database/options.ts'
import { encodedNote } from '../database/sub-spaces.ts'
import { DatabaseLockedError, InvalidArgumentError, noRoomFor, XenonError } from '../errors.ts'
import { EXPIRY_BYTES, RecordFlag, readTime } from '../pager/bucket.ts'
import { FIRST_OVERFLOW_BLOCK } from '../pager/layout.ts'
import { isBytes } from '../runtime/bytes.ts'
import { requireProgress } from '../runtime/callbacks.ts'
import { nextTurn, performance } from '../runtime/timers.ts'
import type { DirectoryLock, Storage } from '../storage/storage.ts'
import { Blocks } from './blocks.ts'
import { findCleared } from './cleared.ts'
import { Collector, type FoundRecord } from './collect.ts'
import { Domain } from './domain.ts'
import { LargeReader } from './large.ts'
import { type Recode, type Recoding, recodingOf } from './recode.ts'
import { mostBlocks, type RedoOutcome, redo } from './redo.ts'
import { buildReport, Findings, type LogState } from './report.ts'
import type { SalvagePhase, SalvageReport } from './shapes.ts'
import { openSource, type Source } from './source.ts'
import { findSpaces } from './spaces.ts'
import { requireApart, requireEmpty, Target, type TargetSpace } from './target.ts'
import { Unfinished } from './unfinished.ts'

/** How `salvage` goes about it. */
export interface SalvageOptions {
  /** Block size of the new database. Default: that of the damaged one. */
  blockSize?: number | undefined
  /** Bytes of the buffer pool that the new database is written with. Default: as for `open`. */
  cacheBytes?: number | undefined
  /** As for `open`; of the damaged database. */
  lockWait?: number | undefined
  /** As for `open`; of the damaged database. Default false. */
  takeover?: boolean | undefined
  /** Where both databases live. Default: Node's file system. */
  storage?: Storage | undefined
  /**
   * Called now and then: of blocks looked at, of buckets that records were taken from, of blocks of the new database
   * checked.
   */
  onProgress?: ((progress: { phase: SalvagePhase; done: number; total: number }) => void) | undefined
}

/** Blocks or records between two turns of the event loop. */
const SLICE = 1024
const KNOWN = new Set(['blockSize', 'cacheBytes', 'lockWait', 'takeover', 'storage', 'onProgress'])

/** `index.ts` adds the default storage. */
export const salvageOn = async (
  given: string,
  newGiven: string,
  options: SalvageOptions,
  defaultStorage: Storage,
): Promise<SalvageReport> => {
  const started = performance.now()
  for (const path of [given, newGiven])
    if (typeof path !== 'string' || path.length === 0 || path.includes('\0'))
      throw new InvalidArgumentError('salvage() takes the paths of two directories')
  const storage = checkOptions(options, defaultStorage)
  const [directory, newDirectory] = [given, newGiven].map(path => storage.resolve?.(path) ?? path) as [string, string]
  requireApart(storage, directory, newDirectory)
  if (storage.kind(directory) !== 'directory')
    throw new XenonError('XENON_NOT_FOUND', `there is no database in ${directory}; check the path`)
  requireEmpty(storage, newDirectory)
  const findings = new Findings()
  const { lockWait = 0, takeover = false } = options
  const lock = await waitForLockAside(lockWait, () => takeLock(storage, directory, takeover, findings))
  try {
    const report = await rescueFrom(storage, directory, newDirectory, options, findings)
    return { ...report, milliseconds: performance.now() - started }
  } finally {
    lock?.release()
  }
}

/** `recode`: whose values are to be of another encoding. */
export interface RescueOptions extends Pick<SalvageOptions, 'blockSize' | 'cacheBytes' | 'onProgress'> {
  recode?: Recode | undefined
}

/** With absolute paths; the caller holds the lock of the first, and nothing lies in the second. */
export const rescueFrom = async (
  storage: Storage,
  directory: string,
  newDirectory: string,
  options: RescueOptions,
  findings: Findings = new Findings(),
): Promise<SalvageReport> => {
  const source = openSource(storage, directory, sentence => findings.warnings.push(sentence))
  try {
    return await rescue(source, newDirectory, options, storage, findings)
  } catch (error) {
    throw noRoomFor('the new database', error)
  } finally {
    source.close()
  }
}

const checkOptions = (options: SalvageOptions, defaultStorage: Storage): Storage => {
  if (options === null || typeof options !== 'object') throw new InvalidArgumentError('the options must be an object')
  for (const name of Object.keys(options))
    if (!KNOWN.has(name))
      throw new InvalidArgumentError(`there is no option '${name}'; known are ${[...KNOWN].join(', ')}`)
  const { onProgress, ...others } = options
  requireProgress(onProgress)
  return resolveOptions(others, defaultStorage).storage
}

/** Where no lock can be written nobody else can write either. */
const takeLock = (
  storage: Storage,
  directory: string,
  takeover: boolean,
  findings: Findings,
): DirectoryLock | undefined => {
  try {
    return storage.lock(directory, { takeover })
  } catch (error) {
    if (error instanceof DatabaseLockedError || !(error instanceof XenonError)) throw error
    findings.warnings.push(`worked without a lock: ${error.message}`)
    return undefined
  }
}

const rescue = async (
  source: Source,
  newDirectory: string,
  options: RescueOptions,
  storage: Storage,
  findings: Findings,
): Promise<SalvageReport> => {
  const progress = (phase: SalvagePhase, done: number, total: number): void =>
    options.onProgress?.({ phase, done, total })
  const logWasCut = source.soundStates === 0 && (await isCutOff(source))
  const most = mostBlocks(source)
  const redone: RedoOutcome = logWasCut ? { losers: new Map(), rebuilt: 0 } : redo(source)
  const unfinished = new Unfinished(source.log, redone.losers)
  const blocks = new Blocks(source, Math.min(most, blocksOf(source)))
  for (let block = 1; block < blocks.total; block++) {
    blocks.look(block, unfinished.blocks.has(block))
    if (block % SLICE === 0) {
      progress('read', block, blocks.total)
      await turn()
    }
  }
  if (source.soundStates > 0) blocks.noteFree(source.metadata.freeHead)
  const end = logWasCut ? blocks.maxLsn : source.log.end
  const spaces = findSpaces(source, blocks, end)
  blocks.noteTrees(spaces.spaces.map(({ facts }) => facts))
  const cleared = findCleared(source, blocks)
  const root = Domain.root(source.knowsHashKey ? source.metadata.identity.hashKey : undefined)
  const domains = [root, ...spaces.spaces.map(found => Domain.of(found))]
  const collector = new Collector(source, blocks, end, domains, spaces.areAll, cleared)
  const large = new LargeReader(blocks, source.data.blockSize, end)
  const recoding = options.recode && recodingOf(options.recode, domains, source, storage.deflate)
  const target = new Target(storage, newDirectory, {
    blockSize: options.blockSize ?? source.data.blockSize,
    ordered: source.soundStates === 0 || source.metadata.ordered,
    encodings: recoding?.of.isRoot ? recoding.names : source.metadata,
    cacheBytes: options.cacheBytes,
  })
  try {
    const rescued = makeSpaces(domains, target, recoding)
    let seen = 0
    for (const record of everyRecord(domains, collector, unfinished)) {
      const space = rescued.get(record.domain)
      if (space !== undefined) take(record, target, space, large, findings, recoding)
      if (++seen % SLICE === 0) {
        progress('rescue', collector.bucketsReached, blocks.buckets)
        await turn()
      }
    }
    const log = logState(source, blocks, logWasCut)
    const found = { source, blocks, redone, unfinished, collector, cleared, spaces, rescued, target, findings, log }
    const report = buildReport(found)
    const { mark } = source.metadata
    if (mark !== undefined && report.complete) target.mark(mark)
    await target.finish((done, total) => progress('verify', done, total))
    return report
  } catch (error) {
    target.abandon()
    throw error
  }
}

/** The key spaces of the new database: those of the damaged one, but for indexes, which are built anew. */
const makeSpaces = (
  [root, ...others]: readonly Domain[],
  target: Target,
  recoding: Recoding | undefined,
): Map<Domain, TargetSpace> => {
  const rescued = new Map([[root!, target.root]])
  const byNumber = new Map([[0, target.root]])
  for (const domain of others) {
    const { parent, name, note } = domain.found!.facts
    const outer = byNumber.get(parent)
    if (domain.isIndex || outer === undefined) continue
    const space = target.make(outer, name, recoding?.of === domain ? encodedNote(recoding.names) : note)
    rescued.set(domain, space)
    byNumber.set(domain.number, space)
  }
  return rescued
}

/** What the index leads to, then what was committed before unfinished transactions, then what the index misses. */
function* everyRecord(
  domains: readonly Domain[],
  collector: Collector,
  unfinished: Unfinished,
): Generator<FoundRecord> {
  for (const domain of domains)
    for (const record of collector.reachable(domain)) if (!unfinished.touched(domain.number, record.key)) yield record
  for (const domain of domains)
    for (const record of unfinished.committed(domain.number))
      yield { ...record, domain, block: 0, isNewer: false, isStray: false }
  for (const record of collector.strays()) if (!unfinished.touched(record.domain.number, record.key)) yield record
}

const take = (
  record: FoundRecord,
  target: Target,
  space: TargetSpace,
  large: LargeReader,
  findings: Findings,
  recoding: Recoding | undefined,
): void => {
  const { domain, key, block, field, isNewer, isStray } = record
  let { flags } = record
  if (isStray && findings.isLost(domain, key)) return
  const expires = (flags & RecordFlag.expires) !== 0
  if (expires && field.length < EXPIRY_BYTES) {
    findings.lost(domain, key, { block, reason: `its time of expiry has ${field.length} bytes` })
    return
  }
  let value = expires ? field.subarray(EXPIRY_BYTES) : field
  if ((flags & RecordFlag.large) !== 0) {
    const read = large.read(value, block, isNewer)
    if (!isBytes(read)) {
      findings.lost(domain, key, read)
      return
    }
    value = read
  }
  if (recoding?.of === domain) [flags, value] = recoding.recode(key, flags, value)
  if (!target.add(space, key, flags, value, expires ? readTime(field, 0) : 0))
    findings.duplicate(
      domain,
      key,
      block,
      isStray ? 'the index does not lead to this one' : 'a second record in its bucket',
    )
}

/** The end of the blocks that matter. */
const blocksOf = ({ soundStates, metadata, log, data }: Source): number => {
  const inFile = Math.floor(data.file.size() / data.blockSize)
  const isCertain = soundStates > 0 && log.end >= metadata.logLsn && log.groupsBehind === 0
  return Math.max(FIRST_OVERFLOW_BLOCK, isCertain ? metadata.blocks : Math.max(metadata.blocks, inFile))
}

/**
 * A clean close cuts the log off after everything has been written to the blocks. Without block 0 that shows in blocks
 * newer than the one segment that is left: then the log has nothing to say any more.
 */
const isCutOff = async (source: Source): Promise<boolean> => {
  if (!source.log.wasClosed) return false
  const blocks = new Blocks(source, Math.min(mostBlocks(source), blocksOf(source)))
  for (let block = 1; block < blocks.total; block++) {
    blocks.look(block, true)
    if (block % SLICE === 0) await turn()
  }
  return blocks.maxLsn > source.log.end
}

const logState = (source: Source, blocks: Blocks, logWasCut: boolean): LogState => {
  const { log, metadata, soundStates } = source
  if (log.groupsBehind > 0 || (!logWasCut && blocks.maxLsn > log.end)) return 'damaged'
  if (soundStates === 0) return log.groups === 0 && !logWasCut ? 'missing' : 'unknown'
  if (log.end < metadata.logLsn) return log.groups === 0 ? 'missing' : 'damaged'
  if (!log.holdsRedoLsn) return log.groups === 0 ? 'missing' : 'unknown'
  return 'sound'
}

const turn = (): Promise<void> => new Promise(resolve => nextTurn(resolve))
