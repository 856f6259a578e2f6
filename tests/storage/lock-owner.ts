import { type ChildProcess, spawn } from 'node:child_process'
import { fstatSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, expect } from 'vitest'

const script = fileURLToPath(new URL('lock-child.mjs', import.meta.url))
const children = new Set<ChildProcess>()
afterAll(() => {
  for (const child of children) child.kill('SIGKILL')
})

/** A process of its own that takes locks on command. */
export interface OtherProcess {
  pid: number
  /** Sends a command of lock-child.mjs, resolves with its answer. */
  ask(command: string): Promise<string>
  /** Resolves once the process is gone. */
  kill(): Promise<void>
}

export function startProcess(): OtherProcess {
  const child = spawn(process.execPath, [script], { stdio: ['pipe', 'pipe', 'inherit'] })
  children.add(child)
  const exited = new Promise<void>(resolve => child.once('exit', () => resolve()))
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    pid: child.pid!,
    async ask(command: string): Promise<string> {
      child.stdin.write(`${command}\n`)
      const { value } = await answers.next()
      return value ?? 'gone'
    },
    async kill(): Promise<void> {
      child.kill('SIGKILL')
      await exited
      children.delete(child)
    },
  }
}

/** What a lock file of this very process says. */
export function ownClaim(): Record<string, unknown> {
  const stat = readFileSync('/proc/self/stat', 'latin1')
  return {
    pid: process.pid,
    start: stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19],
    boot: readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim(),
    namespace: readlinkSync('/proc/self/ns/pid'),
    nonce: 'abcdef0123456789abcdef01',
  }
}

/** Writes a claim that differs from one of this process in `changes`. */
export function forge(directory: string, changes: Record<string, unknown>, name = 'lock'): void {
  writeFileSync(join(directory, name), JSON.stringify({ ...ownClaim(), ...changes }))
}

/** The descriptor that a claim names leads to the very file, in this process. */
export function expectDescriptor(directory: string): void {
  const path = join(directory, 'lock')
  const { descriptor } = JSON.parse(readFileSync(path, 'utf8'))
  const identity = ({ dev, ino }: { dev: bigint; ino: bigint }): string => `${dev}:${ino}`
  const held = fstatSync(descriptor, { bigint: true })
  expect(identity(held)).toBe(identity(statSync(path, { bigint: true })))
}

/** Larger than any pid that Linux gives out. */
export const noSuchPid = 0x7ffffff0
