/** `xenondb delete`: deletes one record. */
import type { CAC } from 'cac'
import { argument, type Options } from '../arguments.ts'
import { CommandError, EXIT_DONE } from '../errors.ts'
import { keyFromText } from '../key-text.ts'
import { type GivenPlace, placeOptions, readPlace, withPlace } from '../place.ts'
import { quoted } from '../text.ts'

export function registerDelete(cli: CAC): void {
  placeOptions(cli.command('delete <directory> <key>', 'Delete a record; status 1 when it was not there'))
    .example(bin => `  $ ${bin} delete students ada`)
    .action((directory: string, key: string, options: Options) =>
      remove(argument(directory), argument(key), readPlace(options)),
    )
}

async function remove(directory: string, text: string, given: GivenPlace): Promise<number> {
  const existed = await withPlace(directory, { createIfMissing: false }, given, ({ store, keyEncoding }) =>
    store.delete(keyFromText(text, keyEncoding)),
  )
  if (!existed) throw new CommandError(`no such key: ${quoted(text)}`)
  return EXIT_DONE
}
