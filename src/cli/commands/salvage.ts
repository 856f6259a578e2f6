/**
 * `xenondb salvage`: rescues what is readable of a damaged database into a new one; status 1 when something was lost.
 */
import type { CAC } from 'cac'
import { type SalvageList, type SalvageOptions, type SalvagePhase, type SalvageReport, salvage } from '../../index.ts'
import { argument, countOption, flagOption, type Options } from '../arguments.ts'
import { requireNoNode } from '../database.ts'
import { EXIT_DONE, EXIT_FAILED, printable, UsageError } from '../errors.ts'
import { opening } from '../opening.ts'
import { print } from '../output.ts'
import { type Progress, startProgress } from '../progress.ts'
import { bad, count, good, heading, size, table } from '../render.ts'

/** Lines shown of each list; the JSON has more. */
const SHOWN = 10
const LAST_POSITION = 0xffffffff

export function registerSalvage(cli: CAC): void {
  cli
    .command(
      'salvage <directory> <new-directory>',
      'Rescue what is readable of a damaged database into a new one; status 1 when something was lost',
    )
    .option('--block-size <bytes>', 'Block size of the new database; that of the damaged one by default')
    .option('--force', 'Rescue the copy of a node of a cluster too; each key has its slot in front there')
    .option('--json', 'Print the report as JSON')
    .example(bin => `  $ ${bin} salvage students students-rescued`)
    .action(async (directory: string, newDirectory: string, options: Options) => {
      const json = flagOption(options, 'json')
      const blockSize = countOption(options, 'blockSize')
      if (blockSize !== undefined && ![4096, 8192, 16384, 32768, 65536].includes(blockSize))
        throw new UsageError('--block-size must be 4096, 8192, 16384, 32768 or 65536')
      if (!flagOption(options, 'force'))
        requireNoNode(
          argument(directory),
          'start the node with an empty directory, and it takes the newest snapshot and the log; only if those are lost as well, --force rescues what is readable here',
        )
      const report = await salvageWithProgress(
        argument(directory),
        argument(newDirectory),
        blockSize === undefined ? {} : { blockSize },
      )
      await print(json ? `${JSON.stringify(report, null, 2)}\n` : readable(report, argument(newDirectory)))
      return report.complete ? EXIT_DONE : EXIT_FAILED
    })
}

/** One bar for each phase. */
async function salvageWithProgress(
  directory: string,
  newDirectory: string,
  options: SalvageOptions,
): Promise<SalvageReport> {
  let shown: { phase: SalvagePhase; bar: Progress } | undefined
  try {
    return await salvage(directory, newDirectory, {
      ...options,
      ...opening(),
      onProgress: ({ phase, done, total }) => {
        if (shown?.phase !== phase) {
          shown?.bar.stop()
          shown = { phase, bar: startProgress(phase, total, 'blocks') }
        }
        shown.bar.update(done)
      },
    })
  } finally {
    shown?.bar.stop()
  }
}

function readable(report: SalvageReport, newDirectory: string): string {
  const sections = [
    `${heading(`rescued into ${printable(newDirectory)}`)}\n${table(rescuedRows(report), [1])}`,
    ...list('sub-databases', report.spaces.length, report.spaces, spaceRow),
    `${heading('the damaged database')}\n${table(stateRows(report))}`,
    ...found('damaged blocks', report.damagedBlocks, ({ block, use, reason }) => [
      `block ${block}`,
      use === 'unknown' ? '' : use,
      reason,
    ]),
    ...found('records may be missing here', report.gaps, ({ block, indexBlock, from, to, space }) => [
      `block ${block}`,
      `${space === undefined ? '' : `${pathText(space)}, `}index block ${indexBlock}, ${from === 0 && to === LAST_POSITION ? 'all of it' : `hash ${hex(from)} to ${hex(to)}`}`,
      'an unknown number of records',
    ]),
    ...found('large values lost', report.lostKeys, keyRow),
    ...found('keys found twice, left out here', report.duplicates, keyRow),
    ...found('keys found where they do not belong, left out', report.misplaced, keyRow),
    ...found('newer than the readable log: taken, but perhaps never committed', report.newerBlocks, blockRow),
    ...report.warnings.map(warning => `warning: ${printable(warning)}`),
    report.complete ? good('complete: nothing was lost') : bad('not complete'),
  ]
  return `${sections.join('\n\n')}\n`
}

function rescuedRows({ records, expired, ordered, expectedRecords, bytes }: SalvageReport): string[][] {
  const rows = [
    ['records', count(records)],
    ['bytes', size(bytes)],
  ]
  if (expired > 0) rows.push(['of which have expired', count(expired)])
  rows.push(['ordered', ordered ? 'yes' : 'no'])
  if (expectedRecords !== undefined) rows.push(['records that there were', count(expectedRecords)])
  return rows
}

function stateRows({ blocks, block0, log, unfinishedTransactions }: SalvageReport): string[][] {
  const identity = block0.identity === 'sound' ? 'sound' : 'lost, taken from the log'
  const rows = [
    ['blocks', `${count(blocks.sound)} of ${count(blocks.total)} sound, ${count(blocks.damaged)} damaged`],
    ['block 0', `identity ${identity}; state ${block0.state}`],
    ['log', `${log.state}, read from LSN ${log.from} to ${log.end}`],
  ]
  if (blocks.rebuilt > 0) rows.push(['rebuilt from the log', `${count(blocks.rebuilt)} damaged blocks`])
  if (unfinishedTransactions > 0)
    rows.push(['taken back', `${count(unfinishedTransactions)} transactions that were never committed`])
  return rows
}

function found<T>(title: string, { count: all, first }: SalvageList<T>, row: (item: T) => string[]): string[] {
  return list(title, all, first, row)
}

function list<T>(title: string, all: number, first: readonly T[], row: (item: T) => string[]): string[] {
  if (all === 0) return []
  const rows = first.slice(0, SHOWN).map(item => row(item).map(printable))
  const more = all > rows.length ? `\n  … and ${count(all - rows.length)} more` : ''
  return [`${heading(`${title} (${count(all)})`)}\n${table(rows)}${more}`]
}

function keyRow({ key, base64, block, reason, space }: SalvageReport['lostKeys']['first'][number]): string[] {
  const name = base64 ? `base64 ${key}` : JSON.stringify(key)
  return [space === undefined ? name : `${name} of ${pathText(space)}`, `block ${block}`, reason]
}

function spaceRow({ path, records, bytes, gaps, lostKeys }: SalvageReport['spaces'][number]): string[] {
  const lost = gaps > 0 ? 'records may be missing' : lostKeys > 0 ? `${count(lostKeys)} large values lost` : ''
  return [pathText(path), `${count(records)} records`, size(bytes), lost]
}

/** `users / mails` */
function pathText(path: readonly string[]): string {
  return path.join(' / ')
}

function blockRow({ block, records }: { block: number; records: number }): string[] {
  return [`block ${block}`, `${count(records)} records`]
}

function hex(position: number): string {
  return position.toString(16).padStart(8, '0')
}
