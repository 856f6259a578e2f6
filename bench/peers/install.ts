/** The peers are no dependency of xenondb: they are installed when they are first measured. */
import { spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { peersDirectory } from '../support/paths.ts'

export function installPeers(): void {
  const installed = join(peersDirectory, 'node_modules', '.package-lock.json')
  const wanted = join(peersDirectory, 'package-lock.json')
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(wanted).mtimeMs) return
  console.error('peers: running npm ci in bench/peers; SQLite is compiled, which takes a minute or two …')
  const { status } = spawnSync('npm', ['ci', '--no-fund', '--no-audit'], {
    cwd: peersDirectory,
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: process.platform === 'win32',
  })
  if (status !== 0) throw new Error('peers: npm ci in bench/peers failed; see above')
}
