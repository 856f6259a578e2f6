/** `xenondb get`: prints the value of one key. */
import type { CAC } from 'cac'
import { argument, choiceOption, type Options } from '../arguments.ts'
import { withDatabase } from '../database.ts'
import { CommandError, EXIT_DONE } from '../errors.ts'
import { print } from '../output.ts'
import { ENCODINGS, type Encoding, notInEncoding, quoted, textToBytes, valueToText } from '../text.ts'

export function registerGet(cli: CAC): void {
  cli
    .command('get <directory> <key>', 'Print the value of a key; status 1 when it is not there')
    .option('--encoding <encoding>', 'How to print it: utf8 (default), json, binary (base64)')
    .example(bin => `  $ ${bin} get students ada`)
    .action((directory: string, key: string, options: Options) =>
      get(argument(directory), argument(key), choiceOption(options, 'encoding', ENCODINGS) ?? 'utf8'),
    )
}

async function get(directory: string, key: string, encoding: Encoding): Promise<number> {
  const value = await withDatabase(directory, { createIfMissing: false, onlyReads: true }, db => db.get(key))
  if (value === undefined) throw new CommandError(`no such key: ${quoted(key)}`)
  const text = valueToText(value, encoding)
  if (text === undefined) throw notInEncoding(textToBytes(key), encoding)
  await print(`${text}\n`)
  return EXIT_DONE
}
