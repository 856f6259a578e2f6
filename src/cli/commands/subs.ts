/** `xenondb subs`: lists sub-databases. */
import type { CAC } from 'cac'
import { argument, flagOption, type Options } from '../arguments.ts'
import { EXIT_DONE } from '../errors.ts'
import { Output } from '../output.ts'
import { readSub, subOption } from '../place.ts'
import { placesIn, type ViewPlace, withViewPlace } from '../view/place.ts'

export function registerSubs(cli: CAC): void {
  subOption(cli.command('subs <directory>', 'Print the names of the sub-databases, one per line'))
    .option('--json', 'JSON Lines: names, encodings, number of records; also of those that lie in them')
    .example(bin => `  $ ${bin} subs shop`)
    .example(bin => `  $ ${bin} subs shop --sub users --json`)
    .action((directory: string, options: Options) => {
      const json = flagOption(options, 'json')
      const given = { path: readSub(options), encoding: undefined, keyEncoding: undefined }
      return withViewPlace(argument(directory), { createIfMissing: false, onlyReads: true }, given, async place => {
        const output = new Output(process.stdout)
        for await (const line of json ? described(place) : await place.view.subs()) {
          output.addStored(`${line}\n`)
          if (output.full && !(await output.flush())) return EXIT_DONE
        }
        await output.flush()
        return EXIT_DONE
      })
    })
}

async function* described(place: ViewPlace): AsyncGenerator<string, void> {
  for await (const { view, path, names } of placesIn(place))
    if (path.length > 0) yield JSON.stringify({ sub: path, ...names, records: await view.count() })
}
