/** `xenondb export`: writes all records as JSON Lines or CSV. */
import type { CAC } from 'cac'
import { argument, choiceOption, flagOption, type Options } from '../arguments.ts'
import { asBytes, type ByteDatabase, expiryOf, records, withDatabase } from '../database.ts'
import { EXIT_DONE } from '../errors.ts'
import { type KeyEncoding, keyEncodingOption, readKeyEncoding } from '../key-text.ts'
import { Output } from '../output.ts'
import { type Progress, startProgress } from '../progress.ts'
import { type CsvColumns, CsvWriter } from '../records/csv.ts'
import { JsonLinesWriter } from '../records/json-lines.ts'
import { chooseFormat, type FileRecord, FORMATS, type Format, type RecordWriter } from '../records/record.ts'
import { count } from '../render.ts'
import { writeTarget } from '../target-file.ts'
import { ENCODINGS, type Encoding } from '../text.ts'

export function registerExport(cli: CAC): void {
  keyEncodingOption(
    cli.command(
      'export <directory> [file]',
      'Write all records to a file or stdout, as JSON Lines or CSV, in order of their keys',
    ),
  )
    .option('--format <format>', 'jsonl (default) or csv; a file name ending in .csv also means csv')
    .option('--encoding <encoding>', 'What the values are: utf8 (default), json, binary (written as base64)')
    .option('--force', 'Replace the file if it exists')
    .example(bin => `  $ ${bin} export students students.jsonl`)
    .example(bin => `  $ ${bin} export students --format csv | gzip > students.csv.gz`)
    .action((directory: string, file: string | undefined, options: Options) => {
      const target = file === undefined ? '-' : argument(file)
      const encoding = choiceOption(options, 'encoding', ENCODINGS) ?? 'utf8'
      const format = chooseFormat(choiceOption(options, 'format', FORMATS), target)
      const keyEncoding = readKeyEncoding(options)
      const force = flagOption(options, 'force')
      return withDatabase(argument(directory), { createIfMissing: false, onlyReads: true }, async db => {
        const source = sourceOf(db)
        const writer = writerFor(source, format, encoding, keyEncoding)
        const outcome = await (target === '-'
          ? toStdout(source, writer)
          : writeTarget(target, force, output => write(source, writer, output)))
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

interface Source {
  /** Records that there are, those included that have expired and are not removed yet. */
  total: number
  records(): Iterable<FileRecord>
}

/** In key order and as of now, from a snapshot; without the ordered index, as the records lie in the blocks. */
function sourceOf(db: ByteDatabase): Source {
  const { records: total, ordered } = db.stats()
  const snapshot = ordered ? db.snapshot() : undefined
  const all = function* (): Generator<FileRecord> {
    if (snapshot === undefined) for (const record of records(db)) yield* timed(db, record.key, record.value)
    else for (const [key, value] of snapshot.entries()) yield* timed(db, asBytes(key), value)
  }
  return { total, records: all }
}

function* timed(db: ByteDatabase, key: Uint8Array, value: Uint8Array): Generator<FileRecord> {
  const expiresAt = expiryOf(db, key)
  if (expiresAt !== 0) yield { key, value, expiresAt }
}

/**
 * A CSV header stands before the first record, so which of the optional columns some record needs is looked up first.
 */
function writerFor(source: Source, format: Format, encoding: Encoding, keyEncoding: KeyEncoding): RecordWriter {
  if (format === 'jsonl') return new JsonLinesWriter(encoding, keyEncoding)
  const columns: CsvColumns = { marks: keyEncoding === 'tuple', times: false }
  for (const record of source.records()) {
    columns.marks ||= CsvWriter.needsMarks(record, encoding)
    columns.times ||= record.expiresAt !== undefined
    if (columns.marks && columns.times) break
  }
  return new CsvWriter(encoding, columns, keyEncoding)
}

function toStdout(source: Source, writer: RecordWriter): Promise<Outcome> {
  return write(source, writer, new Output(process.stdout))
}

async function write(source: Source, writer: RecordWriter, output: Output): Promise<Outcome> {
  const progress: Progress = startProgress('export', source.total, 'records')
  let written = 0
  try {
    output.add(writer.header())
    for (const record of source.records()) {
      output.add(writer.record(record))
      written++
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
