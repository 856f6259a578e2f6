/** `xenondb drop`: drops a sub-database. */
import type { CAC } from 'cac'
import { argument, type Options } from '../arguments.ts'
import { CommandError, EXIT_DONE, UsageError } from '../errors.ts'
import { readSub, subOption, withPlace } from '../place.ts'
import { quoted } from '../text.ts'

export function registerDrop(cli: CAC): void {
  subOption(
    cli.command(
      'drop <directory>',
      'Drop the sub-database --sub, with those that lie in it; status 1 if there is none',
    ),
  )
    .example(bin => `  $ ${bin} drop shop --sub users`)
    .action((directory: string, options: Options) => {
      const path = readSub(options)
      const name = path.at(-1)
      if (name === undefined) throw new UsageError('--sub <name> says what to drop')
      const given = { path: path.slice(0, -1), encoding: undefined, keyEncoding: undefined }
      return withPlace(argument(directory), { createIfMissing: false }, given, ({ store }) => {
        if (!store.drop(name)) throw new CommandError(`there is no sub-database ${quoted(name)}`)
        return EXIT_DONE
      })
    })
}
