/** `xenondb export`: writes all records as JSON Lines or CSV. */
import type { CAC } from 'cac'
import { argument, choiceOption, flagOption, type Options } from '../arguments.ts'
import { asBytes, type ByteDatabase, type ByteSnapshot, expiryOf, records } from '../database.ts'
import { EXIT_DONE } from '../errors.ts'
import { Output } from '../output.ts'
import { type Place, placeOptions, placesFrom, readPlace, withPlace } from '../place.ts'
import { type Progress, startProgress } from '../progress.ts'
import { type CsvColumns, CsvWriter } from '../records/csv.ts'
import { JsonLinesWriter } from '../records/json-lines.ts'
import { chooseFormat, type FileRecord, FORMATS, type Format, type RecordWriter } from '../records/record.ts'
import { count } from '../render.ts'
import { writeTarget } from '../target-file.ts'
import { quoted } from '../text.ts'

export function registerExport(cli: CAC): void {
  placeOptions(
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
    .example(bin => `  $ ${bin} export shop users.jsonl --sub users`)
    .action((directory: string, file: string | undefined, options: Options) => {
      const target = file === undefined ? '-' : argument(file)
      const format = chooseFormat(choiceOption(options, 'format', FORMATS), target)
      const force = flagOption(options, 'force')
      const access = { createIfMissing: false, onlyReads: true }
      return withPlace(argument(directory), access, readPlace(options), async (place, db) => {
        const parts = partsOf(db, place, format)
        const outcome = await (target === '-'
          ? write(parts, new Output(process.stdout))
          : writeTarget(target, force, output => write(parts, output)))
        if (!outcome.cut) process.stderr.write(`exported ${count(outcome.written)} records\n`)
        return EXIT_DONE
      })
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
  records(): Iterable<FileRecord>
}

/** Of one moment, by one snapshot. CSV has room for one key space alone. */
function partsOf(db: ByteDatabase, place: Place, format: Format): Part[] {
  const { ordered } = db.stats()
  const snapshot = ordered ? db.snapshot() : undefined
  const from = place.path.length
  if (format === 'csv') {
    const source = sourceOf(db, place, snapshot)
    const subs = place.store.subs()
    if (subs.length > 0)
      process.stderr.write(
        `xenondb: the sub-databases ${subs.map(quoted).join(', ')} are not written: CSV holds one key space; use --format jsonl, or --sub\n`,
      )
    return [{ ...source, writer: csvWriter(source, place) }]
  }
  return [...placesFrom(place)].map(each => ({
    ...sourceOf(db, each, snapshot),
    writer: new JsonLinesWriter(each, each.path.slice(from)),
  }))
}

/** In key order and as of the snapshot; without the ordered index, as the records lie in the blocks. */
function sourceOf(db: ByteDatabase, { store, path }: Place, snapshot: ByteSnapshot | undefined): Omit<Part, 'writer'> {
  const all = function* (): Generator<FileRecord> {
    if (snapshot === undefined) for (const { key, value } of records(store)) yield* timed(store, key, value)
    else
      for (const [key, value] of snapshot.in<Uint8Array, string>(store).entries())
        yield* timed(store, asBytes(key), value)
  }
  return { total: path.length === 0 ? db.stats().records : store.count(), records: all }
}

function* timed(store: Place['store'], key: Uint8Array, value: Uint8Array): Generator<FileRecord> {
  const expiresAt = expiryOf(store, key)
  if (expiresAt !== 0) yield { key, value, expiresAt }
}

/** A CSV header stands before the first record: so which of the optional columns some record needs is looked up first. */
function csvWriter(source: Pick<Part, 'records'>, place: Place): RecordWriter {
  const columns: CsvColumns = { marks: place.keyEncoding === 'tuple', times: false }
  for (const record of source.records()) {
    columns.marks ||= CsvWriter.needsMarks(record, place.encoding)
    columns.times ||= record.expiresAt !== undefined
    if (columns.marks && columns.times) break
  }
  return new CsvWriter(place, columns)
}

function* lines(parts: readonly Part[]): Generator<[line: string, isRecord: boolean]> {
  for (const { writer, records } of parts) {
    yield [writer.header(), false]
    for (const record of records()) yield [writer.record(record), true]
  }
}

async function write(parts: readonly Part[], output: Output): Promise<Outcome> {
  const total = parts.reduce((sum, part) => sum + part.total, 0)
  const progress: Progress = startProgress('export', total, 'records')
  let written = 0
  try {
    for (const [line, isRecord] of lines(parts)) {
      output.add(line)
      if (isRecord) written++
      if (output.full) {
        progress.update(written)
        if (!(await output.flush())) break
      }
    }
    await output.flush()
  } finally {
    progress.stop()
  }
  return { written, cut: output.closed }
}
