/** `xenondb delete`: deletes one record, or those of a range. */
import type { CAC } from 'cac'
import { argument, flagOption, type Options } from '../arguments.ts'
import { CommandError, EXIT_DONE, UsageError } from '../errors.ts'
import { keyFromText } from '../key-text.ts'
import { readPlace } from '../place.ts'
import { isFilter, isWhole, rangeOptions, readRange, requireOrdered } from '../range.ts'
import { count } from '../render.ts'
import { quoted } from '../text.ts'
import { withViewPlace } from '../view/place.ts'

export function registerDelete(cli: CAC): void {
  rangeOptions(cli.command('delete <directory> [key]', 'Delete a record (status 1 when it was not there), or a range'))
    .option('--yes', 'Delete the records of a range; without it they are only counted')
    .example(bin => `  $ ${bin} delete students ada`)
    .example(bin => `  $ ${bin} delete students --prefix session: --yes`)
    .action((directory: string, key: string | undefined, options: Options) => {
      const given = readPlace(options)
      const isRange = !isWhole(readRange(options, given.keyEncoding ?? 'utf8'))
      if ((key !== undefined) === isRange) throw new UsageError('delete takes a key, or a range such as --prefix')
      return key === undefined
        ? removeRange(argument(directory), options)
        : remove(argument(directory), argument(key), options)
    })
}

async function remove(directory: string, text: string, options: Options): Promise<number> {
  const existed = await withViewPlace(directory, { createIfMissing: false }, readPlace(options), place =>
    place.view.delete(keyFromText(text, place.keyEncoding)),
  )
  if (!existed) throw new CommandError(`no such key: ${quoted(text)}`)
  return EXIT_DONE
}

async function removeRange(directory: string, options: Options): Promise<number> {
  const yes = flagOption(options, 'yes')
  const access = { createIfMissing: false, onlyReads: !yes }
  return await withViewPlace(directory, access, readPlace(options), async ({ view, keyEncoding }, database) => {
    const range = readRange(options, keyEncoding)
    if (!isFilter(range)) requireOrdered(database, 'a range of keys')
    const found = await view.count(range)
    if (!yes) throw new CommandError(`${count(found)} records would be deleted; say so with --yes`)
    await view.clear(range)
    process.stderr.write(`deleted ${count(found)} records\n`)
    return EXIT_DONE
  })
}
