/**
 * Programs that tests need and the package does not: what `tests/<name>/package-lock.json` says, from npm, in a cache
 * that all clones of one user share (`XENON_TEST_CACHE`, by default `~/.cache/xenondb`).
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TestContext } from 'vitest'

/** Of tests that may have to install first: milliseconds. */
export const INSTALLING = { timeout: 600_000 }

const problems = new Map<string, string>()

/** The `node_modules` with them. Skips the test, and says why, if they cannot be had. */
export function devTools(name: string, { skip }: TestContext): string {
  if (!problems.has(name))
    try {
      return install(name)
    } catch (error) {
      problems.set(name, `the packages of tests/${name} cannot be installed: ${(error as Error).message}`)
      console.log(`skipped: ${problems.get(name)}`)
    }
  return skip(problems.get(name))
}

function install(name: string): string {
  const source = fileURLToPath(new URL(`../${name}`, import.meta.url))
  const lock = readFileSync(join(source, 'package-lock.json'))
  const cache = process.env.XENON_TEST_CACHE ?? join(homedir(), '.cache', 'xenondb')
  const target = join(cache, `${name}-${createHash('sha256').update(lock).digest('hex').slice(0, 16)}`)
  const modules = join(target, 'node_modules')
  if (existsSync(target)) return modules
  const unfinished = `${target}.${process.pid}`
  mkdirSync(unfinished, { recursive: true })
  try {
    for (const file of ['package.json', 'package-lock.json']) copyFileSync(join(source, file), join(unfinished, file))
    const options = ['--no-audit', '--no-fund', '--ignore-scripts', '--prefer-offline', '--fetch-retries=1']
    const { status, error, stderr } = spawnSync('npm', ['ci', ...options], {
      cwd: unfinished,
      encoding: 'utf8',
      shell: process.platform === 'win32',
      timeout: 300_000,
    })
    if (status !== 0) throw new Error(error?.message ?? stderr.trim().split('\n')[0])
    renameSync(unfinished, target)
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true })
    // Another process may have been faster.
    if (!existsSync(target)) throw error
  }
  return modules
}
