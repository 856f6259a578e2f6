/** `xenondb keys`: prints keys, one per line, in order; without the ordered index, as they lie in the blocks. */
import type { CAC } from 'cac'
import type { Range } from '../../types.ts'
import { argument, type Options } from '../arguments.ts'
import { asBytes, type ByteStore, records } from '../database.ts'
import { EXIT_DONE } from '../errors.ts'
import { type KeyEncoding, keyToText } from '../key-text.ts'
import { Output } from '../output.ts'
import { readPlace, withPlace } from '../place.ts'
import { isFilter, rangeOptions, readRange, requireOrdered } from '../range.ts'
import { bytesToBase64, type Encoding } from '../text.ts'

export function registerKeys(cli: CAC): void {
  rangeOptions(cli.command('keys <directory>', 'Print the keys, one per line, in bytewise order'))
    .option('--encoding <encoding>', 'utf8 (default), json (a JSON string per line), binary (base64)')
    .example(bin => `  $ ${bin} keys students --prefix a | head -3`)
    .action((directory: string, options: Options) => {
      const given = readPlace(options)
      // Wrong usage is told before anything is opened.
      readRange(options, given.keyEncoding ?? 'utf8')
      const access = { createIfMissing: false, onlyReads: true }
      return withPlace(argument(directory), access, given, async ({ store, keyEncoding }, db) => {
        const range = readRange(options, keyEncoding)
        if (!isFilter(range)) requireOrdered(db, 'a range of keys')
        const keys = db.stats().ordered ? inOrder(store, range) : filtered(store, range)
        await write(keys, given.encoding ?? 'utf8', keyEncoding)
        return EXIT_DONE
      })
    })
}

async function write(keys: Iterable<Uint8Array>, encoding: Encoding, keyEncoding: KeyEncoding): Promise<void> {
  const output = new Output(process.stdout)
  for (const key of keys) {
    output.add(`${shown(key, encoding, keyEncoding)}\n`)
    if (output.full && !(await output.flush())) return
  }
  await output.flush()
}

function* inOrder(db: ByteStore, range: Range): Generator<Uint8Array> {
  for (const key of db.keys(range)) yield asBytes(key)
}

/** Reads all records. */
function* filtered(db: ByteStore, range: Range): Generator<Uint8Array> {
  const { prefix: begin = '' } = range
  const prefix = typeof begin === 'string' ? Buffer.from(begin, 'utf8') : begin
  let left = range.limit ?? Number.POSITIVE_INFINITY
  if (left === 0) return
  for (const { key } of records(db)) {
    if (!startsWith(key, prefix)) continue
    yield key
    if (--left === 0) return
  }
}

function startsWith(key: Uint8Array, prefix: Uint8Array): boolean {
  if (prefix.length > key.length) return false
  return prefix.every((byte, i) => key[i] === byte)
}

function shown(key: Uint8Array, encoding: Encoding, keyEncoding: KeyEncoding): string {
  if (encoding === 'binary') return bytesToBase64(key)
  const text = keyToText(key, keyEncoding)
  return encoding === 'json' && keyEncoding === 'utf8' ? JSON.stringify(text) : text
}
