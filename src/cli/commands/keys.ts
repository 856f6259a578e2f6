/** `xenondb keys`: prints keys, one per line, in order; without the ordered index, as they lie in the blocks. */
import type { CAC } from 'cac'
import { argument, type Options } from '../arguments.ts'
import { indexOf, indexOption, readIndexRange, writeIndex } from '../by-index.ts'
import { EXIT_DONE } from '../errors.ts'
import { type KeyEncoding, keyToText } from '../key-text.ts'
import { Output } from '../output.ts'
import { readPlace } from '../place.ts'
import { isFilter, rangeOptions, readRange, requireOrdered } from '../range.ts'
import { bytesToBase64, type Encoding } from '../text.ts'
import { withViewPlace } from '../view/place.ts'
import type { Pages } from '../view/view.ts'

export function registerKeys(cli: CAC): void {
  indexOption(rangeOptions(cli.command('keys <directory>', 'Print the keys, one per line, in bytewise order')))
    .option('--encoding <encoding>', 'utf8 (default), json (a JSON string per line), binary (base64)')
    .example(bin => `  $ ${bin} keys students --prefix a | head -3`)
    .action((directory: string, options: Options) => {
      const given = readPlace(options)
      // Wrong usage is told before anything is opened.
      if (options['index'] === undefined) readRange(options, given.keyEncoding ?? 'utf8')
      const access = { createIfMissing: false, onlyReads: true }
      // How the keys are printed says nothing about values.
      const place = { ...given, encoding: undefined }
      return withViewPlace(argument(directory), access, place, async ({ view, keyEncoding }, database) => {
        const index = indexOf(options, view)
        if (index !== undefined) {
          const shape = {
            keys: true,
            values: false,
            json: given.encoding === 'json',
            encoding: 'utf8',
            keyEncoding,
          } as const
          await writeIndex(index, readIndexRange(options), shape)
          return EXIT_DONE
        }
        const range = readRange(options, keyEncoding)
        if (!isFilter(range)) requireOrdered(database, 'a range of keys')
        await write(view.keys(range), given.encoding ?? 'utf8', keyEncoding)
        return EXIT_DONE
      })
    })
}

async function write(pages: Pages<Uint8Array>, encoding: Encoding, keyEncoding: KeyEncoding): Promise<void> {
  const output = new Output(process.stdout)
  for await (const page of pages) {
    for (const key of page) output.addStored(`${shown(key, encoding, keyEncoding)}\n`)
    if (output.full && !(await output.flush())) return
  }
  await output.flush()
}

function shown(key: Uint8Array, encoding: Encoding, keyEncoding: KeyEncoding): string {
  if (encoding === 'binary') return bytesToBase64(key)
  const text = keyToText(key, keyEncoding)
  return encoding === 'json' && keyEncoding === 'utf8' ? JSON.stringify(text) : text
}
