/** `xenondb restore`: a database from a backup. */
import type { CAC } from 'cac'
import { type RestoreProgress, type RestoreReport, restore } from '../../index.ts'
import { argument, flagOption, type Options, textOption } from '../arguments.ts'
import { requireNoNode } from '../database.ts'
import { EXIT_DONE, printable } from '../errors.ts'
import { interruptible } from '../interrupt.ts'
import { opening } from '../opening.ts'
import { print } from '../output.ts'
import { type Progress, startProgress } from '../progress.ts'
import { count, size } from '../render.ts'

export function registerRestore(cli: CAC): void {
  cli
    .command('restore <backup> <directory>', 'Restore a database from a backup, or from the newest of dated ones')
    .option('--at <name>', 'Which one of dated backups, such as 2026-11-30T02-15-52Z')
    .option('--overwrite', 'Replace the database that stands there')
    .option('--skip-verify', 'Do not check every block before it takes its place')
    .option('--json', 'Print the outcome as JSON')
    .example(bin => `  $ ${bin} restore backups students --overwrite`)
    .action((backup: string, directory: string, options: Options) => {
      const json = flagOption(options, 'json')
      const wanted = {
        at: textOption(options, 'at'),
        overwrite: flagOption(options, 'overwrite'),
        verify: !flagOption(options, 'skipVerify'),
        ...opening(),
      }
      requireNoNode(
        argument(directory),
        'start the node with an empty directory, and it takes the newest snapshot; restore the backup to a new directory, and bring what is wanted of it back through the cluster',
      )
      return interruptible(async signal => {
        const report = await shown(onProgress =>
          restore(argument(backup), argument(directory), { ...wanted, signal, onProgress }),
        )
        await print(json ? `${JSON.stringify(report, null, 2)}\n` : readable(report))
        if (report.left !== undefined)
          process.stderr.write(`${printable(report.left)} holds other files of the replaced directory\n`)
        return EXIT_DONE
      }, '; nothing was replaced')
    })
}

/** One bar for each phase. */
async function shown(work: (onProgress: (progress: RestoreProgress) => void) => Promise<RestoreReport>) {
  let bar: { phase: string; progress: Progress } | undefined
  try {
    return await work(({ phase, done, total }) => {
      if (bar?.phase !== phase) {
        bar?.progress.stop()
        bar = { phase, progress: startProgress(phase, total, phase === 'copy' ? 'bytes' : 'blocks') }
      }
      bar.progress.update(done)
    })
  } finally {
    bar?.progress.stop()
  }
}

function readable({ records, bytes, from }: RestoreReport): string {
  return `${count(records)} records, ${size(bytes)}, from ${printable(from)}\n`
}
