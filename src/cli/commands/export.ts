/** `xenondb export`: writes all records as JSON Lines or CSV. */
import type { CAC } from 'cac'
import type { Range } from '../../types.ts'
import { argument, choiceOption, flagOption, type Options } from '../arguments.ts'
import { EXIT_DONE } from '../errors.ts'
import { Output } from '../output.ts'
import { readPlace, tellEncoding } from '../place.ts'
import { type Progress, startProgress } from '../progress.ts'
import { isFilter, isWhole, rangeOptions, readRange, requireOrdered } from '../range.ts'
import { type CsvColumns, CsvWriter } from '../records/csv.ts'
import { JsonLinesWriter } from '../records/json-lines.ts'
import { chooseFormat, type FileRecord, FORMATS, type Format, type RecordWriter } from '../records/record.ts'
import { count } from '../render.ts'
import { writeTarget } from '../target-file.ts'
import { quoted } from '../text.ts'
import { withDatabaseView } from '../view/open.ts'
import { placesIn, type ViewPlace, viewPlace } from '../view/place.ts'
import type { DatabaseView, Pages } from '../view/view.ts'

export function registerExport(cli: CAC): void {
  rangeOptions(
    cli.command(
      'export <directory> [file]',
      'Write all records to a file or stdout, as JSON Lines or CSV, in order of their keys; with those of sub-databases',
    ),
  )
    .option('--format <format>', 'jsonl (default) or csv; a file name ending in .csv also means csv')
    .option('--encoding <encoding>', 'What the values are: utf8 (default), json, binary (written as base64)')
    .option('--force', 'Replace the file if it exists')
    .example(bin => `  $ ${bin} export students students.jsonl`)
    .example(bin => `  $ ${bin} export students --format csv | gzip > students.csv.gz`)
    .example(bin => `  $ ${bin} export shop users.jsonl --sub users --prefix 2026-`)
    .action((directory: string, file: string | undefined, options: Options) => {
      const target = file === undefined ? '-' : argument(file)
      const format = chooseFormat(choiceOption(options, 'format', FORMATS), target)
      const force = flagOption(options, 'force')
      const given = readPlace(options)
      // Wrong usage is told before anything is opened.
      readRange(options, given.keyEncoding ?? 'utf8')
      const access = { createIfMissing: false, onlyReads: true }
      return withDatabaseView(argument(directory), access, database =>
        database.atOnce(async root => {
          const place = await viewPlace(database, root, given, access)
          tellEncoding(place, place.path)
          const range = readRange(options, place.keyEncoding)
          if (!isFilter(range)) requireOrdered(database, 'a range of keys')
          const parts = await partsOf(database, place, format, range)
          const outcome = await (target === '-'
            ? write(parts, new Output(process.stdout))
            : writeTarget(target, force, output => write(parts, output)))
          if (!outcome.cut) process.stderr.write(`exported ${count(outcome.written)} records\n`)
          return EXIT_DONE
        }),
      )
    })
}

interface Outcome {
  written: number
  /** The reader closed its end before all was written. */
  cut: boolean
}

/** What is written of one key space. */
interface Part {
  /** Records that there are, those included that have expired and are not removed yet. */
  total: number
  writer: RecordWriter
  records(): Pages<FileRecord>
}

/** CSV has room for one key space alone, and a range is one of the keys of one. */
async function partsOf(database: DatabaseView, place: ViewPlace, format: Format, range: Range): Promise<Part[]> {
  if (format === 'csv' || !isWhole(range)) {
    const subs = await place.view.subs()
    if (subs.length > 0)
      process.stderr.write(
        `xenondb: the sub-databases ${subs.map(quoted).join(', ')} are not written: ${format === 'csv' ? 'CSV holds one key space; use --format jsonl, or --sub' : 'a range is one of the keys of one key space; use --sub'}\n`,
      )
    const source = await sourceOf(database, place, range)
    return [{ ...source, writer: format === 'csv' ? await csvWriter(source, place) : new JsonLinesWriter(place) }]
  }
  const parts: Part[] = []
  for await (const each of placesIn(place))
    parts.push({
      ...(await sourceOf(database, each, range)),
      writer: new JsonLinesWriter(each, each.path.slice(place.path.length)),
    })
  return parts
}

/** In key order; without the ordered index, as the records lie in the blocks. */
async function sourceOf(
  database: DatabaseView,
  { view, path }: ViewPlace,
  range: Range,
): Promise<Omit<Part, 'writer'>> {
  const total =
    path.length === 0 && isWhole(range)
      ? (await database.stats()).records
      : await view.count(isWhole(range) ? undefined : range)
  return { total, records: () => view.records(range, true) }
}

/** A CSV header stands before the first record: so which of the optional columns some record needs is looked up first. */
async function csvWriter(source: Pick<Part, 'records'>, place: ViewPlace): Promise<RecordWriter> {
  const columns: CsvColumns = { marks: place.keyEncoding === 'tuple', times: false }
  for await (const page of source.records()) {
    for (const record of page) {
      columns.marks ||= CsvWriter.needsMarks(record, place.encoding)
      columns.times ||= record.expiresAt !== undefined
    }
    if (columns.marks && columns.times) break
  }
  return new CsvWriter(place, columns)
}

async function write(parts: readonly Part[], output: Output): Promise<Outcome> {
  const total = parts.reduce((sum, part) => sum + part.total, 0)
  const progress: Progress = startProgress('export', total, 'records')
  let written = 0
  try {
    for (const { writer, records } of parts) {
      output.add(writer.header())
      for await (const page of records()) {
        for (const record of page) output.add(writer.record(record))
        written += page.length
        if (!output.full) continue
        progress.update(written)
        if (!(await output.flush())) break
      }
      if (output.closed) break
    }
    await output.flush()
  } finally {
    progress.stop()
  }
  return { written, cut: output.closed }
}
