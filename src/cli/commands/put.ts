/** `xenondb put`: stores one record, creating the database when there is none. */
import type { CAC } from 'cac'
import type { Key } from '../../types.ts'
import { argument, flagOption, millisecondsOption, type Options } from '../arguments.ts'
import { EXIT_DONE, UsageError } from '../errors.ts'
import { keyFromText } from '../key-text.ts'
import { forceOption, placeOptions, readPlace, type Writing } from '../place.ts'
import { type Encoding, TextError, valueFromText } from '../text.ts'
import { withViewPlace } from '../view/place.ts'

export function registerPut(cli: CAC): void {
  forceOption(
    placeOptions(cli.command('put <directory> <key> <value>', 'Store a record; creates the database if there is none')),
  )
    .option('--encoding <encoding>', 'What the value is: utf8 (default), json, binary (base64)')
    .option('--ttl <milliseconds>', 'Let the record expire after this time')
    .example(bin => `  $ ${bin} put students ada "Ada Lovelace"`)
    .example(bin => `  $ ${bin} put events '["user",42]' signed-up --key-encoding tuple`)
    .example(bin => `  $ ${bin} put students -- -key- -value-     # behind --, nothing is an option`)
    .action((directory: string, key: string, value: string, options: Options) =>
      put(argument(directory), argument(key), argument(value), options),
    )
}

async function put(directory: string, key: string, text: string, options: Options): Promise<number> {
  const given = readPlace(options)
  const ttl = millisecondsOption(options, 'ttl')
  const parts = ({ encoding = 'utf8', keyEncoding = 'utf8' }: Partial<Writing>): [Key, Uint8Array] => [
    keyFromText(key, keyEncoding),
    decode(text, encoding),
  ]
  // What is wrong is said before anything is made.
  if (given.path.length === 0) parts(given as Partial<Writing>)
  const access = { createIfMissing: true, force: flagOption(options, 'force') }
  await withViewPlace(directory, access, given, place => place.view.put(...parts(place), ttl))
  return EXIT_DONE
}

function decode(text: string, encoding: Encoding): Uint8Array {
  try {
    return valueFromText(text, encoding)
  } catch (error) {
    throw error instanceof TextError ? new UsageError(`the value is ${error.message}`) : error
  }
}
