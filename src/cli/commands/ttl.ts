/** `xenondb ttl`: shows when a record expires, and changes that. */
import type { CAC } from 'cac'
import type { Key } from '../../types.ts'
import { argument, flagOption, millisecondsOption, type Options } from '../arguments.ts'
import { type ByteDatabase, withDatabase } from '../database.ts'
import { CommandError, EXIT_DONE, UsageError } from '../errors.ts'
import { keyEncodingOption, keyFromText, readKeyEncoding } from '../key-text.ts'
import { print } from '../output.ts'
import { quoted } from '../text.ts'

export function registerTtl(cli: CAC): void {
  keyEncodingOption(
    cli.command(
      'ttl <directory> <key>',
      'Print the milliseconds until a record expires, or none if it does not; status 1 when it is not there',
    ),
  )
    .option('--set <milliseconds>', 'Let it expire after this time instead')
    .option('--persist', 'Let it stay instead')
    .example(bin => `  $ ${bin} ttl sessions 7f3a --set 60000`)
    .action((directory: string, key: string, options: Options) => {
      const set = millisecondsOption(options, 'set')
      const persist = flagOption(options, 'persist')
      if (set !== undefined && persist) throw new UsageError('--set and --persist exclude each other')
      const typed = argument(key)
      return ttl(argument(directory), typed, keyFromText(typed, readKeyEncoding(options)), set, persist)
    })
}

async function ttl(
  directory: string,
  typed: string,
  key: Key,
  set: number | undefined,
  persist: boolean,
): Promise<number> {
  const changes = set !== undefined || persist
  const left = await withDatabase(directory, { createIfMissing: false, onlyReads: !changes }, db => {
    const before = db.ttl(key)
    if (before !== undefined && changes) change(db, key, set)
    return before
  })
  if (left === undefined) throw new CommandError(`no such key: ${quoted(typed)}`)
  if (!changes) await print(left === Number.POSITIVE_INFINITY ? 'none\n' : `${left}\n`)
  return EXIT_DONE
}

function change(db: ByteDatabase, key: Key, set: number | undefined): void {
  if (set === undefined) db.persist(key)
  else db.expire(key, set)
}
