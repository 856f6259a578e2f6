/** The command line writes and reads values as the database says, unless `--encoding` says otherwise. */
import { expect, test } from 'vitest'
import { open } from '../../src/index.ts'
import { withDirectory } from '../support/directory.ts'
import { run } from './run.ts'

test('JSON and tuples are shown, exported and stored as such', () =>
  withDirectory(async parent => {
    const directory = `${parent}/db`
    const db = open(directory, { valueEncoding: 'json', keyEncoding: 'tuple' })
    db.put(['a', 1], { n: 1 })
    db.close()
    expect((await run('range', directory)).stdout).toBe('["a",1]\t{"n":1}\n')
    expect((await run('export', directory)).stdout).toContain('"value":{"n":1}')
    expect((await run('put', directory, '["a",2]', '{"n": 2}')).status).toBe(0)
    const refused = await run('put', directory, '["a",3]', 'no JSON')
    expect(refused.status).not.toBe(0)
    expect(refused.stderr).toContain('not JSON')
    expect((await run('stats', directory, '--quick')).stdout).toMatch(/values\s+json/)
    const again = open(directory, { valueEncoding: 'json', keyEncoding: 'tuple' })
    expect([...again.entries()]).toEqual([
      [['a', 1], { n: 1 }],
      [['a', 2], { n: 2 }],
    ])
    again.close()
  }))

test('what only a program can read is written in base64, with a word; a new database takes what --encoding says', () =>
  withDirectory(async parent => {
    const own = {
      name: 'own',
      encode: (value: string) => Buffer.from(value),
      decode: (bytes: Uint8Array) => `${bytes}`,
    }
    const db = open(`${parent}/own`, { valueEncoding: own })
    db.put('a', 'text')
    db.close()
    const { stdout, stderr } = await run('range', `${parent}/own`)
    expect(stdout).toBe('a\tdGV4dA==\n')
    expect(stderr).toContain('"own"')
    expect((await run('range', `${parent}/own`, '--encoding', 'utf8')).stdout).toBe('a\ttext\n')
    expect((await run('put', `${parent}/new`, 'a', '[1]', '--encoding', 'json')).status).toBe(0)
    const made = open(`${parent}/new`, { valueEncoding: 'json' })
    expect(made.storedEncodings).toEqual({ keyEncoding: 'utf8', valueEncoding: 'json' })
    expect(made.get('a')).toEqual([1])
    made.close()
  }))
