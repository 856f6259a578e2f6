/**
 * Runs Redis's own tests against `xenondb serve`:
 *
 *   node scripts/redis-suite.mjs PATH [--unit unit/type/string]… [--against redis-server] [--verbose]
 *
 * PATH is a checkout of Redis, or a repository of it (bare ones too): its tests of version 7.0.15 are copied to a
 * temporary directory. Each unit runs against a server of its own, as Redis's `runtest --host --port` does. What asks
 * for more than the server has is named with its reason in redis-suite.json, and is left out. Ends with status 1 if a
 * test fails that is not named there. `--against redis-server` shows which tests cannot pass this way at all.
 * Needs tclsh, redis-cli, redis-benchmark, and `npm run build`.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const VERSION = '7.0.15'
const MAIN = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))
/** For each unit, a reason and the tests that are left out for it. */
const { tags, units } = JSON.parse(readFileSync(new URL('redis-suite.json', import.meta.url), 'utf8'))
/** A unit that says nothing for so long hangs. */
const PATIENCE_MS = 60_000

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    unit: { type: 'string', multiple: true, default: Object.keys(units) },
    against: { type: 'string', default: 'xenondb' },
    verbose: { type: 'boolean', default: false },
  },
})
const [source] = positionals
if (source === undefined || !existsSync(source)) {
  console.error('usage: node scripts/redis-suite.mjs PATH_OF_REDIS [--unit NAME]… [--against redis-server] [--verbose]')
  process.exit(2)
}

const work = mkdtempSync(join(tmpdir(), 'redis-suite-'))
try {
  layOut(work, source)
  const totals = { passed: 0, failed: 0, skipped: 0 }
  console.log('passed failed skipped  seconds  unit')
  for (const unit of values.unit) {
    const result = await runUnit(unit)
    for (const name of Object.keys(totals)) totals[name] += result[name]
    console.log(
      `${column(result.passed, 6)} ${column(result.failed, 6)} ${column(result.skipped, 7)}  ` +
        `${column(result.seconds, 7)}  ${unit}`,
    )
    for (const failure of result.failures) console.log(`    ${failure.replaceAll('\n', '\n      ')}`)
  }
  console.log(`${column(totals.passed, 6)} ${column(totals.failed, 6)} ${column(totals.skipped, 7)}           in all`)
  process.exitCode = totals.failed === 0 ? 0 : 1
} finally {
  rmSync(work, { recursive: true, force: true })
}

function column(number, width) {
  return String(number).padStart(width)
}

/** The tests, and the programs that they call. */
function layOut(target, from) {
  const pick = ['tests', 'utils']
  const archive = spawnSync('git', ['archive', VERSION, ...pick], { cwd: from, maxBuffer: 2 ** 30 })
  if (archive.status !== 0) throw new Error(`no version ${VERSION} in ${from}: ${archive.stderr}`)
  const unpacked = spawnSync('tar', ['-x', '-C', target], { input: archive.stdout })
  if (unpacked.status !== 0) throw new Error(`tar: ${unpacked.stderr}`)
  mkdirSync(join(target, 'src'))
  for (const program of ['redis-server', 'redis-cli', 'redis-benchmark']) {
    const { stdout } = spawnSync('which', [program], { encoding: 'utf8' })
    if (stdout.trim() === '') throw new Error(`there is no ${program} here`)
    symlinkSync(stdout.trim(), join(target, 'src', program))
  }
  // Before each group of tests Redis's runner does what not every server can: that must not end the whole unit.
  change(join(target, 'tests/support/server.tcl'), text =>
    text
      .replace('    r function flush\n', '    catch {r function flush}\n')
      .replaceAll(/^( +)r config set \$param \$val$/gm, '$1catch {r config set $param $val}'),
  )
  // All of it is run a second time as functions, under the same names.
  change(join(target, 'tests/unit/scripting.tcl'), text =>
    text.replace('foreach is_eval {0 1} {', 'foreach is_eval {1} {'),
  )
}

function change(path, by) {
  const text = readFileSync(path, 'utf8')
  const changed = by(text)
  if (changed === text) throw new Error(`${path} is not as in ${VERSION}`)
  writeFileSync(path, changed)
}

