/** The whole package on every runtime that docs/runtimes.md names, each from npm. */
import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, type TestContext, test } from 'vitest'
import { devTools, INSTALLING } from '../support/dev-tools.ts'

const root: string = fileURLToPath(new URL('../..', import.meta.url))
const PEERS = ['abstract-level', 'keyv', 'msgpackr']
/** Milliseconds, on a busy machine. */
const LONGEST = 120_000

/** A program's folder, with xenondb as npm would lay it down. */
let folder: string

beforeAll(async () => {
  folder = mkdtempSync(join(process.env.XENON_TMP ?? tmpdir(), 'xenon-runtimes-'))
  const { layDown } = (await import(new URL('../../examples/frameworks/install.mjs', import.meta.url).href)) as {
    layDown(target: string): void
  }
  layDown(join(folder, 'node_modules/xenondb'))
  for (const name of PEERS) symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name))
  for (const name of ['smoke.mjs', 'compiled.mjs', 'synced.mjs'])
    copyFileSync(fileURLToPath(new URL(name, import.meta.url)), join(folder, name))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

const RUNTIMES = ['Node 20', 'Node 22', 'Node 24', 'Node 26', 'Bun', 'Deno'] as const

/** The program of a runtime. Skips the test if npm has none for this machine. */
function programOf(runtime: (typeof RUNTIMES)[number], context: TestContext): string {
  const modules = devTools('runtimes', context)
  const { platform, arch } = process
  const places = {
    Bun: `@oven/bun-${platform}-${arch === 'arm64' ? 'aarch64' : arch}/bin/bun`,
    Deno: `@deno/${platform}-${arch}${platform === 'linux' ? '-glibc' : ''}/deno`,
  }
  const place =
    runtime === 'Bun' || runtime === 'Deno'
      ? places[runtime]
      : `${runtime.replace(' ', '').toLowerCase()}-${platform}-${arch}/bin/node`
  const program = join(modules, place)
  if (existsSync(program)) return program
  console.log(`skipped: no ${runtime} for ${platform} ${arch}`)
  return context.skip()
}

function run(program: string, args: readonly string[]): { status: number | null; output: string } {
  // What vitest has set for its own workers is none of the program's business.
  const inherited = Object.entries(process.env).filter(([name]) => !/^(VITEST|NODE_|TEST$)/.test(name))
  const { status, stdout, stderr } = spawnSync(program, args, {
    cwd: folder,
    encoding: 'utf8',
    env: { ...Object.fromEntries(inherited), NO_COLOR: '1', DENO_NO_UPDATE_CHECK: '1' },
    timeout: LONGEST,
  })
  return { status, output: stdout + stderr }
}

const directory = (name: string): string => join(folder, 'databases', name)

const newest = 'Node 26'
const EVERY_PART = /^(\d+) of \1 parts pass\n$/

test.for(RUNTIMES)('%s: every part of the package', INSTALLING, (runtime, context) => {
  const program = programOf(runtime, context)
  const args = runtime === 'Deno' ? ['run', '-A'] : []
  const { status, output } = run(program, [...args, 'smoke.mjs', directory(runtime)])
  expect(output).toMatch(EVERY_PART)
  expect(status).toBe(0)
})

test(
  'Deno with leave for files, the network and the environment: all but to tell that another process is dead',
  INSTALLING,
  context => {
    const program = programOf('Deno', context)
    const own = directory('sandbox')
    mkdirSync(own, { recursive: true })
    const leave = ['--allow-env', '--allow-net', `--allow-read=${folder},${root}`, `--allow-write=${own}`]
    const { output } = run(program, ['run', '--no-prompt', ...leave, 'smoke.mjs', own])
    expect(output.match(/^FAILED .*$/gm)).toHaveLength(1)
    expect(output).toMatch(
      /^FAILED a dead owner is taken over: DatabaseLockedError: .*it cannot be told whether process 2147483646/m,
    )
    expect(output).toContain('option takeover')
  },
)

test("Node's permission model refuses syncs: nothing is written, and the error says so", INSTALLING, context => {
  const program = programOf(newest, context)
  const own = directory('permission')
  const limited = ['--permission', '--allow-fs-read=*', '--allow-fs-write=*', 'synced.mjs', own]
  const refused = /^XENON_IO cannot write .*Without syncs no commit is safe: run Node without --permission/
  expect(run(program, limited).output).toMatch(new RegExp(`${refused.source}.*\nno directory\n$`))
  expect(run(program, ['synced.mjs', own]).output).toBe('written\nread: 1\n')
  expect(run(program, limited).output).toMatch(new RegExp(`${refused.source}.*\nread: 1\n$`))
})

/** Runs an executable twice on one database. */
const expectTwoRuns = (executable: string, name: string): void => {
  const own = directory(name)
  for (const runs of [1, 2]) expect(run(executable, [own])).toEqual({ status: 0, output: `runs: ${runs}\n` })
}

test('one executable by bun build --compile', INSTALLING, context => {
  const program = programOf('Bun', context)
  const { status, output } = run(program, ['build', '--compile', 'compiled.mjs', '--outfile', 'made-by-bun'])
  expect(status, output).toBe(0)
  expectTwoRuns(join(folder, 'made-by-bun'), 'bun-executable')
})

test('one executable by node --build-sea, from one module by esbuild', INSTALLING, async context => {
  const program = programOf(newest, context)
  await build({
    entryPoints: [join(folder, 'compiled.mjs')],
    outfile: join(folder, 'bundle.mjs'),
    ...{ bundle: true, platform: 'node', format: 'esm', external: ['prom-client', 'wasmoon'], logLevel: 'silent' },
  })
  const settings = { main: 'bundle.mjs', mainFormat: 'module', output: 'made-by-node' }
  writeFileSync(join(folder, 'sea.json'), JSON.stringify({ ...settings, disableExperimentalSEAWarning: true }))
  const { status, output } = run(program, ['--build-sea', 'sea.json'])
  expect(status, output).toBe(0)
  expectTwoRuns(join(folder, 'made-by-node'), 'node-executable')
})

test('deno.json is that of package.json, and JSR would take the package', INSTALLING, context => {
  const read = (name: string) => JSON.parse(readFileSync(join(root, name), 'utf8'))
  const { version, exports, dependencies, devDependencies, peerDependencies } = read('package.json')
  const { version: published, exports: entries, imports } = read('deno.json')
  expect(published).toBe(version)
  expect(Object.keys(entries)).toEqual(Object.keys(exports).filter(entry => entry !== './package.json'))
  for (const [name, place] of Object.entries(imports))
    expect(place).toBe(`npm:${name}@${dependencies[name] ?? peerDependencies[name] ?? devDependencies[name]}`)
  const program = programOf('Deno', context)
  const { status, stderr } = spawnSync(program, ['publish', '--dry-run', '--allow-dirty', '--no-check'], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
    timeout: LONGEST,
  })
  expect({ status, success: stderr.includes('Success') }, stderr).toEqual({ status: 0, success: true })
})

test('docs/runtimes.md names the versions that are tried here', () => {
  const { optionalDependencies } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8')) as {
    optionalDependencies: Record<string, string>
  }
  const page = readFileSync(join(root, 'docs/runtimes.md'), 'utf8')
  for (const [name, given] of Object.entries(optionalDependencies)) {
    const version = given.split('@').at(-1)!
    const what = name.startsWith('node') ? 'Node' : name === 'bun' ? 'Bun' : 'Deno'
    expect(page).toMatch(new RegExp(`^\\| ${what} ${version.replaceAll('.', '\\.')} `, 'm'))
  }
})
