import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { withDirectory } from '../support/directory.ts'
import { type Outcome, run } from './run.ts'

function expectFailure(outcome: Outcome, status: number, message: RegExp): void {
  expect(outcome.stderr).toMatch(message)
  expect(outcome.stderr).toMatch(/^xenondb: [^\n]+\n$/)
  expect(outcome.stderr).not.toContain('    at ')
  expect(outcome.stdout).toBe('')
  expect(outcome.status).toBe(status)
}

test('put, get and delete end with 0, an absent key with 1', () =>
  withDirectory(async parent => {
    const db = `${parent}/db`
    expect(await run('put', db, 'ada', 'Ada Lovelace')).toMatchObject({ status: 0, stdout: '', stderr: '' })
    expect(await run('get', db, 'ada')).toMatchObject({ status: 0, stdout: 'Ada Lovelace', stderr: '' })
    expect(await run('delete', db, 'ada')).toMatchObject({ status: 0, stdout: '', stderr: '' })
    expectFailure(await run('get', db, 'ada'), 1, /no such key: "ada"/)
    expectFailure(await run('delete', db, 'ada'), 1, /no such key: "ada"/)
  }))

test.each([['get', 'k'], ['delete', 'k'], ['ttl', 'k'], ['keys'], ['range'], ['export'], ['stats'], ['verify']])(
  '%s does not create a database',
  (command, ...rest) =>
    withDirectory(async parent => {
      expectFailure(await run(command, `${parent}/none`, ...rest), 1, /\[XENON_NOT_FOUND\]/)
      expect(existsSync(`${parent}/none`)).toBe(false)
    }),
)

test('wrong usage ends with 2', async () => {
  expectFailure(await run(), 2, /no command given/)
  expectFailure(await run('frobnicate', 'x'), 2, /unknown command "frobnicate"/)
  expectFailure(await run('get'), 2, /missing required args/)
  expectFailure(await run('put', 'nowhere', 'key'), 2, /missing required args/)
  expectFailure(await run('get', 'nowhere', 'key', 'more'), 2, /Unused args: `more`/)
  expectFailure(await run('get', 'nowhere', 'key', '--bogus'), 2, /Unknown option `--bogus`/)
  expectFailure(await run('get', 'nowhere', 'key', '--encoding'), 2, /value is missing/)
  expectFailure(await run('get', 'nowhere', 'key', '--encoding', 'latin1'), 2, /one of utf8, json, binary/)
  expectFailure(await run('get', 'nowhere', 'key', '--encoding=json', '--encoding=utf8'), 2, /more than once/)
  expectFailure(await run('keys', 'nowhere', '--limit', '-1'), 2, /whole number/)
  expectFailure(await run('keys', 'nowhere', '--limit=1e3'), 2, /whole number/)
  expectFailure(await run('verify', 'nowhere', '--json=yes'), 2, /--json does not take a value/)
  expectFailure(await run('put', 'nowhere', 'key', '{', '--encoding', 'json'), 2, /the value is not JSON/)
  expectFailure(await run('put', 'nowhere', 'key', '?', '--encoding', 'binary'), 2, /the value is not base64/)
  expect(existsSync('nowhere')).toBe(false)
})

test('a file in place of the database is an error in one line', () =>
  withDirectory(async parent => {
    writeFileSync(`${parent}/file`, 'not a database')
    expectFailure(await run('get', `${parent}/file`, 'key'), 1, /\[XENON_/)
    expectFailure(await run('put', `${parent}/file`, 'key', 'value'), 1, /\[XENON_/)
  }))

test('a missing import file is an error, and leaves no database behind', () =>
  withDirectory(async parent => {
    expectFailure(await run('import', `${parent}/db`, `${parent}/none.csv`), 1, /cannot read .*none\.csv/)
    mkdirSync(`${parent}/directory`)
    expectFailure(await run('import', `${parent}/db`, `${parent}/directory`), 1, /is a directory/)
    expect(existsSync(`${parent}/db`)).toBe(false)
  }))

test('keys that the engine refuses are errors in one line', () =>
  withDirectory(async parent => {
    expectFailure(await run('put', `${parent}/db`, '', 'value'), 1, /\[XENON_INVALID_ARGUMENT\]/)
    expectFailure(await run('put', `${parent}/db`, 'k'.repeat(70_000), 'value'), 1, /\[XENON_KEY_TOO_LARGE\]/)
  }))

test('--help and --version end with 0 on stdout', async () => {
  const help = await run('--help')
  expect(help).toMatchObject({ status: 0, stderr: '' })
  for (const command of [
    'get',
    'put',
    'delete',
    'ttl',
    'keys',
    'range',
    'import',
    'export',
    'stats',
    'verify',
    'compact',
    'backup',
    'convert',
  ]) {
    expect(help.stdout).toContain(`  ${command} <directory>`)
  }
  expect(await run('import', '--help')).toMatchObject({
    status: 0,
    stderr: '',
    stdout: expect.stringContaining('--format <format>'),
  })
  expect(await run('--version')).toMatchObject({
    status: 0,
    stderr: '',
    stdout: expect.stringMatching(/^xenondb\/\d+\.\d+\.\d+ /),
  })
})
