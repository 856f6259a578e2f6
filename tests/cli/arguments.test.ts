import { expect, test } from 'vitest'
import { withDirectory } from '../support/directory.ts'
import { run } from './run.ts'

const TRICKY = ['007', '1e3', '0x10', '-', 'true', 'null', '__proto__', 'a=b', ' ', 'né e\n"', '--']

test('keys and values arrive exactly as typed', () =>
  withDirectory(async parent => {
    const db = `${parent}/db`
    for (const text of TRICKY) {
      const args = text.startsWith('--') ? ['--', text, text] : [text, text]
      expect(await run('put', db, ...args)).toMatchObject({ status: 0, stderr: '' })
      const key = text.startsWith('--') ? ['--', text] : [text]
      expect(await run('get', db, ...key)).toMatchObject({ status: 0, stdout: text })
    }
    const { stdout } = await run('keys', db, '--encoding', 'json')
    const keys = stdout.trimEnd().split('\n')
    expect(keys.map(line => JSON.parse(line)).sort()).toEqual([...TRICKY].sort())
  }))

test('what looks like a number stays text in an option', () =>
  withDirectory(async parent => {
    const db = `${parent}/db`
    for (const key of ['007', '7', '0070', '-5']) await run('put', db, '--', key, 'x')
    const shown = async (...options: string[]) => (await run('keys', db, ...options)).stdout.split('\n').sort()
    expect(await shown('--prefix', '007')).toEqual(['', '007', '0070'])
    expect(await shown('--prefix=7')).toEqual(['', '7'])
    expect(await shown('--prefix', '-')).toEqual(['', '-5'])
    expect(await shown('--prefix=', '--limit', '2')).toHaveLength(3)
    expect(await shown('--limit', '0')).toEqual([''])
  }))

test('options may stand before the directory', () =>
  withDirectory(async parent => {
    const db = `${parent}/db`
    await run('put', '--encoding', 'json', db, 'key', '{ "a": 1 }')
    expect(await run('get', '--encoding', 'json', db, 'key')).toMatchObject({
      status: 0,
      stdout: '{"a":1}',
    })
    expect(await run('verify', '--json', db)).toMatchObject({ status: 0 })
  }))

test('a value that is not text is printed only in base64', () =>
  withDirectory(async parent => {
    const db = `${parent}/db`
    await run('put', db, 'key', '/wA=', '--encoding', 'binary')
    expect(await run('get', db, 'key', '--encoding', 'utf8')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('not UTF-8'),
    })
    // In a pipe it is what is stored.
    expect(await run('get', db, 'key')).toMatchObject({ status: 0, stdout: Buffer.from('/wA=', 'base64').toString() })
    expect(await run('get', db, 'key', '--encoding', 'json')).toMatchObject({ status: 1, stdout: '' })
    expect(await run('get', db, 'key', '--encoding', 'binary')).toMatchObject({ status: 0, stdout: '/wA=' })
  }))
