/**
 * Installs an example: `node install.mjs NAME`. The packages that its package-lock.json names, and xenondb from this
 * checkout (`npm run build` first) as `npm install xenondb` would lay it down. Does nothing that is already done.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = path => JSON.parse(readFileSync(path, 'utf8'))

/** Returns the folder of the example. Throws an error with npm's own words if its packages cannot be had. */
export function install(name) {
  const folder = fileURLToPath(new URL(name, import.meta.url))
  const modules = join(folder, 'node_modules')
  const stamp = join(modules, '.installed')
  const lock = readFileSync(join(folder, 'package-lock.json'), 'utf8')
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== lock) {
    const options = [
      '--no-audit',
      '--no-fund',
      '--ignore-scripts',
      '--prefer-offline',
      '--fetch-retries=1',
      '--fetch-timeout=30000',
    ]
    const { status, error, stderr } = spawnSync('npm', ['ci', ...options], {
      cwd: folder,
      encoding: 'utf8',
      shell: process.platform === 'win32',
      timeout: 120_000,
    })
    if (status !== 0) throw new Error(error?.message ?? stderr.trim().split('\n')[0])
    writeFileSync(stamp, lock)
  }
  layDown(join(modules, 'xenondb'))
  return folder
}

/** The package, with its dependencies in a `node_modules` of its own. */
export function layDown(target) {
  rmSync(target, { recursive: true, force: true })
  mkdirSync(target, { recursive: true })
  const copied = new Set()
  const copyDependencies = ({ dependencies = {} }) => {
    for (const name of Object.keys(dependencies)) {
      if (copied.has(name)) continue
      copied.add(name)
      const from = join(root, 'node_modules', name)
      cpSync(from, join(target, 'node_modules', name), { recursive: true })
      copyDependencies(read(join(from, 'package.json')))
    }
  }
  for (const part of ['package.json', 'dist']) cpSync(join(root, part), join(target, part), { recursive: true })
  copyDependencies(read(join(root, 'package.json')))
}

if (process.argv[1] !== undefined && pathToFileURL(process.argv[1]).href === import.meta.url)
  for (const name of process.argv.slice(2)) install(name)
