/** Installs what package-lock.json of this folder names, once. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Throws an error with npm's own words if the packages cannot be had. */
export function install() {
  const folder = fileURLToPath(new URL('.', import.meta.url))
  const stamp = join(folder, 'node_modules/.installed')
  const lock = readFileSync(join(folder, 'package-lock.json'), 'utf8')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return
  const options = ['--no-audit', '--no-fund', '--ignore-scripts', '--prefer-offline', '--fetch-retries=1']
  const { status, error, stderr } = spawnSync('npm', ['ci', ...options, '--fetch-timeout=30000'], {
    cwd: folder,
    encoding: 'utf8',
    timeout: 120_000,
  })
  if (status !== 0) throw new Error(error?.message ?? stderr.trim().split('\n').at(-1))
  writeFileSync(stamp, lock)
}
