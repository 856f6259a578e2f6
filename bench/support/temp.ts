/**
 * Scratch directories on the real disk: a memory file system would make every fsync free.
 * They are removed when the process ends, also by an error, SIGINT or SIGTERM.
 */
import { mkdtempSync, readdirSync, rmSync, statfsSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { repositoryRoot } from './paths.ts'

const TMPFS = 0x01021994
const created = new Set<string>()
let watching = false

/** A new directory beside the sources, or under the system's temporary directory when that is a disk. */
export function makeTemporaryDirectory(): string {
  removeAtEnd()
  const directory = mkdtempSync(join(base(), '.xenon-bench-'))
  created.add(directory)
  return directory
}

export function removeTemporaryDirectory(directory: string): void {
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
  created.delete(directory)
}

/** Bytes that the files of a directory take on the disk: sparse and preallocated files make the apparent size lie. */
export function allocatedBytes(path: string): number {
  const entry = statSync(path)
  if (!entry.isDirectory()) return entry.blocks * 512
  return readdirSync(path).reduce((sum, name) => sum + allocatedBytes(join(path, name)), 0)
}

function base(): string {
  return statfsSync(repositoryRoot).type === TMPFS ? tmpdir() : repositoryRoot
}

function removeAtEnd(): void {
  if (watching) return
  watching = true
  process.on('exit', () => {
    for (const directory of created) removeTemporaryDirectory(directory)
  })
  process.on('SIGINT', () => process.exit(130))
  process.on('SIGTERM', () => process.exit(143))
}