async function runUnit(unit) {
  const reasons = units[unit] ?? {}
  const left = values.against === 'xenondb' ? Object.values(reasons).flat() : []
  writeFileSync(join(work, 'skip.txt'), left.join('\n'))
  const directory = mkdtempSync(join(work, 'server-'))
  const port = await freePort()
  const [program, args] =
    values.against === 'xenondb'
      ? [process.execPath, [MAIN, 'serve', join(directory, 'db'), '--port', `${port}`, '--durability', 'none']]
      : [values.against, ['--port', `${port}`, '--dir', directory, '--save', '', '--enable-debug-command', 'yes']]
  const server = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let errors = ''
  server.stderr.setEncoding('utf8').on('data', part => {
    errors = (errors + part).slice(-10_000)
  })
  const ended = new Promise(resolve => server.once('close', resolve))
  await listening(port)
  const started = performance.now()
  const output = await tests(unit, port)
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  const alive = server.exitCode === null && server.signalCode === null
  server.kill('SIGTERM')
  const killed = setTimeout(() => server.kill('SIGKILL'), 10_000)
  await ended
  clearTimeout(killed)
  const failures = failuresOf(output)
  if (!alive) failures.push(`the server has ended: ${errors.slice(-2000)}`)
  if (values.against === 'xenondb') {
    const verified = spawnSync(process.execPath, [MAIN, 'verify', join(directory, 'db')], { encoding: 'utf8' })
    if (verified.status !== 0) failures.push(`verify: ${verified.stdout}${verified.stderr}`)
  }
  return {
    passed: count(output, 'ok'),
    skipped: count(output, 'skip') + count(output, 'ignore'),
    failed: failures.length,
    failures,
    seconds,
  }
}

/** What Redis's runner prints; a unit that hangs is ended, and says so. */
function tests(unit, port) {
  return new Promise(resolve => {
    const args = ['tests/test_helper.tcl', '--host', '127.0.0.1', '--port', `${port}`, '--single', unit, '--durable']
    args.push('--clients', '1', '--ignore-encoding', '--ignore-digest', '--skipfile', join(work, 'skip.txt'))
    // Its programs talk to each other on a port below this one: two suites at a time need two.
    args.push('--baseport', `${22_000 + 32 * (process.pid % 300)}`)
    args.push('--tags', tags.map(tag => `-${tag}`).join(' '))
    const child = spawn('tclsh', args, { cwd: work, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    const give = () => {
      output += '\n[hangs]: the unit says nothing any more\n'
      process.kill(-child.pid, 'SIGKILL')
    }
    let patience = setTimeout(give, PATIENCE_MS)
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('latin1').on('data', part => {
        output += part
        if (values.verbose) process.stderr.write(part)
        clearTimeout(patience)
        patience = setTimeout(give, PATIENCE_MS)
      })
    child.once('close', () => {
      clearTimeout(patience)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: colours
      resolve(output.replaceAll(/\x1b\[[\d;]*m/g, ''))
    })
  })
}

function count(output, status) {
  return output.split('\n').filter(line => line.startsWith(`[${status}]: `)).length
}

/** Each with what was expected; up to the next line that begins with a status. */
function failuresOf(output) {
  const failures = []
  const pattern = /^\[(err|exception|hangs)\]: ([\s\S]*?)(?=^\[\w+\]: |^\[\d+\/\d+ done\]|^\s+The End|$(?![\s\S]))/gm
  for (const [, status, text] of output.matchAll(pattern))
    failures.push(`${status === 'err' ? '' : `${status}: `}${withoutStack(text).trim().slice(0, 1000)}`)
  if (!/\d+\/\d+ done\]/.test(output) && failures.length === 0) failures.push(`ended early: ${output.slice(-1500)}`)
  return failures
}

async function listening(port) {
  for (let attempt = 0; attempt < 200; attempt++) {
    const connected = await new Promise(resolve => {
      const socket = connect(port, '127.0.0.1', () => resolve(true)).once('error', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
    if (connected) return
    await pause(50)
  }
  throw new Error('the server does not start')
}

/** Tcl's stack says little; `--verbose` shows it. */
function withoutStack(text) {
  const at = text.search(/^ +(?:while executing|invoked from within)/m)
  return at < 0 ? text : text.slice(0, at)
}

function freePort() {
  return new Promise((resolve, reject) => {
    const listener = createServer().once('error', reject)
    listener.listen(0, '127.0.0.1', () => {
      const { port } = listener.address()
      listener.close(() => resolve(port))
    })
  })
}
