/** `xenondb export`: writes all records as JSON Lines or CSV. */
import { createWriteStream, renameSync, rmSync, type Stats, statSync } from 'node:fs'
import type { CAC } from 'cac'
import { argument, choiceOption, flagOption, type Options } from '../arguments.ts'
import { type ByteDatabase, records, withDatabase } from '../database.ts'
import { CommandError, EXIT_DONE } from '../errors.ts'
import { Output } from '../output.ts'
import { type Progress, startProgress } from '../progress.ts'
import { CsvWriter } from '../records/csv.ts'
import { JsonLinesWriter } from '../records/json-lines.ts'
import { chooseFormat, FORMATS, type Format, type RecordWriter } from '../records/record.ts'
import { count } from '../render.ts'
import { ENCODINGS, type Encoding } from '../text.ts'

export function registerExport(cli: CAC): void {
  cli
    .command('export <directory> [file]', 'Write all records to a file or stdout, as JSON Lines or CSV')
    .option('--format <format>', 'jsonl (default) or csv; a file name ending in .csv also means csv')
    .option('--encoding <encoding>', 'What the values are: utf8 (default), json, binary (written as base64)')
    .option('--force', 'Replace the file if it exists')
    .example(bin => `  $ ${bin} export students students.jsonl`)
    .example(bin => `  $ ${bin} export students --format csv | gzip > students.csv.gz`)
    .action((directory: string, file: string | undefined, options: Options) => {
      const target = file === undefined ? '-' : argument(file)
      const encoding = choiceOption(options, 'encoding', ENCODINGS) ?? 'utf8'
      const format = chooseFormat(choiceOption(options, 'format', FORMATS), target)
      const force = flagOption(options, 'force')
      return withDatabase(argument(directory), { createIfMissing: false, onlyReads: true }, async db => {
        const writer = writerFor(db, format, encoding)
        const outcome = await (target === '-' ? toStdout(db, writer) : toFile(db, writer, target, force))
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

/** A CSV header stands before the first record, so whether some record needs the encoding columns is looked up first. */
function writerFor(db: ByteDatabase, format: Format, encoding: Encoding): RecordWriter {
  if (format === 'jsonl') return new JsonLinesWriter(encoding)
  for (const { key, value } of records(db)) {
    if (CsvWriter.needsMarks(key, value, encoding)) return new CsvWriter(encoding, true)
  }
  return new CsvWriter(encoding, false)
}

function toStdout(db: ByteDatabase, writer: RecordWriter): Promise<Outcome> {
  return write(db, writer, new Output(process.stdout))
}

/** Writes beside the file and renames at the end, so that the name never stands for half an export. */
async function toFile(
  db: ByteDatabase,
  writer: RecordWriter,
  file: string,
  force: boolean,
): Promise<Outcome> {
  const existing = statOf(file)
  if (existing?.isDirectory()) throw new CommandError(`${file} is a directory`)
  if (existing?.isFile() && !force) throw new CommandError(`${file} exists; --force replaces it`)
  if (existing !== undefined && !existing.isFile()) return writeFile(db, writer, file)
  const partial = `${file}.partial`
  try {
    const outcome = await writeFile(db, writer, partial)
    renameSync(partial, file)
    return outcome
  } catch (error) {
    rmSync(partial, { force: true })
    throw error
  }
}

function statOf(file: string): Stats | undefined {
  return statSync(file, { throwIfNoEntry: false })
}

async function writeFile(db: ByteDatabase, writer: RecordWriter, file: string): Promise<Outcome> {
  const output = new Output(createWriteStream(file))
  try {
    const outcome = await write(db, writer, output)
    await output.end()
    return outcome
  } catch (error) {
    await output.abandon()
    throw error
  }
}

async function write(db: ByteDatabase, writer: RecordWriter, output: Output): Promise<Outcome> {
  const total = db.stats().records
  const progress: Progress = startProgress('export', total, 'records')
  let written = 0
  try {
    output.add(writer.header())
    for (const { key, value } of records(db)) {
      output.add(writer.record(key, value))
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
