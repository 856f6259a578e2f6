/** Turns what was found on the way into the report. */
import { latin1 } from '../txn/changed-keys.ts'
import type { SalvageKey, SalvageList, SalvageReport } from '../types.ts'
import type { Blocks } from './blocks.ts'
import type { Collector } from './collect.ts'
import type { LostValue } from './large.ts'
import { Notes } from './notes.ts'
import type { RedoOutcome } from './redo.ts'
import type { Source } from './source.ts'
import type { Target } from './target.ts'
import type { Unfinished } from './unfinished.ts'

export type LogState = SalvageReport['log']['state']

/** What is noted while records are taken. */
export class Findings {
  readonly warnings: string[] = []
  readonly lostKeys: Notes<SalvageKey> = new Notes()
  readonly duplicates: Notes<SalvageKey> = new Notes()

  private readonly lostNames: Set<string> = new Set()

  lost(key: Uint8Array, { block, reason }: LostValue): void {
    this.lostKeys.add(inWords(key, block, reason))
    this.lostNames.add(latin1(key, 0, key.length))
  }

  /** An older record must not take the place of one that is lost. */
  isLost(key: Uint8Array): boolean {
    return this.lostNames.size > 0 && this.lostNames.has(latin1(key, 0, key.length))
  }

  duplicate(key: Uint8Array, block: number, reason: string): void {
    this.duplicates.add(inWords(key, block, reason))
  }
}

export interface Parts {
  source: Source
  blocks: Blocks
  redone: RedoOutcome
  unfinished: Unfinished
  collector: Collector
  target: Target
  findings: Findings
  log: LogState
}

export const buildReport = (parts: Parts): SalvageReport => {
  const { source, blocks, redone, unfinished, collector, target, findings, log } = parts
  const { soundStates, metadata } = source
  const expectedRecords = soundStates > 0 && log === 'sound' ? metadata.records : undefined
  const nothingLost =
    collector.gaps.count + findings.lostKeys.count + collector.misplaced.count + unfinished.cutOff === 0
  const misplaced = {
    count: collector.misplaced.count,
    first: collector.misplaced.kept.map(({ key, block }) =>
      inWords(key, block, 'the hash of the key belongs elsewhere'),
    ),
  }
  return {
    complete: nothingLost && log === 'sound' && source.log.groupsInDoubt === 0 && expectedRecords === target.records,
    records: target.records,
    bytes: target.bytes,
    expired: target.expired,
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

const furtherWarnings = (parts: Parts, expected: number | undefined): string[] => {
  const { source, unfinished, collector, target, log } = parts
  const warnings: string[] = []
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
  if (expected !== undefined && expected !== target.records)
    warnings.push(`there were ${expected} records; ${target.records} were rescued`)
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
