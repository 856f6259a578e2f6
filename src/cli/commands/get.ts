/** `xenondb get`: prints the value of one key. */
import type { CAC } from 'cac'
import { argument, type Options } from '../arguments.ts'
import { CommandError, EXIT_DONE } from '../errors.ts'
import { keyFromText } from '../key-text.ts'
import { print } from '../output.ts'
import { type GivenPlace, placeOptions, readPlace, withPlace } from '../place.ts'
import { notInEncoding, quoted, textToBytes, valueToText } from '../text.ts'

export function registerGet(cli: CAC): void {
  placeOptions(cli.command('get <directory> <key>', 'Print the value of a key; status 1 when it is not there'))
    .option('--encoding <encoding>', 'How to print it: utf8 (default), json, binary (base64)')
    .example(bin => `  $ ${bin} get students ada`)
    .action((directory: string, key: string, options: Options) =>
      get(argument(directory), argument(key), readPlace(options)),
    )
}

async function get(directory: string, text: string, given: GivenPlace): Promise<number> {
  const access = { createIfMissing: false, onlyReads: true }
  const shown = await withPlace(directory, access, given, ({ store, encoding, keyEncoding }) => {
    const value = store.get(keyFromText(text, keyEncoding))
    if (value === undefined) throw new CommandError(`no such key: ${quoted(text)}`)
    const shown = valueToText(value, encoding)
    if (shown === undefined) throw notInEncoding(textToBytes(text), encoding)
    return shown
  })
  await print(`${shown}\n`)
  return EXIT_DONE
}
