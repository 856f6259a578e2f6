/** `xenondb subs`: lists sub-databases. */
import type { CAC } from 'cac'
import { argument, flagOption, type Options } from '../arguments.ts'
import { EXIT_DONE } from '../errors.ts'
import { Output } from '../output.ts'
import { type Place, placesFrom, readSub, subOption, withPlace } from '../place.ts'

export function registerSubs(cli: CAC): void {
  subOption(cli.command('subs <directory>', 'Print the names of the sub-databases, one per line'))
    .option('--json', 'JSON Lines: names, encodings, number of records; also of those that lie in them')
    .example(bin => `  $ ${bin} subs shop`)
    .example(bin => `  $ ${bin} subs shop --sub users --json`)
    .action((directory: string, options: Options) => {
      const json = flagOption(options, 'json')
      const given = { path: readSub(options), encoding: undefined, keyEncoding: undefined }
      return withPlace(argument(directory), { createIfMissing: false, onlyReads: true }, given, async place => {
        const output = new Output(process.stdout)
        for (const line of json ? described(place) : place.store.subs()) {
          output.add(`${line}\n`)
          if (output.full && !(await output.flush())) return EXIT_DONE
        }
        await output.flush()
        return EXIT_DONE
      })
    })
}

function* described(place: Place): Generator<string> {
  for (const { store, path, names } of placesFrom(place))
    if (names !== undefined) yield JSON.stringify({ sub: path, ...names, records: store.count() })
}
