/** Small file systems of their own, to be filled: a tmpfs, and an ext4 in a file. Both need root. */
import { execFileSync, spawnSync } from 'node:child_process'
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { basename } from 'node:path'
import { afterAll } from 'vitest'
import { withDirectory } from '../support/directory.ts'

export type DiskKind = 'tmpfs' | 'ext4'

export interface SmallDisk {
  /** Where it is mounted. */
  readonly directory: string
  /** Bytes that a user can still write. */
  readonly available: number
  /** Fills it with ballast until about so many bytes are left; with 0, until nothing can be written at all. */
  leave(bytes: number): void
  /** Takes so many bytes of the ballast away. */
  shrink(bytes: number): void
  /** Takes the ballast away. */
  free(): void
  /** Mounts it again, for reading only or for writing again. */
  remount(mode: 'ro' | 'rw'): void
  /** The file system meets an error of its own and stops taking writes, as after a failing drive. ext4 only. */
  breakDown(): void
  /** Checks the file system as the system does when it starts, and mounts it again. */
  repair(): void
}

/** Size that leaves some 12 MiB for files: an ext4 keeps a part for its journal. */
const BYTES: Record<DiskKind, number> = { tmpfs: 12 << 20, ext4: 16 << 20 }
const CHUNK = new Uint8Array(1 << 20).fill(0xa5)

const mounted = new Set<string>()
afterAll(() => {
  for (const directory of mounted) unmount(directory)
})

/** Why there is no such disk here, or undefined when there is. Says so once, for the log of the tests. */
export function whyNoDisk(kind: DiskKind): string | undefined {
  const reason = reasonAgainst(kind)
  if (reason !== undefined) console.warn(`SKIPPED: tests on a small ${kind}, because ${reason}`)
  return reason
}

function reasonAgainst(kind: DiskKind): string | undefined {
  if (process.platform !== 'linux') return `this is ${process.platform}, not Linux`
  if (process.getuid?.() !== 0) return 'only root may mount file systems'
  const directory = `/tmp/xenon-probe-${process.pid}-${kind}`
  try {
    mount(kind, directory)
    return undefined
  } catch (error) {
    return `mounting failed: ${firstLine(error)}`
  } finally {
    unmount(directory)
    rmSync(directory, { recursive: true, force: true })
    rmSync(imageOf(directory), { force: true })
  }
}

/** Runs `body` with a fresh disk and takes everything down again. */
export async function withSmallDisk(
  kind: DiskKind,
  body: (disk: SmallDisk) => unknown,
  bytes: number = BYTES[kind],
): Promise<void> {
  await withDirectory(async parent => {
    const directory = `${parent}/disk`
    try {
      mount(kind, directory, bytes)
      await body(diskAt(directory))
    } finally {
      unmount(directory)
    }
  })
}

function diskAt(directory: string): SmallDisk {
  const ballast = `${directory}/ballast`
  return {
    directory,
    get available() {
      const { bavail, bsize } = statfsSync(directory)
      return bavail * bsize
    },
    leave(bytes: number): void {
      const fd = openSync(ballast, 'a')
      try {
        let step = CHUNK.length
        while (step > 0) {
          const left = bytes === 0 ? step : this.available - bytes
          if (left <= 0) break
          if (!tryWrite(fd, Math.min(left, step))) step >>= 1
        }
      } finally {
        closeSync(fd)
      }
    },
    shrink(bytes: number): void {
      truncateSync(ballast, statSync(ballast).size - bytes)
    },
    free(): void {
      rmSync(ballast, { force: true })
    },
    remount(mode: 'ro' | 'rw'): void {
      run('mount', '-o', `remount,${mode}`, directory)
    },
    breakDown(): void {
      const device = basename(deviceOf(directory))
      // Nothing but a loop device of ours may be told to fail.
      if (!/^loop\d+$/.test(device)) throw new Error(`${device} is no loop device`)
      writeFileSync(`/sys/fs/ext4/${device}/trigger_fs_error`, '1')
    },
    repair(): void {
      unmount(directory)
      // 1: errors were found and corrected.
      const { status, stdout } = spawnSync('fsck.ext4', ['-fy', imageOf(directory)], { encoding: 'utf8' })
      if (status === null || status > 1) throw new Error(`fsck.ext4 ended with ${status}: ${stdout}`)
      run('mount', '-o', 'loop', imageOf(directory), directory)
      mounted.add(directory)
    },
  }
}

function tryWrite(fd: number, length: number): boolean {
  try {
    writeSync(fd, CHUNK, 0, length)
    fsyncSync(fd)
    return true
  } catch {
    return false
  }
}

function mount(kind: DiskKind, directory: string, bytes: number = BYTES[kind]): void {
  mkdirSync(directory)
  if (kind === 'tmpfs') {
    run('mount', '-t', 'tmpfs', '-o', `size=${bytes},mode=0755`, 'tmpfs', directory)
  } else {
    const image = imageOf(directory)
    writeFileSync(image, '')
    truncateSync(image, bytes)
    // Nothing is kept back for root; a file system that meets an error turns read-only.
    run('mkfs.ext4', '-q', '-F', '-m', '0', '-e', 'remount-ro', image)
    run('mount', '-o', 'loop', image, directory)
  }
  mounted.add(directory)
}

function unmount(directory: string): void {
  if (!mounted.delete(directory)) return
  try {
    run('umount', directory)
  } catch {
    // A test that failed may have left files open.
    run('umount', '--lazy', directory)
  }
}

function imageOf(directory: string): string {
  return `${directory}.ext4`
}

function deviceOf(directory: string): string {
  const line = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .find(entry => entry.split(' ')[1] === directory)
  return line?.split(' ')[0] ?? ''
}

function run(command: string, ...parameters: string[]): void {
  execFileSync(command, parameters, { stdio: ['ignore', 'ignore', 'pipe'] })
}

function firstLine(error: unknown): string {
  const { code, stderr, message } = error as NodeJS.ErrnoException & { stderr?: Buffer }
  if (code === 'ENOENT') return `${message.split(' ')[1]} is not installed`
  return (stderr?.toString().trim() || message).split('\n')[0] ?? ''
}
