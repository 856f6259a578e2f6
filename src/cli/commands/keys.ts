/** `xenondb keys`: prints keys, one per line, as they lie in the blocks. */
import type { CAC } from 'cac'
import { argument, choiceOption, countOption, type Options, textOption } from '../arguments.ts'
import { type ByteDatabase, records, withDatabase } from '../database.ts'
import { EXIT_DONE } from '../errors.ts'
import { Output } from '../output.ts'
import { asBuffer, bytesToBase64, ENCODINGS, type Encoding } from '../text.ts'

interface Wanted {
  prefix: Uint8Array
  limit: number
  encoding: Encoding
}

export function registerKeys(cli: CAC): void {
  cli
    .command('keys <directory>', 'Print the keys, one per line, in no particular order')
    .option('--prefix <prefix>', 'Only keys that begin so; reads all records and filters')
    .option('--limit <count>', 'At most so many keys')
    .option('--encoding <encoding>', 'utf8 (default), json (a JSON string per line), binary (base64)')
    .example(bin => `  $ ${bin} keys students --prefix a | head -3`)
    .action((directory: string, options: Options) => {
      const wanted: Wanted = {
        prefix: Buffer.from(textOption(options, 'prefix') ?? '', 'utf8'),
        limit: countOption(options, 'limit') ?? Number.POSITIVE_INFINITY,
        encoding: choiceOption(options, 'encoding', ENCODINGS) ?? 'utf8',
      }
      return withDatabase(argument(directory), { createIfMissing: false, onlyReads: true }, db =>
        keys(db, wanted),
      )
    })
}

async function keys(db: ByteDatabase, { prefix, limit, encoding }: Wanted): Promise<number> {
  const output = new Output(process.stdout)
  let left = limit
  for (const { key } of records(db)) {
    if (left === 0) break
    if (!startsWith(key, prefix)) continue
    output.add(`${shown(key, encoding)}\n`)
    left--
    if (output.full && !(await output.flush())) return EXIT_DONE
  }
  await output.flush()
  return EXIT_DONE
}

function startsWith(key: Uint8Array, prefix: Uint8Array): boolean {
  if (prefix.length > key.length) return false
  return prefix.every((byte, i) => key[i] === byte)
}

/** As text, bytes that are not UTF-8 show as U+FFFD. */
function shown(key: Uint8Array, encoding: Encoding): string {
  if (encoding === 'binary') return bytesToBase64(key)
  const text = asBuffer(key).toString('utf8')
  return encoding === 'json' ? JSON.stringify(text) : text
}
