/**
 * A limit of memory that the kernel keeps, for processes and for what they leave in the page cache: a control group of
 * Linux, of version 1 or 2. It takes root, and a file system of control groups that may be written.
 */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { UsageError } from './options.ts'

const ROOT = '/sys/fs/cgroup'
const created = new Set<MemoryLimit>()
let watching = false

export class MemoryLimit {
  /** A process that writes its number here belongs to the group, with all that it takes from then on. */
  readonly processes: string
  readonly #directory: string
  readonly #isUnified: boolean

  /** A new group, without a limit yet; throws a `UsageError` where it cannot have one. */
  constructor(name: string) {
    const isUnified = existsSync(join(ROOT, 'cgroup.controllers'))
    this.#isUnified = isUnified
    this.#directory = join(isUnified ? ROOT : firstVersion(), `xenon-bench-${process.pid}-${name}`)
    this.processes = join(this.#directory, 'cgroup.procs')
    try {
      if (isUnified) offerMemory()
      mkdirSync(this.#directory)
      created.add(this)
      removeAtExit()
      writeFileSync(this.#limitFile, readFileSync(this.#limitFile))
    } catch (error) {
      throw new UsageError(
        `a memory limit needs root and a control group for memory below ${ROOT}: ${(error as Error).message}`,
      )
    }
  }

  /** From now on the group takes at most `bytes`: pages of files that are too many already leave the memory. */
  limitTo(bytes: number): void {
    patiently(() => writeFileSync(this.#limitFile, String(bytes)))
    this.#refuseSwap(bytes)
  }

  /** Once all of its processes have ended. Also done at exit. */
  remove(): void {
    created.delete(this)
    patiently(() => rmdirSync(this.#directory))
  }

  /** Memory that lies on the disk would be no limit. Kernels without swap do not have these files. */
  #refuseSwap(bytes: number): void {
    const [name, value] = this.#isUnified ? ['memory.swap.max', 0] : ['memory.memsw.limit_in_bytes', bytes]
    if (existsSync(this.#file(name))) writeFileSync(this.#file(name), String(value))
  }

  get #limitFile(): string {
    return this.#file(this.#isUnified ? 'memory.max' : 'memory.limit_in_bytes')
  }

  #file(name: string): string {
    return join(this.#directory, name)
  }
}

/** The kernel may need a moment: to notice that a process has ended, to write out what is to leave the memory. */
function patiently(work: () => void): void {
  for (let tries = 50; ; tries -= 1) {
    try {
      work()
      return
    } catch (error) {
      if (tries === 0) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100)
    }
  }
}

function removeAtExit(): void {
  if (watching) return
  watching = true
  process.on('exit', () => {
    for (const limit of created) limit.remove()
  })
}

/** Version 1: below the group that this process belongs to, or at the root if its name is that of another namespace. */
function firstVersion(): string {
  const mount = join(ROOT, 'memory')
  const line = readFileSync('/proc/self/cgroup', 'utf8').match(/^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m)
  const own = join(mount, line?.[1] ?? '')
  return existsSync(own) ? own : mount
}

/** Version 2: groups of the root get a limit only if the root says so. */
function offerMemory(): void {
  const offered = join(ROOT, 'cgroup.subtree_control')
  if (!readFileSync(offered, 'utf8').split(/\s+/).includes('memory')) writeFileSync(offered, '+memory')
}
