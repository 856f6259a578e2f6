// Brings a fresh clone to the point where everything runs: installs what package-lock.json names, and builds.
// Does nothing that is already done, so that `npm start` and `npm test` may always call it.
import { spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'

const run = (command, args) => {
  const result = spawnSync(command, args, { stdio: 'inherit', shell: process.platform === 'win32' })
  if (result.status !== 0) {
    console.error(`setup: '${command} ${args.join(' ')}' failed`)
    process.exit(result.status ?? 1)
  }
}

const installed = 'node_modules/.package-lock.json'
const stale = !existsSync(installed) || statSync(installed).mtimeMs < statSync('package-lock.json').mtimeMs
if (stale) run('npm', ['ci', '--no-fund', '--no-audit'])
const started = performance.now()
run('npm', ['run', '--silent', 'build'])
console.log(`setup: built in ${((performance.now() - started) / 1000).toFixed(1)} s`)
