/** `xenondb put`: stores one record, creating the database when there is none. */
import type { CAC } from 'cac'
import type { Key } from '../../types.ts'
import { argument, choiceOption, millisecondsOption, type Options } from '../arguments.ts'
import { withDatabase } from '../database.ts'
import { EXIT_DONE, UsageError } from '../errors.ts'
import { keyEncodingOption, keyFromText, readKeyEncoding } from '../key-text.ts'
import { ENCODINGS, type Encoding, TextError, valueFromText } from '../text.ts'

export function registerPut(cli: CAC): void {
  keyEncodingOption(
    cli.command('put <directory> <key> <value>', 'Store a record; creates the database if there is none'),
  )
    .option('--encoding <encoding>', 'What the value is: utf8 (default), json, binary (base64)')
    .option('--ttl <milliseconds>', 'Let the record expire after this time')
    .example(bin => `  $ ${bin} put students ada "Ada Lovelace"`)
    .example(bin => `  $ ${bin} put events '["user",42]' signed-up --key-encoding tuple`)
    .example(bin => `  $ ${bin} put students -- -key- -value-     # behind --, nothing is an option`)
    .action((directory: string, key: string, value: string, options: Options) =>
      put(
        argument(directory),
        keyFromText(argument(key), readKeyEncoding(options)),
        argument(value),
        choiceOption(options, 'encoding', ENCODINGS) ?? 'utf8',
        millisecondsOption(options, 'ttl'),
      ),
    )
}

async function put(
  directory: string,
  key: Key,
  text: string,
  encoding: Encoding,
  ttl: number | undefined,
): Promise<number> {
  const value = decode(text, encoding)
  await withDatabase(directory, { createIfMissing: true }, db => db.put(key, value, ttl === undefined ? {} : { ttl }))
  return EXIT_DONE
}

function decode(text: string, encoding: Encoding): Uint8Array {
  try {
    return valueFromText(text, encoding)
  } catch (error) {
    throw error instanceof TextError ? new UsageError(`the value is ${error.message}`) : error
  }
}
