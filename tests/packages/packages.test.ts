/** The package as npm would publish it, before tools that know how others load packages and types. */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { devTools, INSTALLING } from '../support/dev-tools.ts'
import { withDirectory } from '../support/directory.ts'

const root: string = fileURLToPath(new URL('../..', import.meta.url))

const run = (script: string, ...args: string[]): { status: number | null; output: string } => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], { encoding: 'utf8' })
  return { status, output: stdout + stderr }
}

test('publint and arethetypeswrong have no complaint about the tarball', INSTALLING, context => {
  const modules = devTools('packages', context)
  return withDirectory(directory => {
    const pack = ['pack', '--json', '--ignore-scripts', '--pack-destination', directory]
    const { stdout } = spawnSync('npm', pack, { cwd: root, encoding: 'utf8', shell: process.platform === 'win32' })
    const tarball = join(directory, (JSON.parse(stdout) as [{ filename: string }])[0].filename)
    const lint = run(join(modules, 'publint/src/cli.js'), tarball, '--strict')
    expect(lint).toMatchObject({ status: 0, output: expect.stringContaining('All good!') })
    // Not node10, which knows no "exports".
    const types = run(join(modules, '@arethetypeswrong/cli/dist/index.js'), tarball, '--profile', 'node16')
    expect(types.status, types.output).toBe(0)
  })
})

const COMPILERS = { '5.4': 'typescript54', '5.9': 'typescript59', '7.0': 'typescript70' }

test.for(Object.entries(COMPILERS))(
  'TypeScript %s reads and checks the types of every entry, as ES modules and as CommonJS',
  INSTALLING,
  ([version, compiler], context) => {
    const modules = devTools('packages', context)
    const { version: found } = JSON.parse(readFileSync(join(modules, compiler, 'package.json'), 'utf8'))
    expect(found.startsWith(`${version}.`)).toBe(true)
    return withDirectory(directory => {
      const target = join(directory, 'node_modules')
      mkdirSync(join(target, '@types'), { recursive: true })
      for (const part of ['dist', 'package.json'])
        cpSync(join(root, part), join(target, 'xenondb', part), { recursive: true })
      for (const name of ['@types/node', 'undici-types', 'abstract-level', 'keyv'])
        symlinkSync(join(root, 'node_modules', name), join(target, name))
      const source = readFileSync(join(root, 'tests/types/old/use.ts'), 'utf8')
      const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { exports: object }
      for (const entry of Object.keys(exports).filter(entry => entry !== './package.json'))
        expect(source).toContain(`from '${entry.replace('.', 'xenondb')}'`)
      const files = ['use.mts', 'use.cts']
      for (const file of files) writeFileSync(join(directory, file), source)
      writeFileSync(join(directory, 'package.json'), '{}')
      const compilerOptions = {
        // Without ESNext.Disposable: the types of Node bring what is needed of it.
        ...{ target: 'ES2022', lib: ['ES2022'], module: 'Node16', moduleResolution: 'Node16', types: ['node'] },
        ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true },
        ...{ skipLibCheck: false, noEmit: true },
      }
      writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }))
      expect(run(join(modules, compiler, 'bin/tsc'), '-p', directory)).toEqual({ status: 0, output: '' })
    })
  },
)
