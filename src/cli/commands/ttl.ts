/** `xenondb ttl`: shows when a record expires, and changes that. */
import type { CAC } from 'cac'
import { argument, flagOption, millisecondsOption, type Options } from '../arguments.ts'
import { CommandError, EXIT_DONE, UsageError } from '../errors.ts'
import { keyFromText } from '../key-text.ts'
import { print } from '../output.ts'
import { type GivenPlace, placeOptions, readPlace } from '../place.ts'
import { quoted } from '../text.ts'
import { withViewPlace } from '../view/place.ts'

export function registerTtl(cli: CAC): void {
  placeOptions(
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
      return ttl(argument(directory), argument(key), readPlace(options), set, persist)
    })
}

async function ttl(
  directory: string,
  typed: string,
  given: GivenPlace,
  set: number | undefined,
  persist: boolean,
): Promise<number> {
  const changes = set !== undefined || persist
  const access = { createIfMissing: false, onlyReads: !changes }
  const left = await withViewPlace(directory, access, given, async ({ view, keyEncoding }) => {
    const key = keyFromText(typed, keyEncoding)
    const before = await view.ttl(key)
    if (before !== undefined && changes) await view.expire(key, set)
    return before
  })
  if (left === undefined) throw new CommandError(`no such key: ${quoted(typed)}`)
  if (!changes) await print(left === Number.POSITIVE_INFINITY ? 'none\n' : `${left}\n`)
  return EXIT_DONE
}
