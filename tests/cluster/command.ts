/** The command line as processes, whose output is looked at while they run. */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export const MAIN: string = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

export interface Run {
  readonly child: ChildProcess
  /** What it has said so far, errors too. */
  readonly output: () => string
  readonly status: Promise<number | null>
}

export function run(...words: string[]): Run {
  let text = ''
  const child = spawn(process.execPath, [MAIN, ...words], { stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.on('data', data => (text += String(data)))
  child.stderr.on('data', data => (text += String(data)))
  const status = new Promise<number | null>(resolve => child.once('close', resolve))
  return { child, output: () => text, status }
}
