/** `xenondb import`: stores the records of a JSON Lines or CSV file, in batches. */
import type { CAC } from 'cac'
import { argument, choiceOption, countOption, type Options } from '../arguments.ts'
import type { ByteDatabase } from '../database.ts'
import { CommandError, EXIT_DONE, EXIT_INTERRUPTED } from '../errors.ts'
import { Importer } from '../importer.ts'
import { BomFilter, type Input, openInput } from '../input.ts'
import { placeOptions, readPlace, withPlace } from '../place.ts'
import { startProgress } from '../progress.ts'
import { CsvReader } from '../records/csv.ts'
import { JsonLinesReader } from '../records/json-lines.ts'
import { DEFAULT_LIMIT, LARGEST_LIMIT } from '../records/limit.ts'
import { chooseFormat, FORMATS, type RecordReader } from '../records/record.ts'
import { count } from '../render.ts'

export function registerImport(cli: CAC): void {
  placeOptions(cli.command('import <directory> [file]', 'Store the records of a file or stdin; creates the database'))
    .option('--format <format>', 'jsonl (default) or csv; a file name ending in .csv also means csv')
    .option('--encoding <encoding>', 'What the values are: utf8 (default), json, binary (base64 in the file)')
    .option('--max-record-bytes <n>', 'Refuse longer lines of JSON Lines and rows of CSV (default 16777216)')
    .example(bin => `  $ ${bin} import students students.csv`)
    .example(bin => `  $ zcat cities.jsonl.gz | ${bin} import cities - --encoding json`)
    .action((directory: string, file: string | undefined, options: Options) => {
      const source = file === undefined ? '-' : argument(file)
      const format = chooseFormat(choiceOption(options, 'format', FORMATS), source)
      const limit = { ...DEFAULT_LIMIT, bytes: limitOf(options) }
      const given = readPlace(options)
      const input = openInput(source)
      return withPlace(argument(directory), { createIfMissing: true }, given, (place, db) =>
        run(db, input, format === 'csv' ? new CsvReader(place, limit) : new JsonLinesReader(place, limit)),
      )
    })
}

function limitOf(options: Options): number {
  const bytes = countOption(options, 'maxRecordBytes') ?? DEFAULT_LIMIT.bytes
  if (bytes > 0 && bytes <= LARGEST_LIMIT) return bytes
  throw new CommandError(`--max-record-bytes takes a number from 1 to ${LARGEST_LIMIT}`)
}

async function run(db: ByteDatabase, input: Input, reader: RecordReader): Promise<number> {
  const importer = new Importer(db)
  const interrupted = new AbortController()
  const interrupt = () => interrupted.abort()
  // Once: a second Ctrl-C ends the process the hard way.
  process.once('SIGINT', interrupt)
  try {
    await feed(importer, input, reader, interrupted.signal)
  } catch (error) {
    throw importer.explain(error, input.name)
  } finally {
    process.off('SIGINT', interrupt)
  }
  const gone = importer.expired > 0 ? `, of which ${count(importer.expired)} had expired` : ''
  const records = `${count(importer.imported)} records${gone}`
  process.stderr.write(interrupted.signal.aborted ? `interrupted; imported ${records}\n` : `imported ${records}\n`)
  return interrupted.signal.aborted ? EXIT_INTERRUPTED : EXIT_DONE
}

async function feed(importer: Importer, input: Input, reader: RecordReader, signal: AbortSignal): Promise<void> {
  const progress = startProgress('import', input.size, 'bytes')
  const stop = () => input.stream.destroy()
  signal.addEventListener('abort', stop)
  const bom = new BomFilter()
  let bytesRead = 0
  try {
    for await (const chunk of input.stream) {
      bytesRead += chunk.length
      for (const record of reader.push(bom.push(chunk))) importer.add(record)
      progress.update(bytesRead, importer.imported)
      if (signal.aborted) break
    }
    if (!signal.aborted) {
      for (const record of reader.push(bom.end())) importer.add(record)
      for (const record of reader.end()) importer.add(record)
    }
  } catch (error) {
    if (!signal.aborted || !isAbort(error)) throw error
  } finally {
    progress.stop()
    signal.removeEventListener('abort', stop)
    importer.flush()
  }
}

/** What reading a destroyed stream throws. */
function isAbort(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code
  return code === 'ABORT_ERR' || code === 'ERR_STREAM_PREMATURE_CLOSE'
}
