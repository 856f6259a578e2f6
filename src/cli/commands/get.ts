/** `xenondb get`: prints the value of one key. */
import type { CAC } from 'cac'
import { argument, choiceOption, type Options } from '../arguments.ts'
import { withDatabase } from '../database.ts'
import { CommandError, EXIT_DONE } from '../errors.ts'
import { type KeyEncoding, keyEncodingOption, keyFromText, readKeyEncoding } from '../key-text.ts'
import { print } from '../output.ts'
import { ENCODINGS, type Encoding, notInEncoding, quoted, textToBytes, valueToText } from '../text.ts'

export function registerGet(cli: CAC): void {
  keyEncodingOption(cli.command('get <directory> <key>', 'Print the value of a key; status 1 when it is not there'))
    .option('--encoding <encoding>', 'How to print it: utf8 (default), json, binary (base64)')
    .example(bin => `  $ ${bin} get students ada`)
    .action((directory: string, key: string, options: Options) =>
      get(
        argument(directory),
        argument(key),
        readKeyEncoding(options),
        choiceOption(options, 'encoding', ENCODINGS) ?? 'utf8',
      ),
    )
}

async function get(directory: string, text: string, keyEncoding: KeyEncoding, encoding: Encoding): Promise<number> {
  const key = keyFromText(text, keyEncoding)
  const value = await withDatabase(directory, { createIfMissing: false, onlyReads: true }, db => db.get(key))
  if (value === undefined) throw new CommandError(`no such key: ${quoted(text)}`)
  const shown = valueToText(value, encoding)
  if (shown === undefined) throw notInEncoding(textToBytes(text), encoding)
  await print(`${shown}\n`)
  return EXIT_DONE
}
