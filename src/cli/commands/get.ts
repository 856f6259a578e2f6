/** `xenondb get`: prints the value of one key. */
import type { CAC } from 'cac'
import { argument, type Options } from '../arguments.ts'
import { indexKeyFromText, indexOf, indexOption } from '../by-index.ts'
import { CommandError, EXIT_DONE } from '../errors.ts'
import { keyFromText } from '../key-text.ts'
import { printBytes, printStored } from '../output.ts'
import { type GivenPlace, placeOptions, readPlace, tellEncoding } from '../place.ts'
import { bytesToText, notInEncoding, quoted, textToBytes, valueToText } from '../text.ts'
import { withViewPlace } from '../view/place.ts'

export function registerGet(cli: CAC): void {
  const command = cli.command('get <directory> <key>', 'Print the value of a key; status 1 when it is not there')
  indexOption(placeOptions(command))
    .option('--encoding <encoding>', 'How to print it: utf8, json, binary (base64); in a pipe: the bytes alone')
    .example(bin => `  $ ${bin} get students ada`)
    .example(bin => `  $ ${bin} get students ada@here --index email`)
    .action((directory: string, key: string, options: Options) =>
      get(argument(directory), argument(key), readPlace(options), options),
    )
}

async function get(directory: string, text: string, given: GivenPlace, options: Options): Promise<number> {
  const access = { createIfMissing: false, onlyReads: true }
  const terminal = process.stdout.isTTY === true
  const shown = await withViewPlace(directory, access, given, async place => {
    const { view, path, encoding, keyEncoding } = place
    const index = indexOf(options, view)
    const value = await (index === undefined
      ? view.get(keyFromText(text, keyEncoding))
      : index.get(indexKeyFromText(text)))
    if (value === undefined) throw new CommandError(`no such key: ${quoted(text)}`)
    // What goes into a file or another program is what is stored, whatever that is.
    if (!terminal && given.encoding === undefined) return value
    tellEncoding(place, path)
    const shown = valueToText(value, encoding) ?? (given.encoding === undefined ? bytesToText(value) : undefined)
    if (shown === undefined) throw notInEncoding(textToBytes(text), encoding)
    return shown
  })
  if (typeof shown === 'string') await printStored(terminal ? `${shown}\n` : shown)
  else await printBytes(shown)
  return EXIT_DONE
}
