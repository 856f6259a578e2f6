/** `xenondb stats`: what lies in the files. */
import type { CAC } from 'cac'
import { CorruptionError, type Stats, type VerifyReport } from '../../index.ts'
import { argument, flagOption, type Options } from '../arguments.ts'
import { kindRows } from '../blocks.ts'
import { EXIT_DONE } from '../errors.ts'
import { print } from '../output.ts'
import { type EncodingNames, readSub, subOption } from '../place.ts'
import { count, heading, percent, size, table } from '../render.ts'
import { quoted } from '../text.ts'
import { LocalDatabase } from '../view/local.ts'
import { type ViewPlace, withViewPlace } from '../view/place.ts'
import type { DatabaseView } from '../view/view.ts'
import { verifyWithProgress } from './verify.ts'

export function registerStats(cli: CAC): void {
  subOption(cli.command('stats <directory>', 'Show records, blocks by kind, sizes and what recovery did'))
    .option('--quick', 'Leave out blocks by kind and fill, for which every block is read')
    .option('--json', 'Print everything as JSON')
    .action((directory: string, options: Options) => {
      const json = flagOption(options, 'json')
      const quick = flagOption(options, 'quick')
      const access = { createIfMissing: false, onlyReads: true }
      const given = { path: readSub(options), encoding: undefined, keyEncoding: undefined }
      return withViewPlace(argument(directory), access, given, async (place, database) => {
        if (place.path.length > 0) {
          const found = await ofSub(place)
          await print(json ? `${JSON.stringify(found, null, 2)}\n` : readableSub(place, found))
          return EXIT_DONE
        }
        const stats = await database.stats()
        const expired = stats.records - (await recordsNow(database, stats))
        // Of a database that another process has open, no block is read.
        const report = quick || !(database instanceof LocalDatabase) ? undefined : await verifyWithProgress(database.db)
        const encodings = database instanceof LocalDatabase ? database.db.storedEncodings : place.names!
        const all = { ...stats, encodings }
        await print(json ? asJson(all, report) : readable(all, report, expired))
        return EXIT_DONE
      })
    })
}

type DatabaseStats = Stats & { readonly encodings: EncodingNames }

/** What is to be said of a sub-database alone. */
const ofSub = async ({ view, path, names }: ViewPlace) => ({
  sub: path,
  ...names,
  records: await view.count(),
  subs: await view.subs(),
  indexes: (await view.facts()).indexes,
})

function readableSub(place: ViewPlace, found: Awaited<ReturnType<typeof ofSub>>): string {
  const { keyEncoding = '', valueEncoding = '', records, subs, indexes } = found
  const rows = [
    ['records', count(records)],
    ['keys', keyEncoding],
    ['values', valueEncoding],
    ['sub-databases', count(subs.length)],
    ['indexes', count(indexes.length)],
  ]
  return `${heading(place.path.map(quoted).join(' '))}\n${table(rows)}\n`
}

/** Without those that have expired and are not removed yet; all, if damage is in the way, which the report names. */
async function recordsNow({ root }: DatabaseView, { records }: Stats): Promise<number> {
  try {
    return await root.count()
  } catch (error) {
    if (error instanceof CorruptionError) return records
    throw error
  }
}

function asJson(stats: DatabaseStats, report: VerifyReport | undefined): string {
  const fill = report && {
    fill: report.fill,
    fillHistogram: report.fillHistogram,
    freeSlots: report.freeSlots,
  }
  const spaces = report === undefined ? stats.spaces : { ...stats.spaces, records: report.spaces }
  const all = { ...stats, spaces, blocks: { ...stats.blocks, ...report?.blocks }, ...fill }
  return `${JSON.stringify(all, null, 2)}\n`
}

function readable(stats: DatabaseStats, report: VerifyReport | undefined, expired: number): string {
  const blocks = report ? table(kindRows(report.blocks), [1, 2]) : table(plainBlockRows(stats), [1])
  const sections = [
    `${heading(stats.directory)}\n${table(databaseRows(stats, report, expired))}`,
    `${heading('blocks')}\n${blocks}`,
  ]
  if (stats.recovery.needed) {
    sections.push(`${heading('recovery at this opening')}\n${table(recoveryRows(stats), [1])}`)
  }
  return `${sections.join('\n\n')}\n`
}

function databaseRows(stats: DatabaseStats, report: VerifyReport | undefined, expired: number): string[][] {
  const rows = [
    ['uuid', stats.uuid],
    [
      'records',
      expired > 0 ? `${count(stats.records)}, of which ${count(expired)} have expired` : count(stats.records),
    ],
    ...(stats.spaces.count === 0 ? [] : [['sub-databases and indexes', spacesText(stats, report)]]),
    ['keys', stats.encodings.keyEncoding || 'not said yet'],
    ['values', stats.encodings.valueEncoding || 'not said yet'],
    ['block size', size(stats.blockSize)],
    ['ordered', stats.ordered ? 'yes' : 'no'],
    ['data file', `${size(stats.dataBytes)}, ${size(stats.dataBytesAllocated)} on the disk`],
    ['log', `${size(stats.logBytes)} in ${count(stats.logSegments)} segments, ${size(stats.logBytesInUse)} in use`],
  ]
  if (stats.reclaim.pending) rows.push(['cleared', 'some blocks are not free yet; opening it for writing frees them'])
  if (report) rows.push(['fill', `${percent(report.fill)}, ${count(report.freeSlots)} free slots`])
  if (report && !report.ok) rows.push(['damage', `${count(report.problemCount)} problems; xenondb verify names them`])
  return rows
}

function spacesText({ spaces }: Stats, report: VerifyReport | undefined): string {
  if (spaces.count === undefined) return 'their list is damaged'
  if (report === undefined) return count(spaces.count)
  const records = report.spaces.reduce((sum, space) => sum + space.records, 0)
  return `${count(spaces.count)}, with ${count(records)} records`
}

function plainBlockRows({ blocks }: Stats): string[][] {
  return [
    ['total', count(blocks.total)],
    ['free', count(blocks.free)],
  ]
}

function recoveryRows({ recovery }: Stats): string[][] {
  return [
    ['log records read', count(recovery.recordsScanned)],
    ['changes redone', count(recovery.redone)],
    ['transactions rolled back', count(recovery.transactionsRolledBack)],
    ['torn tail dropped', size(recovery.tornTailBytes)],
    ['time', `${recovery.milliseconds.toFixed(1)} ms`],
  ]
}
