/** `xenondb delete`: deletes one record. */
import type { CAC } from 'cac'
import { argument } from '../arguments.ts'
import { withDatabase } from '../database.ts'
import { CommandError, EXIT_DONE } from '../errors.ts'
import { quoted } from '../text.ts'

export function registerDelete(cli: CAC): void {
  cli
    .command('delete <directory> <key>', 'Delete a record; status 1 when it was not there')
    .example(bin => `  $ ${bin} delete students ada`)
    .action((directory: string, key: string) => remove(argument(directory), argument(key)))
}

async function remove(directory: string, key: string): Promise<number> {
  const existed = await withDatabase(directory, { createIfMissing: false }, db => db.delete(key))
  if (!existed) throw new CommandError(`no such key: ${quoted(key)}`)
  return EXIT_DONE
}
