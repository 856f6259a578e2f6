/** Runs the built command line as a real process. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

export interface Outcome {
  status: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
}

export interface Running {
  process: ChildProcessWithoutNullStreams
  outcome: Promise<Outcome>
}

export function start(...args: string[]): Running {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: 'pipe' })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', text => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', text => {
    stderr += text
  })
  // A process that fails early does not read its input.
  child.stdin.on('error', () => {})
  const outcome = new Promise<Outcome>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (status, signal) => resolve({ status, signal, stdout, stderr }))
  })
  return { process: child, outcome }
}

/** Runs to the end with nothing on stdin. */
export function run(...args: string[]): Promise<Outcome> {
  return runWith('', ...args)
}

export function runWith(input: string | Uint8Array, ...args: string[]): Promise<Outcome> {
  const running = start(...args)
  running.process.stdin.end(input)
  return running.outcome
}
