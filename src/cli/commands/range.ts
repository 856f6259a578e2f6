/** `xenondb range`: prints the records of a range of keys, in order. */
import type { CAC } from 'cac'
import type { Range } from '../../types.ts'
import { argument, flagOption, type Options } from '../arguments.ts'
import { indexOf, indexOption, readIndexRange, writeIndex } from '../by-index.ts'
import { EXIT_DONE } from '../errors.ts'
import { type KeyEncoding, keyToText } from '../key-text.ts'
import { Output } from '../output.ts'
import { readPlace, tellEncoding } from '../place.ts'
import { rangeOptions, readRange, requireOrdered } from '../range.ts'
import { JsonLinesWriter } from '../records/json-lines.ts'
import type { FileRecord } from '../records/record.ts'
import { type Encoding, notInEncoding, valueToText } from '../text.ts'
import { withViewPlace } from '../view/place.ts'
import type { Pages, SpaceView } from '../view/view.ts'

interface Shape {
  keys: boolean
  values: boolean
  json: boolean
  encoding: Encoding
  keyEncoding: KeyEncoding
}

export function registerRange(cli: CAC): void {
  const command = cli.command('range <directory>', 'Print records in bytewise order of their keys: key, tab, value')
  indexOption(rangeOptions(command))
    .option('--keys', 'Only the keys')
    .option('--values', 'Only the values')
    .option('--json', 'JSON Lines, as export writes them; JSON strings with --keys or --values')
    .option('--encoding <encoding>', 'What the values are: utf8 (default), json, binary (printed as base64)')
    .example(bin => `  $ ${bin} range students --gte b --lt c`)
    .example(bin => `  $ ${bin} range events --prefix 2026- --reverse --limit 10`)
    .action((directory: string, options: Options) => {
      const keys = flagOption(options, 'keys')
      const values = flagOption(options, 'values')
      const json = flagOption(options, 'json')
      const parts = { keys: keys || !values, values: values || !keys, json }
      const given = readPlace(options)
      // Wrong usage is told before anything is opened.
      if (options['index'] === undefined) readRange(options, given.keyEncoding ?? 'utf8')
      const access = { createIfMissing: false, onlyReads: true }
      return withViewPlace(argument(directory), access, given, async (place, database) => {
        const { view, encoding, keyEncoding } = place
        const index = indexOf(options, view)
        if (index !== undefined) {
          if (parts.values) tellEncoding(place, place.path)
          await writeIndex(index, readIndexRange(options), { ...parts, encoding, keyEncoding })
          return EXIT_DONE
        }
        const range = readRange(options, keyEncoding)
        requireOrdered(database, 'a range')
        if (parts.values) tellEncoding(place, place.path)
        await write(lines(view, range, { ...parts, encoding, keyEncoding }))
        return EXIT_DONE
      })
    })
}

async function write(pages: Pages<string>): Promise<void> {
  const output = new Output(process.stdout)
  try {
    for await (const page of pages) {
      for (const line of page) output.addStored(line)
      if (output.full && !(await output.flush())) return
    }
  } finally {
    await output.flush()
  }
}

async function* lines(view: SpaceView, range: Range, shape: Shape): AsyncGenerator<string[], void> {
  if (!shape.values) {
    for await (const page of view.keys(range)) yield page.map(key => keyLine(key, shape))
    return
  }
  const writer = new JsonLinesWriter(shape)
  for await (const page of view.records(range, shape.keys && shape.json)) {
    const done: string[] = []
    try {
      for (const record of page) done.push(recordLine(record, shape, writer))
    } finally {
      // What comes before a value that cannot be shown is printed.
      yield done
    }
  }
}

function recordLine(record: FileRecord, shape: Shape, writer: JsonLinesWriter): string {
  const { key, value } = record
  if (!shape.keys) return valueLine(key, value, shape)
  return shape.json ? writer.record(record) : `${keyToText(key, shape.keyEncoding)}\t${valueLine(key, value, shape)}`
}

function keyLine(key: Uint8Array, { json, keyEncoding }: Shape): string {
  const text = keyToText(key, keyEncoding)
  return `${json && keyEncoding === 'utf8' ? JSON.stringify(text) : text}\n`
}

function valueLine(key: Uint8Array, value: Uint8Array, { json, encoding }: Shape): string {
  const text = valueToText(value, encoding)
  if (text === undefined) throw notInEncoding(key, encoding)
  return `${json && encoding !== 'json' ? JSON.stringify(text) : text}\n`
}
