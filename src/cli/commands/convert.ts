/** `xenondb convert`: adds the ordered index to a database, or takes it away. */
import type { CAC } from 'cac'
import { convert } from '../../index.ts'
import { argument, flagOption, type Options } from '../arguments.ts'
import { EXIT_DONE, UsageError } from '../errors.ts'
import { interruptible, reported } from '../interrupt.ts'
import { opening } from '../opening.ts'

export function registerConvert(cli: CAC): void {
  cli
    .command('convert <directory>', 'Add the ordered index, which ranges need, or take it away')
    .option('--ordered', 'Add it')
    .option('--unordered', 'Take it away')
    .action((directory: string, options: Options) => {
      const ordered = flagOption(options, 'ordered')
      if (ordered === flagOption(options, 'unordered'))
        throw new UsageError('convert takes either --ordered or --unordered')
      return interruptible(async signal => {
        await reported('convert', 'records', signal, onProgress =>
          convert(argument(directory), { ordered, onProgress, ...opening() }),
        )
        return EXIT_DONE
      }, '; the database keeps no ordered index now')
    })
}
