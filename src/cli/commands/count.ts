/** `xenondb count`: prints how many records there are, or lie in a range. */
import type { CAC } from 'cac'
import { argument, type Options } from '../arguments.ts'
import { indexOf, indexOption, readIndexRange } from '../by-index.ts'
import { EXIT_DONE } from '../errors.ts'
import { print } from '../output.ts'
import { readPlace } from '../place.ts'
import { isFilter, isWhole, rangeOptions, readRange, requireOrdered } from '../range.ts'
import { withViewPlace } from '../view/place.ts'

export function registerCount(cli: CAC): void {
  const command = cli.command('count <directory>', 'Print the number of records, of all or of a range')
  indexOption(rangeOptions(command))
    .example(bin => `  $ ${bin} count students --prefix a`)
    .action((directory: string, options: Options) => {
      const given = readPlace(options)
      // Wrong usage is told before anything is opened.
      if (options['index'] === undefined) readRange(options, given.keyEncoding ?? 'utf8')
      const access = { createIfMissing: false, onlyReads: true }
      return withViewPlace(argument(directory), access, given, async ({ view, keyEncoding }, database) => {
        const index = indexOf(options, view)
        if (index !== undefined) {
          await print(`${await index.count(readIndexRange(options))}\n`)
          return EXIT_DONE
        }
        const range = readRange(options, keyEncoding)
        if (!isFilter(range)) requireOrdered(database, 'a range of keys')
        await print(`${await view.count(isWhole(range) ? undefined : range)}\n`)
        return EXIT_DONE
      })
    })
}
