/**
 * `xenondb convert`: adds the ordered index to a database or takes it away, or gives it blocks of another size or values
 * of another encoding.
 */
import type { CAC } from 'cac'
import { convert } from '../../index.ts'
import { argument, choiceOption, countOption, flagOption, type Options } from '../arguments.ts'
import { requireNoNode } from '../database.ts'
import { EXIT_DONE, UsageError } from '../errors.ts'
import { interruptible, reported } from '../interrupt.ts'
import { opening } from '../opening.ts'
import { readSub, subOption } from '../place.ts'

/** What makes the copy of a node new. */
const ANEW = 'start the node with an empty directory, and it makes its copy anew'

const ENCODINGS = ['utf8', 'json', 'binary', 'msgpack'] as const

export function registerConvert(cli: CAC): void {
  const command = cli.command(
    'convert <directory>',
    'Add the ordered index, which ranges need, or take it away; change the block size, or the encoding of values',
  )
  subOption(command)
    .option('--ordered', 'Add it')
    .option('--unordered', 'Take it away')
    .option('--block-size <bytes>', 'Build the database anew with blocks of this size: 4096 to 65536')
    .option('--value-encoding <name>', `Rewrite all values, of the root or of --sub: ${ENCODINGS.join(', ')}`)
    .action((directory: string, options: Options) => {
      const [ordered, unordered] = ['ordered', 'unordered'].map(name => flagOption(options, name)) as [boolean, boolean]
      const blockSize = countOption(options, 'blockSize')
      const valueEncoding = choiceOption(options, 'valueEncoding', ENCODINGS)
      const sub = readSub(options)
      const isRebuilt = blockSize !== undefined || valueEncoding !== undefined
      if (ordered ? unordered : !unordered && !isRebuilt)
        throw new UsageError(
          'convert takes --ordered or --unordered, --block-size, or --value-encoding, or several of these',
        )
      if (sub.length > 0 && valueEncoding === undefined)
        throw new UsageError('--sub says whose values are rewritten; say as what, with --value-encoding')
      const wanted = {
        ...(ordered || unordered ? { ordered } : {}),
        ...(blockSize === undefined ? {} : { blockSize }),
        ...(valueEncoding === undefined ? {} : { valueEncoding }),
        ...(sub.length === 0 ? {} : { sub }),
      }
      const state =
        ordered || unordered
          ? `; the database keeps no ordered index now${isRebuilt ? ', or is as it was' : ''}`
          : '; the database is as it was'
      requireNoNode(argument(directory), `${ANEW}; xenondb cluster restore makes a database that may be converted`)
      return interruptible(async signal => {
        await reported('convert', isRebuilt ? 'blocks' : 'records', signal, onProgress =>
          convert(argument(directory), { ...wanted, onProgress, ...opening() }),
        )
        return EXIT_DONE
      }, state)
    })
}
