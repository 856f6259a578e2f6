/** `xenondb delete`: deletes one record. */
import type { CAC } from 'cac'
import { argument, type Options } from '../arguments.ts'
import { withDatabase } from '../database.ts'
import { CommandError, EXIT_DONE } from '../errors.ts'
import { type KeyEncoding, keyEncodingOption, keyFromText, readKeyEncoding } from '../key-text.ts'
import { quoted } from '../text.ts'

export function registerDelete(cli: CAC): void {
  keyEncodingOption(cli.command('delete <directory> <key>', 'Delete a record; status 1 when it was not there'))
    .example(bin => `  $ ${bin} delete students ada`)
    .action((directory: string, key: string, options: Options) =>
      remove(argument(directory), argument(key), readKeyEncoding(options)),
    )
}

async function remove(directory: string, text: string, encoding: KeyEncoding): Promise<number> {
  const key = keyFromText(text, encoding)
  const existed = await withDatabase(directory, { createIfMissing: false }, db => db.delete(key))
  if (!existed) throw new CommandError(`no such key: ${quoted(text)}`)
  return EXIT_DONE
}
