/** The examples of `examples/frameworks`, as their users run them. */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { onTestFinished, type TestContext } from 'vitest'

interface Installer {
  install(name: string): string
  layDown(target: string): void
}

const installer: Promise<Installer> = import(
  new URL('../../examples/frameworks/install.mjs', import.meta.url).href
) as Promise<Installer>

/** Of tests that may have to install packages first: milliseconds. */
export const INSTALLING = { timeout: 300_000 }

const folders = new Map<string, string>()
const problems = new Map<string, string>()

/** Folder of the example with its packages; skips the test, and says why, if they cannot be had. */
export async function installed(name: string, { skip }: TestContext): Promise<string> {
  const { install } = await installer
  if (!folders.has(name) && !problems.has(name))
    try {
      folders.set(name, install(name))
    } catch (error) {
      problems.set(name, `the packages of examples/frameworks/${name} cannot be installed: ${(error as Error).message}`)
      console.log(`skipped: ${problems.get(name)}`)
    }
  return folders.get(name) ?? skip(problems.get(name))
}

/** Folder of an example that needs no packages but xenondb, which is laid down in it. */
export async function withXenondb(name: string): Promise<string> {
  const { layDown } = await installer
  const folder = fileURLToPath(new URL(`../../examples/frameworks/${name}`, import.meta.url))
  layDown(`${folder}/node_modules/xenondb`)
  return folder
}

export interface Program {
  readonly process: ChildProcess
  /** All that it has written. */
  readonly output: () => string
  /** Resolves with the first match in what it writes; rejects when it ends without one. */
  says(pattern: RegExp): Promise<RegExpExecArray>
  /** Resolves with its exit status when it has ended. */
  readonly ended: Promise<number | null>
}

/** Starts a program of Node, which is killed when the test ends. */
export function start(folder: string, args: readonly string[], environment: Record<string, string>): Program {
  // What vitest has set for its own workers is none of the example's business.
  const inherited = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(VITEST|NODE_ENV|TEST$)/.test(name)),
  )
  const child = spawn(process.execPath, args, {
    cwd: folder,
    env: { ...inherited, NO_COLOR: '1', NEXT_TELEMETRY_DISABLED: '1', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let text = ''
  let look = (): void => {}
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (part: string) => {
      text += part
      look()
    })
  const ended = new Promise<number | null>(resolve => child.once('close', resolve))
  return {
    process: child,
    output: () => text,
    ended,
    says: pattern =>
      new Promise((resolve, reject) => {
        look = () => {
          const found = pattern.exec(text)
          if (found !== null) resolve(found)
        }
        look()
        void ended.then(status => reject(new Error(`ended with ${status} and did not say ${pattern}: ${text}`)))
      }),
  }
}

/** Its address, when it listens. */
export const address = async (program: Program): Promise<string> => {
  const [found] = await program.says(/http:\/\/localhost:\d+/)
  return found
}

/** Ends it by SIGTERM, as a service manager would; gives its exit status. */
export const stop = async (program: Program): Promise<number | null> => {
  program.process.kill('SIGTERM')
  return await program.ended
}
