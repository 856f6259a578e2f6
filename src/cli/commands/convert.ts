/** `xenondb convert`: adds the ordered index to a database or takes it away, or gives it blocks of another size. */
import type { CAC } from 'cac'
import { convert } from '../../index.ts'
import { argument, countOption, flagOption, type Options } from '../arguments.ts'
import { EXIT_DONE, UsageError } from '../errors.ts'
import { interruptible, reported } from '../interrupt.ts'
import { opening } from '../opening.ts'

export function registerConvert(cli: CAC): void {
  cli
    .command('convert <directory>', 'Add the ordered index, which ranges need, or take it away; change the block size')
    .option('--ordered', 'Add it')
    .option('--unordered', 'Take it away')
    .option('--block-size <bytes>', 'Build the database anew with blocks of this size: 4096 to 65536')
    .action((directory: string, options: Options) => {
      const [ordered, unordered] = ['ordered', 'unordered'].map(name => flagOption(options, name)) as [boolean, boolean]
      const blockSize = countOption(options, 'blockSize')
      if (ordered ? unordered : !unordered && blockSize === undefined)
        throw new UsageError('convert takes either --ordered or --unordered, or --block-size, or both')
      const wanted = {
        ...(ordered || unordered ? { ordered } : {}),
        ...(blockSize === undefined ? {} : { blockSize }),
      }
      const state = ordered || unordered ? '; the database keeps no ordered index now' : '; the database is as it was'
      return interruptible(async signal => {
        await reported('convert', blockSize === undefined ? 'records' : 'blocks', signal, onProgress =>
          convert(argument(directory), { ...wanted, onProgress, ...opening() }),
        )
        return EXIT_DONE
      }, state)
    })
}
