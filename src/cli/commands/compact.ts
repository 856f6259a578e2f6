/** `xenondb compact`: gives the space that deletions have left back to the file system. */
import type { CAC } from 'cac'
import { argument, flagOption, type Options } from '../arguments.ts'
import { requireOwnRecords, withDatabase } from '../database.ts'
import { EXIT_DONE } from '../errors.ts'
import { interruptible, reported } from '../interrupt.ts'
import { print } from '../output.ts'
import { count, size } from '../render.ts'

export function registerCompact(cli: CAC): void {
  cli
    .command('compact <directory>', 'Give the space that deletions have left back to the file system')
    .option('--json', 'Print the outcome as JSON')
    .action((directory: string, options: Options) => {
      const json = flagOption(options, 'json')
      return interruptible(signal =>
        withDatabase(argument(directory), { createIfMissing: false, keepsRecords: true, signal }, async db => {
          requireOwnRecords(db, 'say COMPACT to the node while it runs (xenondb client, redis-cli)')
          const report = await reported('compact', 'steps', signal, onProgress => db.compact({ onProgress }))
          const { blocksBefore, blocksAfter, bytesBefore, bytesAfter } = report
          await print(
            json
              ? `${JSON.stringify(report, null, 2)}\n`
              : `${count(blocksBefore)} blocks, ${size(bytesBefore)} before; ${count(blocksAfter)} blocks, ${size(bytesAfter)} now\n`,
          )
          return EXIT_DONE
        }),
      )
    })
}
