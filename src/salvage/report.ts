/** Turns what was found on the way into the report. */
import { latin1 } from '../txn/changed-keys.ts'
import type { Blocks } from './blocks.ts'
import type { Cleared } from './cleared.ts'
import type { Collector } from './collect.ts'
import type { Domain } from './domain.ts'
import type { LostValue } from './large.ts'
import { Notes } from './notes.ts'
import type { RedoOutcome } from './redo.ts'
import type { SalvageKey, SalvageList, SalvageReport, SalvageSpace } from './shapes.ts'
import type { Source } from './source.ts'
import type { FoundSpaces } from './spaces.ts'
import type { Target, TargetSpace } from './target.ts'
import type { Unfinished } from './unfinished.ts'

export type LogState = SalvageReport['log']['state']

/** What is noted while records are taken. */
export class Findings {
  readonly warnings: string[] = []
  readonly lostKeys: Notes<SalvageKey> = new Notes()
  readonly duplicates: Notes<SalvageKey> = new Notes()

  private readonly lostNames: Set<string> = new Set()

  lost(domain: Domain, key: Uint8Array, { block, reason }: LostValue): void {
    domain.lostKeys++
    this.lostKeys.add({ ...inWords(key, block, reason), ...domain.inReport })
    this.lostNames.add(nameIn(domain, key))
  }

  /** An older record must not take the place of one that is lost. */
  isLost(domain: Domain, key: Uint8Array): boolean {
    return this.lostNames.size > 0 && this.lostNames.has(nameIn(domain, key))
  }

  duplicate(domain: Domain, key: Uint8Array, block: number, reason: string): void {
    this.duplicates.add({ ...inWords(key, block, reason), ...domain.inReport })
  }
}

const nameIn = ({ number }: Domain, key: Uint8Array): string => `${number} ${latin1(key, 0, key.length)}`

export interface Parts {
  source: Source
  blocks: Blocks
  redone: RedoOutcome
  unfinished: Unfinished
  collector: Collector
  cleared: Cleared
  spaces: FoundSpaces
  /** Where the records of each key space went, the root first. */
  rescued: ReadonlyMap<Domain, TargetSpace>
  target: Target
  findings: Findings
  log: LogState
}

export const buildReport = (parts: Parts): SalvageReport => {
  const { source, blocks, redone, unfinished, collector, rescued, target, findings, log } = parts
  const { soundStates } = source
  const { root } = target
  const expectedRecords = expectedIn(parts)
  const misplaced = {
    count: collector.misplaced.count,
    first: collector.misplaced.kept.map(({ domain, key, block }) => ({
      ...inWords(key, block, 'the hash of the key belongs elsewhere'),
      ...domain.inReport,
    })),
  }
  return {
    complete: isComplete(parts),
    records: root.records,
    bytes: root.bytes,
    spaces: spacesOf(rescued),
    unknownSpaces: { ...collector.unknown },
    expired: root.expired,
    ordered: target.ordered,
    expectedRecords,
    blockSize: source.data.blockSize,
    blocks: {
      total: blocks.total - 1,
      sound: blocks.sound,
      damaged: blocks.damaged,
      rebuilt: redone.rebuilt,
    },
    damagedBlocks: { count: blocks.damaged, first: [...blocks.damagedBlocks.values()] },
    block0: {
      identity: source.identityProblem === undefined ? 'sound' : 'rebuilt',
      state: (['lost', 'one copy damaged', 'sound'] as const)[soundStates]!,
      problem: source.identityProblem,
    },
    log: { state: log, from: source.log.from, end: source.log.end, segments: source.log.segments.length },
    unfinishedTransactions: unfinished.transactions,
    gaps: listOf(collector.gaps),
    lostKeys: listOf(findings.lostKeys),
    duplicates: listOf(findings.duplicates),
    misplaced,
    newerBlocks: listOf(collector.newer),
    warnings: [...findings.warnings, ...furtherWarnings(parts, expectedRecords)],
    milliseconds: 0,
  }
}

const expectedIn = ({ source, log }: Parts): number | undefined =>
  source.soundStates > 0 && log === 'sound' ? source.metadata.records : undefined

const isComplete = (parts: Parts): boolean => {
  const { source, unfinished, collector, spaces, findings, target, log } = parts
  const lost = collector.gaps.count + findings.lostKeys.count + collector.misplaced.count + unfinished.cutOff
  const isWhole = spaces.areAll && lost === 0 && log === 'sound' && source.log.groupsInDoubt === 0
  return isWhole && expectedIn(parts) === target.root.records
}

const spacesOf = (rescued: ReadonlyMap<Domain, TargetSpace>): SalvageSpace[] => {
  const spaces: SalvageSpace[] = []
  for (const [{ found, gaps, lostKeys }, { records, bytes, expired }] of rescued)
    if (found !== undefined) spaces.push({ path: found.path, records, bytes, expired, gaps, lostKeys })
  return spaces
}

const furtherWarnings = (parts: Parts, expected: number | undefined): string[] => {
  const { source, unfinished, collector, cleared, spaces, log } = parts
  const { records } = parts.target.root
  const warnings: string[] = [...spaces.warnings]
  const { malformed } = source.log
  if (malformed.count > 0)
    warnings.push(
      `${malformed.count} records of the log have a right checksum, but no log writer makes such ones (the first: ${malformed.kept[0]!.problem} at LSN ${malformed.kept[0]!.lsn}); they were left out`,
    )
  if (log === 'damaged')
    warnings.push(`the log cannot be read from LSN ${source.log.end} on: commits behind that may be missing`)
  if (log === 'missing')
    warnings.push('no part of the log could be used: commits since the last checkpoint are missing')
  if (log === 'unknown')
    warnings.push('block 0 does not tell which part of the log is needed: whether it is all there is unknown')
  if (log === 'sound' && source.log.groupsInDoubt > 0)
    warnings.push(
      `the log ends at LSN ${source.log.end}; ${source.log.groupsInDoubt} groups behind that were left out: they are the torn tail of a crash, or there is damage before them`,
    )
  if (log !== 'sound' && unfinished.transactions > 0)
    warnings.push(
      `${unfinished.transactions} transactions were taken back; their commits may lie in the lost part of the log`,
    )
  if (unfinished.cutOff > 0)
    warnings.push(`${unfinished.cutOff} unfinished transactions could be taken back in part only`)
  if (collector.orphans > 0)
    warnings.push(
      `${collector.orphans} sound buckets were left out: nothing leads to them, and nothing that could is damaged`,
    )
  const { unknown } = collector
  if (unknown.blocks > 0) {
    const whose = [
      ...(spaces.areAll ? [] : ['belong to a sub-database whose name is lost']),
      ...(cleared.areAll ? [] : ['have been cleared before']),
    ]
    warnings.push(
      `${unknown.blocks} sound buckets with ${unknown.records} records were left out: they may ${whose.join(', or ')}`,
    )
  }
  if (source.metadata.mark !== undefined && !isComplete(parts))
    warnings.push('the mark was left out: what was rescued is not all of the state that it names')
  if (expected !== undefined && expected !== records)
    warnings.push(`there were ${expected} records; ${records} were rescued`)
  return warnings
}

const listOf = <T>(notes: Notes<T>): SalvageList<T> => ({ count: notes.count, first: notes.kept })

const inWords = (key: Uint8Array, block: number, reason: string): SalvageKey => {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(key)
    return { key: text, block, reason }
  } catch {
    return { key: btoa(latin1(key, 0, key.length)), base64: true, block, reason }
  }
}
