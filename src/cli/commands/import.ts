/** `xenondb import`: stores the records of a JSON Lines or CSV file, in batches. */
import type { CAC } from 'cac'
import { argument, choiceOption, countOption, flagOption, type Options, textOption } from '../arguments.ts'
import type { ByteDatabase } from '../database.ts'
import {
  CommandError,
  EXIT_DONE,
  EXIT_FAILED,
  EXIT_INTERRUPTED,
  printable,
  type RecordError,
  UsageError,
} from '../errors.ts'
import { Importer } from '../importer.ts'
import { BomFilter, type Input, openInput } from '../input.ts'
import { forceOption, type GivenPlace, placeOptions, readPlace, withPlace } from '../place.ts'
import { startProgress } from '../progress.ts'
import { CsvReader } from '../records/csv.ts'
import { JsonReader } from '../records/json-lines.ts'
import type { KeyFields } from '../records/key-fields.ts'
import { DEFAULT_LIMIT, LARGEST_LIMIT } from '../records/limit.ts'
import { chooseFormat, IMPORT_FORMATS, type Reading, type RecordReader } from '../records/record.ts'
import { count } from '../render.ts'

/** Of what was passed over, the first that are named. */
const SHOWN_BAD = 5

export function registerImport(cli: CAC): void {
  forceOption(
    placeOptions(
      cli.command('import <directory> [file]', 'Store the records of a file or stdin; creates the database'),
    ),
  )
    .option('--format <format>', 'jsonl (default; an array of objects too), or csv; so does a file name ending in .csv')
    .option('--key <field>', 'Take objects, or rows, of any shape: this field (a,b: these) makes the key')
    .option('--key-separator <text>', 'Between the texts of several key fields (default ":")')
    .option('--skip-bad', 'Pass over what is malformed or refused, and say how much that was')
    .option('--encoding <encoding>', 'What the values are: utf8 (default), json, binary (base64 in the file)')
    .option('--max-record-bytes <n>', 'Refuse longer lines of JSON Lines and rows of CSV (default 16777216)')
    .example(bin => `  $ ${bin} import students students.csv`)
    .example(bin => `  $ ${bin} import users users.json --key id`)
    .example(bin => `  $ ${bin} import orders orders.csv --key customer,number --key-encoding tuple`)
    .example(bin => `  $ zcat cities.jsonl.gz | ${bin} import cities - --encoding json`)
    .action((directory: string, file: string | undefined, options: Options) => {
      const source = file === undefined ? '-' : argument(file)
      const format = chooseFormat(choiceOption(options, 'format', IMPORT_FORMATS), source)
      const bad = flagOption(options, 'skipBad') ? new BadRecords() : undefined
      const reading: Reading = {
        limit: { ...DEFAULT_LIMIT, bytes: limitOf(options) },
        key: keyFields(options),
        onBad: bad && (error => bad.add(error)),
      }
      const given = wholly(readPlace(options), reading)
      const input = openInput(source)
      return withPlace(
        argument(directory),
        { createIfMissing: true, force: flagOption(options, 'force') },
        given,
        (place, db) =>
          run(db, input, format === 'csv' ? new CsvReader(place, reading) : new JsonReader(place, reading), bad),
      )
    })
}

function limitOf(options: Options): number {
  const bytes = countOption(options, 'maxRecordBytes') ?? DEFAULT_LIMIT.bytes
  if (bytes > 0 && bytes <= LARGEST_LIMIT) return bytes
  throw new CommandError(`--max-record-bytes takes a number from 1 to ${LARGEST_LIMIT}`)
}

function keyFields(options: Options): KeyFields | undefined {
  const names = textOption(options, 'key')?.split(',')
  const separator = textOption(options, 'keySeparator')
  if (names === undefined) {
    if (separator !== undefined) throw new UsageError('--key-separator stands between the fields of --key a,b')
    return undefined
  }
  if (names.includes('')) throw new UsageError('--key takes the name of a field, or several with commas between them')
  return { names, separator: separator ?? ':' }
}

/** Whole objects are stored as JSON. */
function wholly(given: GivenPlace, { key }: Reading): GivenPlace {
  if (key === undefined) return given
  if (given.encoding !== undefined && given.encoding !== 'json')
    throw new UsageError('with --key the values are JSON: leave --encoding out')
  return { ...given, encoding: 'json' }
}

/** What was passed over. */
class BadRecords {
  count = 0
  readonly first: string[] = []

  add({ message }: RecordError): void {
    if (++this.count <= SHOWN_BAD) this.first.push(message)
  }

  report(inputName: string): void {
    for (const message of this.first) process.stderr.write(`xenondb: ${printable(`${inputName}, ${message}`)}\n`)
    if (this.count > SHOWN_BAD) process.stderr.write(`xenondb: and ${count(this.count - SHOWN_BAD)} more\n`)
  }
}

async function run(db: ByteDatabase, input: Input, reader: RecordReader, bad: BadRecords | undefined): Promise<number> {
  const importer = new Importer(db, bad && (error => bad.add(error)))
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
  const skipped = bad === undefined ? '' : `; passed over ${count(bad.count)} bad ones`
  bad?.report(input.name)
  const records = `${count(importer.imported)} records${gone}${skipped}`
  process.stderr.write(interrupted.signal.aborted ? `interrupted; imported ${records}\n` : `imported ${records}\n`)
  if (interrupted.signal.aborted) return EXIT_INTERRUPTED
  // If nothing was good, the whole file was not meant.
  return importer.imported === 0 && (bad?.count ?? 0) > 0 ? EXIT_FAILED : EXIT_DONE
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
