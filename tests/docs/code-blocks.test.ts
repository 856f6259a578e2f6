/**
 * Each code block of these pages runs, means what its comments say, passes the type check, and leaves a sound database.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test, vi } from 'vitest'
import { open } from '../../src/index.ts'
import { withDirectory } from '../support/directory.ts'
import { type CodeBlock, codeBlocks, withChecks, withDatabase } from './code-blocks.ts'

const root: string = fileURLToPath(new URL('../..', import.meta.url))
const checks: string = fileURLToPath(new URL('checks.ts', import.meta.url))
const pages: readonly string[] = [
  'README.md',
  'docs/adapters.md',
  'docs/api.md',
  'docs/client.md',
  'docs/frameworks.md',
  'docs/operations.md',
  'docs/processes.md',
  'docs/recipes.md',
  'docs/server.md',
  'docs/troubleshooting.md',
  'docs/waiting.md',
]

/** Where the names that examples import lie. */
const modules: Readonly<Record<string, string>> = {
  xenondb: 'src/index.ts',
  'xenondb/c': 'src/adapters/c.ts',
  'xenondb/level': 'src/adapters/level/index.ts',
  'xenondb/keyv': 'src/adapters/keyv/index.ts',
  'xenondb/unstorage': 'src/adapters/unstorage/index.ts',
  'xenondb/server': 'src/server/index.ts',
  'xenondb/client': 'src/client/index.ts',
  'xenondb/shared': 'src/shared/index.ts',
  'xenondb/worker': 'src/worker/index.ts',
  'xenondb/metrics': 'src/metrics/index.ts',
  'xenondb/testing': 'src/testing/index.ts',
}

const withSources = (code: string): string =>
  code.replace(/(from ')([^'.]+)(')/g, (whole, before, name, after) => {
    const module = modules[name]
    if (module !== undefined) return `${before}${join(root, module)}${after}`
    return name.startsWith('node:') || name.startsWith('/')
      ? whole
      : `${before}${fileURLToPath(import.meta.resolve(name))}${after}`
  })

const run = (block: CodeBlock): Promise<void> =>
  withDirectory(async directory => {
    const program = join(directory, 'program.ts')
    writeFileSync(program, withSources(withChecks(block, checks)))
    const print = vi.spyOn(console, 'log').mockImplementation(() => {})
    const before = process.cwd()
    process.chdir(directory)
    try {
      await import(/* @vite-ignore */ program)
      for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
        if (name === 'damaged' || !existsSync(join(name, 'data'))) continue
        const db = open(name, { valueEncoding: 'binary', storedEncoding: 'ignore', readOnly: true })
        expect((await db.verify()).problems).toEqual([])
        db.close()
      }
    } finally {
      process.chdir(before)
      print.mockRestore()
    }
  })

describe.each(pages)('%s', page => {
  const blocks = codeBlocks(join(root, page)).map(block => ({ ...block, where: `line ${block.line}` }))
  test.each(blocks)('the example at $where', block => run(block))
})

test('docs/frameworks.md: what it quotes of the examples stands in them', () => {
  const folder = join(root, 'examples/frameworks')
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(name => !name.includes('node_modules') && /\.(m|c)?js$/.test(name))
    .map(name => readFileSync(join(folder, name), 'utf8'))
  const quotes = [...readFileSync(join(root, 'docs/frameworks.md'), 'utf8').matchAll(/^```mjs\n([\s\S]*?)^```$/gm)]
  expect(quotes.length).toBeGreaterThan(4)
  for (const [, quote] of quotes)
    expect(
      files.some(file => file.includes(quote!)),
      quote,
    ).toBe(true)
})

test('docs/workers.md: its files run together, and print what they say', () =>
  withDirectory(directory => {
    const said: string[] = []
    for (const { code } of codeBlocks(join(root, 'docs/workers.md'))) {
      const [, name] = /^\/\/ ([\w-]+\.js)\b/.exec(code) ?? []
      writeFileSync(join(directory, name!), code)
      for (const match of code.matchAll(/\/\/ prints (.+)$/gm)) said.push(match[1]!)
    }
    writeFileSync(join(directory, 'package.json'), '{ "type": "module" }')
    mkdirSync(join(directory, 'node_modules'))
    symlinkSync(root, join(directory, 'node_modules/xenondb'))
    const { status, stdout, stderr } = spawnSync(process.execPath, ['main.js'], {
      cwd: directory,
      encoding: 'utf8',
    })
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(said.length).toBe(2)
    expect(stdout.trimEnd().split('\n').sort()).toEqual(said.sort())
  }))

test('the examples pass the type check', () =>
  withDirectory(directory => {
    // Empty lines before it make the line numbers of messages those of the page.
    for (const page of pages) {
      for (const block of codeBlocks(join(root, page))) {
        const name = `${page.replace(/\W/g, '-')}-${block.line}.ts`
        writeFileSync(join(directory, name), '\n'.repeat(block.line - 1) + withDatabase(block))
      }
    }
    const paths = Object.entries(modules).map(([name, path]) => [name, [join(root, path)]])
    writeFileSync(
      join(directory, 'tsconfig.json'),
      JSON.stringify({
        extends: join(root, 'tsconfig.json'),
        compilerOptions: {
          noEmit: true,
          isolatedDeclarations: false,
          declaration: false,
          noUnusedLocals: false,
          moduleDetection: 'force',
          rootDir: '/',
          paths: Object.fromEntries(paths),
        },
        include: ['*.ts'],
      }),
    )
    writeFileSync(join(directory, 'package.json'), '{ "type": "module" }')
    symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'))
    const tsc = join(root, 'node_modules/.bin/tsc')
    const { status, stdout } = spawnSync(tsc, ['-p', directory], { encoding: 'utf8' })
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' })
  }))
