/** The types of the package, for the TypeScript of today and for the oldest that reads them. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { withDirectory } from '../support/directory.ts'

const root: string = fileURLToPath(new URL('../..', import.meta.url))
const OLDEST = '5.2'

const compile = (compiler: readonly string[], project: string): { status: number | null; stdout: string } => {
  const { status, stdout } = spawnSync(process.execPath, [...compiler, '-p', project], { encoding: 'utf8' })
  return { status, stdout }
}

const strict = {
  target: 'ES2022',
  lib: ['ES2022', 'ESNext.Disposable'],
  module: 'NodeNext',
  moduleResolution: 'NodeNext',
  strict: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: false,
  noEmit: true,
  types: ['node'],
}

/** A directory beside which nothing but the package and the types of Node can be found. */
const project = (parent: string, compilerOptions: object, source: string): string => {
  const modules = join(parent, 'node_modules')
  mkdirSync(join(modules, '@types'), { recursive: true })
  symlinkSync(root, join(modules, 'xenondb'))
  for (const name of ['@types/node', 'undici-types', 'abstract-level', 'keyv'])
    symlinkSync(join(root, 'node_modules', name), join(modules, name))
  writeFileSync(join(parent, 'package.json'), '{ "type": "module" }')
  writeFileSync(join(parent, 'use.ts'), source)
  writeFileSync(join(parent, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['use.ts'] }))
  return parent
}

test('what is meant to compile does, and what is not does not', () =>
  withDirectory(async parent => {
    const source = readFileSync(join(root, 'tests/types/cases.ts'), 'utf8').replaceAll('../../dist', `${root}dist`)
    const tsc = join(root, 'node_modules/typescript/bin/tsc')
    expect(compile([tsc], project(parent, { ...strict, skipLibCheck: true }, source))).toEqual({
      status: 0,
      stdout: '',
    })
  }))

test(`TypeScript ${OLDEST} reads the types of every entry, and checks them itself`, () =>
  withDirectory(async parent => {
    const { version } = JSON.parse(readFileSync(join(root, 'node_modules/@tsd/typescript/package.json'), 'utf8'))
    expect(version.startsWith(`${OLDEST}.`)).toBe(true)
    expect(readFileSync(join(root, 'README.md'), 'utf8')).toContain(`TypeScript ${OLDEST}`)
    const source = readFileSync(join(root, 'tests/types/old/use.ts'), 'utf8')
    const tsc = join(root, 'node_modules/@tsd/typescript/typescript/lib/tsc.js')
    expect(compile([tsc], project(parent, strict, source))).toEqual({ status: 0, stdout: '' })
  }))
