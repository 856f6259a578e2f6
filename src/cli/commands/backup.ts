/** `xenondb backup`: copies a database to a new directory. */
import { readdirSync, rmdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { CAC } from 'cac'
import type { BackupReport } from '../../index.ts'
import { argument, countOption, flagOption, type Options } from '../arguments.ts'
import { type ByteDatabase, withDatabase } from '../database.ts'
import { EXIT_DONE, printable, UsageError } from '../errors.ts'
import { interruptible, reported } from '../interrupt.ts'
import { print } from '../output.ts'
import { count, size } from '../render.ts'

export function registerBackup(cli: CAC): void {
  cli
    .command('backup <directory> <new-directory>', 'Copy the database to a new directory')
    .option('--keep <count>', 'Put it into a folder with its date in that directory, and keep so many of these')
    .option('--as-file', 'Make it one file, a tar archive, for restore and for browsers')
    .option('--verify', 'Check every block of the copy before it counts')
    .option('--json', 'Print the outcome as JSON')
    .example(bin => `  $ ${bin} backup students backups/students-monday`)
    .example(bin => `  $ ${bin} backup students backups --keep 7 --verify`)
    .example(bin => `  $ ${bin} backup students students.tar --as-file`)
    .action((directory: string, newDirectory: string, options: Options) => {
      const json = flagOption(options, 'json')
      const target = argument(newDirectory)
      const keep = countOption(options, 'keep')
      if (keep === 0) throw new UsageError('--keep must be at least 1')
      const asFile = flagOption(options, 'asFile')
      if (asFile && keep !== undefined) throw new UsageError('--keep is for backups that are directories')
      const wanted = { verify: flagOption(options, 'verify'), asFile, ...(keep === undefined ? {} : { keep }) }
      return interruptible(signal =>
        withDatabase(argument(directory), { createIfMissing: false, onlyReads: true, signal }, async db => {
          const report = await backup(db, target, wanted, signal)
          await print(json ? `${JSON.stringify(report, null, 2)}\n` : readable(report))
          return EXIT_DONE
        }),
      )
    })
}

function readable({ records, bytes, directory, kept, removed }: BackupReport): string {
  const what = `${count(records)} records, ${size(bytes)}`
  if (kept === undefined || removed === undefined) return `${what}\n`
  return `${what}, in ${printable(directory)}\n${count(kept.length)} backups kept, ${count(removed.length)} removed\n`
}

/** The engine removes the files of a copy that was not finished; here its empty directories go too. */
async function backup(
  db: ByteDatabase,
  target: string,
  wanted: { verify: boolean; asFile: boolean; keep?: number },
  signal: AbortSignal,
): Promise<BackupReport> {
  const existed = isDirectory(target)
  const wasEmpty = existed && readdirSync(target).length === 0
  try {
    return await reported('backup', 'blocks', signal, onProgress => db.backup(target, { ...wanted, onProgress }))
  } catch (error) {
    if (wanted.keep !== undefined) throw error
    if (!existed || wasEmpty) removeEmpty(join(target, 'log'))
    if (!existed) removeEmpty(target)
    throw error
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}

function removeEmpty(directory: string): void {
  try {
    rmdirSync(directory)
  } catch {
    // Not there, or not empty: then it is not ours.
  }
}
