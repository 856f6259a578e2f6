/** Disks of some megabytes for databases of the campaign, in memory, where root may mount such. */
import { execFileSync } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const BYTES = 32 << 20
const mounted = new Set<string>()

export function mountTinyDisk(directory: string): void {
  mkdirSync(directory, { recursive: true })
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${BYTES}`, 'tmpfs', directory], { stdio: 'pipe' })
  if (mounted.size === 0) process.once('exit', unmountTinyDisks)
  mounted.add(directory)
}

export function unmountTinyDisks(): void {
  for (const directory of mounted) execFileSync('umount', ['-l', directory], { stdio: 'pipe' })
  mounted.clear()
}

/** Why there are none here; undefined: there are. */
export function whyNoTinyDisk(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'only root may mount file systems, on Linux'
  const scratch = mkdtempSync(join(tmpdir(), 'xenon-cluster-'))
  try {
    mountTinyDisk(join(scratch, 'probe'))
    return undefined
  } catch (error) {
    return `mounting failed: ${(error as Error).message.split('\n')[0]}`
  } finally {
    unmountTinyDisks()
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** Until nothing more can be written. */
export function fillDisk(directory: string): void {
  const file = openSync(join(directory, 'ballast'), 'w')
  const chunk = new Uint8Array(1 << 20)
  let size = chunk.length
  while (size > 0)
    try {
      writeSync(file, chunk, 0, size)
    } catch {
      size >>= 1
    }
  closeSync(file)
}

export const freeDisk = (directory: string): void => rmSync(join(directory, 'ballast'), { force: true })
