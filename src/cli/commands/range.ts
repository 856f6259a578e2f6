/** `xenondb range`: prints the records of a range of keys, in order. */
import type { CAC } from 'cac'
import type { Range } from '../../types.ts'
import { argument, flagOption, type Options } from '../arguments.ts'
import { asBytes, type ByteStore, expiryOf } from '../database.ts'
import { EXIT_DONE } from '../errors.ts'
import { type KeyEncoding, keyToText } from '../key-text.ts'
import { Output } from '../output.ts'
import { readPlace, withPlace } from '../place.ts'
import { rangeOptions, readRange, requireOrdered } from '../range.ts'
import { JsonLinesWriter } from '../records/json-lines.ts'
import { type Encoding, notInEncoding, valueToText } from '../text.ts'

interface Shape {
  keys: boolean
  values: boolean
  json: boolean
  encoding: Encoding
  keyEncoding: KeyEncoding
}

export function registerRange(cli: CAC): void {
  rangeOptions(cli.command('range <directory>', 'Print records in bytewise order of their keys: key, tab, value'))
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
      readRange(options, given.keyEncoding ?? 'utf8')
      const access = { createIfMissing: false, onlyReads: true }
      return withPlace(argument(directory), access, given, async (place, db) => {
        const { store, encoding, keyEncoding } = place
        const range = readRange(options, keyEncoding)
        requireOrdered(db, 'a range')
        await write(lines(store, range, { ...parts, encoding, keyEncoding }))
        return EXIT_DONE
      })
    })
}

async function write(lines: Iterable<string>): Promise<void> {
  const output = new Output(process.stdout)
  try {
    for (const line of lines) {
      output.add(line)
      if (output.full && !(await output.flush())) return
    }
  } finally {
    await output.flush()
  }
}

function* lines(db: ByteStore, range: Range, shape: Shape): Generator<string> {
  if (!shape.values) for (const key of db.keys(range)) yield keyLine(asBytes(key), shape)
  else if (!shape.keys) for (const [key, value] of db.entries(range)) yield valueLine(asBytes(key), value, shape)
  else yield* recordLines(db, range, shape)
}

function* recordLines(db: ByteStore, range: Range, shape: Shape): Generator<string> {
  const writer = new JsonLinesWriter(shape)
  for (const [name, value] of db.entries(range)) {
    const key = asBytes(name)
    if (!shape.json) yield `${keyToText(key, shape.keyEncoding)}\t${valueLine(key, value, shape)}`
    else {
      const expiresAt = expiryOf(db, key)
      if (expiresAt !== 0) yield writer.record({ key, value, expiresAt })
    }
  }
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
