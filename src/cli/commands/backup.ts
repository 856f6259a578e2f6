/** `xenondb backup`: copies a database to a new directory. */
import { readdirSync, rmdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { CAC } from 'cac'
import { argument, flagOption, type Options } from '../arguments.ts'
import { type ByteDatabase, withDatabase } from '../database.ts'
import { EXIT_DONE } from '../errors.ts'
import { interruptible, reported } from '../interrupt.ts'
import { print } from '../output.ts'
import { count, size } from '../render.ts'

export function registerBackup(cli: CAC): void {
  cli
    .command('backup <directory> <new-directory>', 'Copy the database to a new directory')
    .option('--json', 'Print the outcome as JSON')
    .example(bin => `  $ ${bin} backup students backups/students-monday`)
    .action((directory: string, newDirectory: string, options: Options) => {
      const json = flagOption(options, 'json')
      const target = argument(newDirectory)
      return interruptible(signal =>
        withDatabase(argument(directory), { createIfMissing: false, onlyReads: true, signal }, async db => {
          const report = await backup(db, target, signal)
          await print(
            json ? `${JSON.stringify(report, null, 2)}\n` : `${count(report.records)} records, ${size(report.bytes)}\n`,
          )
          return EXIT_DONE
        }),
      )
    })
}

/** The engine removes the files of a copy that was not finished; here its empty directories go too. */
async function backup(
  db: ByteDatabase,
  target: string,
  signal: AbortSignal,
): Promise<{ bytes: number; records: number }> {
  const existed = isDirectory(target)
  const wasEmpty = existed && readdirSync(target).length === 0
  try {
    return await reported('backup', 'blocks', signal, onProgress => db.backup(target, { onProgress }))
  } catch (error) {
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
