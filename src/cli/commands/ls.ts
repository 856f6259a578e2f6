/** `xenondb ls`: lists the records as a directory is listed, with the size of each value and when it expires. */
import type { CAC } from 'cac'
import { argument, flagOption, type Options } from '../arguments.ts'
import { EXIT_DONE, printable } from '../errors.ts'
import { keyToText } from '../key-text.ts'
import { Output } from '../output.ts'
import { readPlace } from '../place.ts'
import { isFilter, isWhole, rangeOptions, readRange, requireOrdered } from '../range.ts'
import type { FileRecord } from '../records/record.ts'
import { duration, size } from '../render.ts'
import { bytesToBase64, bytesToText } from '../text.ts'
import { type ViewPlace, withViewPlace } from '../view/place.ts'

export function registerLs(cli: CAC): void {
  rangeOptions(cli.command('ls <directory>', 'List keys with the sizes of their values and when they expire'))
    .option('--json', 'JSON Lines: key, bytes, expiresAt; of sub-databases, sub')
    .example(bin => `  $ ${bin} ls students --limit 20`)
    .example(bin => `  $ ${bin} ls shop --sub users`)
    .action((directory: string, options: Options) => {
      const json = flagOption(options, 'json')
      const given = readPlace(options)
      // Wrong usage is told before anything is opened.
      readRange(options, given.keyEncoding ?? 'utf8')
      const access = { createIfMissing: false, onlyReads: true }
      return withViewPlace(argument(directory), access, given, async (place, database) => {
        const range = readRange(options, place.keyEncoding)
        if (!isFilter(range)) requireOrdered(database, 'a range of keys')
        const subs = isWhole(range) ? await place.view.subs() : []
        const output = new Output(process.stdout)
        for (const name of subs)
          output.add(json ? `${JSON.stringify({ sub: name })}\n` : line('', '', `${printable(name)}/`))
        for await (const page of place.view.records(range, true)) {
          for (const record of page) output.add(json ? asJson(record, place) : listed(record, place))
          if (output.full && !(await output.flush())) return EXIT_DONE
        }
        await output.flush()
        return EXIT_DONE
      })
    })
}

const line = (bytes: string, time: string, key: string): string =>
  `${bytes.padStart(10)}  ${time.padStart(8)}  ${key}\n`

function listed({ key, value, expiresAt }: FileRecord, { keyEncoding }: ViewPlace): string {
  const left = expiresAt === undefined ? '' : duration(Math.max(0, expiresAt - Date.now()))
  return line(size(value.length), left, printable(keyToText(key, keyEncoding)))
}

function asJson({ key, value, expiresAt }: FileRecord, { keyEncoding }: ViewPlace): string {
  const text = bytesToText(key)
  const named =
    keyEncoding === 'tuple'
      ? `"key":${keyToText(key, 'tuple')}`
      : text === undefined
        ? `"key":${JSON.stringify(bytesToBase64(key))},"keyEncoding":"base64"`
        : `"key":${JSON.stringify(text)}`
  return `{${named},"bytes":${value.length}${expiresAt === undefined ? '' : `,"expiresAt":${expiresAt}`}}\n`
}
