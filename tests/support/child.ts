/** Child processes that print lines and are killed. They are plain JavaScript and import the built `dist`. */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export interface Child {
  readonly process: ChildProcess
  /** The first line it prints; rejects when it ends without one. */
  readonly firstLine: Promise<string>
  /** Resolves when it has ended and all its output has been read. */
  readonly ended: Promise<{ lines: string[]; signal: NodeJS.Signals | null; errors: string }>
  kill(): void
}

/** Starts `script`, a path relative to `tests/`. */
export function startChild(
  script: string,
  parameters: readonly string[],
  environment: Record<string, string> = {},
): Child {
  const path = fileURLToPath(new URL(`../${script}`, import.meta.url))
  const child = spawn(process.execPath, [path, ...parameters], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
  })
  let output = ''
  let errors = ''
  const firstLine = new Promise<string>((resolve, reject) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
      const end = output.indexOf('\n')
      if (end >= 0) resolve(output.slice(0, end))
    })
    child.once('close', () => reject(new Error(`${script} ended without a word: ${errors}`)))
  })
  firstLine.catch(() => {})
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  const ended = new Promise<{ lines: string[]; signal: NodeJS.Signals | null; errors: string }>(resolve => {
    child.once('close', (_, signal) => {
      // A last line without its end was never said.
      resolve({ lines: output.split('\n').slice(0, -1), signal, errors })
    })
  })
  return { process: child, firstLine, ended, kill: () => void child.kill('SIGKILL') }
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, milliseconds))
}
