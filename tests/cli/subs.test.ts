/** Sub-databases on the command line: `--sub`, `subs`, `drop`, and files that hold several key spaces. */
import { readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { type Database, open, type TupleKey } from '../../src/index.ts'
import { expectVerified } from '../support/database.ts'
import { withDirectory } from '../support/directory.ts'
import { run, runWith } from './run.ts'

const NAMES = ['users', 'a/b "c"\n', '--sub']

const users = (db: Database) => db.sub<{ n: number }>('users', { valueEncoding: 'json' })
const events = (db: Database) =>
  users(db).sub<string, TupleKey>('events', { keyEncoding: 'tuple', valueEncoding: 'utf8' })
const blobs = (db: Database) => db.sub<Uint8Array>('a/b "c"\n', { keyEncoding: 'binary', valueEncoding: 'binary' })
const own = { name: 'cbor', encode: (text: string) => Buffer.from(text), decode: (bytes: Uint8Array) => `${bytes}` }

const fill = (directory: string): void => {
  const db = open(directory)
  db.put('root', 'r')
  db.put('expires', 'r', { ttl: 1_000_000 })
  for (let i = 0; i < 300; i++) users(db).put(`u${i}`, { n: i })
  events(db).batch([
    { type: 'put', key: ['a', 1n], value: 'x' },
    { type: 'put', key: ['a', 2], value: 'y\u2028"' },
  ])
  blobs(db).put(Uint8Array.of(0, 255), Uint8Array.of(254))
  blobs(db).put('text', Uint8Array.of(65), { ttl: 2_000_000 })
  db.sub('--sub').sub('empty')
  db.sub('own', { valueEncoding: own }).put('k', 'v')
  db.close()
}

/** All that lies in a database, as bytes, and the encodings. */
const contents = async (directory: string): Promise<unknown[]> => {
  const db = open(directory, { keyEncoding: 'binary', valueEncoding: 'binary', storedEncoding: 'ignore' })
  const found: unknown[] = []
  const visit = (store: typeof db | NonNullable<ReturnType<typeof db.subAsBytes>>, path: readonly string[]): void => {
    for (const [key, value] of store.entries())
      found.push([
        path,
        Buffer.from(key).toString('hex'),
        Buffer.from(value).toString('hex'),
        store.ttl(key) === Number.POSITIVE_INFINITY,
      ])
    for (const name of store.subs()) {
      const sub = store.subAsBytes(name)!
      found.push([[...path, name], store.encodingsOf(sub)])
      visit(sub, [...path, name])
    }
  }
  visit(db, [])
  await expectVerified(db)
  db.close()
  return found
}

test('put, get, delete, ttl, keys and range work in --sub, as it is encoded', () =>
  withDirectory(async parent => {
    const db = `${parent}/db`
    const inUsers = ['--sub', 'users', '--sub', 'by age']
    const tuple = ['--key-encoding', 'tuple', '--encoding', 'json']
    expect((await run('put', db, '["a",7]', '{"n": 1}', ...inUsers, ...tuple)).status).toBe(0)
    expect(await run('get', db, '["a",7]', ...inUsers)).toMatchObject({ status: 0, stdout: '{"n":1}' })
    expect((await run('put', db, '["a",8]', '[2]', ...inUsers, '--ttl', '1000000')).status).toBe(0)
    expect((await run('put', db, '["a",9]', '"3"', ...inUsers)).status).toBe(0)
    expect((await run('keys', db, '--prefix', '["a"]', '--limit', '2', ...inUsers)).stdout).toBe('["a",7]\n["a",8]\n')
    expect((await run('range', db, '--gt', '["a",8]', ...inUsers)).stdout).toBe('["a",9]\t"3"\n')
    expect(Number((await run('ttl', db, '["a",8]', ...inUsers)).stdout)).toBeGreaterThan(900_000)
    expect((await run('ttl', db, '["a",8]', '--persist', ...inUsers)).status).toBe(0)
    expect((await run('delete', db, '["a",9]', ...inUsers)).status).toBe(0)
    expect((await run('delete', db, '["a",9]', ...inUsers)).status).toBe(1)
    expect((await run('stats', db, ...inUsers)).stdout).toMatch(
      /^"users" "by age"\n.*records +2\n.*keys +tuple\n.*values +json/ms,
    )
    expect(JSON.parse((await run('stats', db, '--json', '--sub', 'users')).stdout)).toEqual({
      sub: ['users'],
      keyEncoding: 'utf8',
      valueEncoding: 'utf8',
      records: 0,
      subs: ['by age'],
      indexes: [],
    })
    const opened = open(db)
    expect(
      opened.sub('users').sub<string, TupleKey>('by age', { keyEncoding: 'tuple', valueEncoding: 'json' }).count(),
    ).toBe(2)
    expect(opened.count()).toBe(0)
    opened.close()
  }))

test('what does not fit a sub-database is refused, and what there is none of is not made', () =>
  withDirectory(async parent => {
    const db = `${parent}/db`
    fill(db)
    const before = await contents(db)
    const refused = async (status: number, message: string, ...args: string[]): Promise<void> => {
      expect(await run(...args)).toMatchObject({ status, stdout: '', stderr: expect.stringContaining(message) })
    }
    await refused(1, 'there is no sub-database "nobody" in', 'get', db, 'a', '--sub', 'nobody')
    await refused(1, 'there is no sub-database "nobody" in', 'delete', db, 'a', '--sub', 'users', '--sub', 'nobody')
    await refused(1, 'there is no sub-database "nobody"', 'subs', db, '--sub', 'nobody')
    await refused(1, 'there is no sub-database "nobody"', 'drop', db, '--sub', 'nobody')
    await refused(2, '--sub <name> says what to drop', 'drop', db)
    await refused(1, 'must not be empty', 'put', db, 'a', 'b', '--sub', '')
    await refused(2, 'the value is not JSON', 'put', db, 'a', 'text', '--sub', 'users')
    await refused(
      2,
      'the values of the sub-database "users" are json; leave --encoding out',
      'put',
      db,
      'a',
      'text',
      '--sub',
      'users',
      '--encoding',
      'utf8',
    )
    await refused(
      2,
      'the keys of the sub-database "users" are utf8',
      'put',
      db,
      '"a"',
      '1',
      '--sub',
      'users',
      '--key-encoding',
      'tuple',
    )
    await refused(2, 'the key is not JSON', 'get', db, 'a', '--sub', 'users', '--sub', 'events')
    expect(await contents(db)).toEqual(before)
    expect((await run('put', `${parent}/other`, 'not json', 'x', '--key-encoding', 'tuple')).status).toBe(2)
    expect((await run('subs', `${parent}/other`)).status).toBe(1)
  }))

test('subs lists them, drop takes one away with those that lie in it', () =>
  withDirectory(async parent => {
    const db = `${parent}/db`
    fill(db)
    expect((await run('subs', db)).stdout).toBe('--sub\na/b "c"\n\nown\nusers\n')
    expect((await run('subs', db, '--sub', '--sub')).stdout).toBe('empty\n')
    const lines = (await run('subs', db, '--json')).stdout.trim().split('\n')
    expect(lines.map(line => JSON.parse(line))).toEqual([
      { sub: ['--sub'], keyEncoding: 'utf8', valueEncoding: 'utf8', records: 0 },
      { sub: ['--sub', 'empty'], keyEncoding: 'utf8', valueEncoding: 'utf8', records: 0 },
      { sub: ['a/b "c"\n'], keyEncoding: 'binary', valueEncoding: 'binary', records: 2 },
      { sub: ['own'], keyEncoding: 'utf8', valueEncoding: 'cbor', records: 1 },
      { sub: ['users'], keyEncoding: 'utf8', valueEncoding: 'json', records: 300 },
      { sub: ['users', 'events'], keyEncoding: 'tuple', valueEncoding: 'utf8', records: 2 },
    ])
    expect((await run('drop', db, '--sub', 'users', '--sub', 'events')).status).toBe(0)
    expect((await run('subs', db, '--sub', 'users')).stdout).toBe('')
    for (const name of NAMES) expect((await run('drop', db, '--sub', name)).status).toBe(0)
    expect((await run('subs', db)).stdout).toBe('own\n')
  }))

test('an export holds all key spaces, and an import brings all of them back', () =>
  withDirectory(async parent => {
    const [first, second, third, fourth] = ['1', '2', '3', '4'].map(name => `${parent}/${name}`) as [
      string,
      string,
      string,
      string,
    ]
    fill(first)
    const file = `${parent}/all.jsonl`
    const exported = await run('export', first, file)
    expect(exported).toMatchObject({ status: 0, stderr: 'exported 307 records\n' })
    expect(await run('import', second, file)).toMatchObject({ status: 0, stderr: 'imported 307 records\n' })
    const before = await contents(first)
    expect(before).toHaveLength(307 + 6)
    expect(await contents(second)).toEqual(before)
    // Lines may come in any order, if each sub-database is told of before its records.
    const lines = readFileSync(file, 'utf8').trim().split('\n')
    const isDeclared = (line: string): boolean => !Object.hasOwn(JSON.parse(line), 'key')
    const mixed = [...lines.filter(isDeclared), ...lines.filter(line => !isDeclared(line)).toReversed()]
    expect((await runWith(`${mixed.join('\n')}\n`, 'import', third, '-')).status).toBe(0)
    expect(await contents(third)).toEqual(before)
    // One of them, and what lies in it, elsewhere.
    const part = await run('export', first, '--sub', 'users')
    expect(part.stderr).toBe('exported 302 records\n')
    expect((await runWith(part.stdout, 'import', fourth, '-', '--sub', 'copy', '--encoding', 'json')).status).toBe(0)
    const copied = (await contents(fourth)).map(each => JSON.stringify(each).replace('"copy"', '"users"'))
    expect(copied).toEqual(before.map(each => JSON.stringify(each)).filter(each => each.startsWith('[["users"')))
  }))

test('without the ordered index files hold all key spaces too', () =>
  withDirectory(async parent => {
    const [first, second] = [`${parent}/1`, `${parent}/2`]
    open(first, { ordered: false }).close()
    fill(first)
    const exported = await run('export', first)
    expect(exported.stderr).toBe('exported 307 records\n')
    expect((await runWith(exported.stdout, 'import', second, '-')).status).toBe(0)
    const expected = `${parent}/3`
    fill(expected)
    expect(await contents(second)).toEqual(await contents(expected))
    expect((await run('keys', first, '--sub', 'own')).stdout).toBe('k\n')
    expect((await run('range', first, '--sub', 'own')).stderr).toContain('needs the ordered index')
  }))

test('repl takes commands for sub-databases, by the names of this command line too', () =>
  withDirectory(async parent => {
    const lines = 'SUB OPEN s\nIN s PUT a 1\nin s sub open t\nIN s IN t PUT a 2\nIN s GET a\nIN s DELETE a\nGET a\n'
    const { stdout, status } = await runWith(lines, 'repl', `${parent}/db`)
    expect(stdout.split('\n').slice(2)).toEqual([
      'OK',
      '1) "utf8"',
      '2) "utf8"',
      'OK',
      '"1"',
      '(integer) 1',
      '(nil)',
      '',
    ])
    expect(status).toBe(0)
    expect((await run('get', `${parent}/db`, 'a', '--sub', 's', '--sub', 't')).stdout).toBe('2')
  }))

test('CSV holds one key space, and says what it leaves out', () =>
  withDirectory(async parent => {
    const [first, second] = [`${parent}/1`, `${parent}/2`]
    fill(first)
    const root = await run('export', first, '--format', 'csv')
    expect(root.stdout.split('\n').map(line => line.split(',')[0])).toEqual(['key', 'expires', 'root', ''])
    expect(root.stderr).toContain('the sub-databases "--sub", "a/b \\"c\\"\\n", "own", "users" are not written')
    const inEvents = ['--sub', 'users', '--sub', 'events']
    const file = await run('export', first, '--format', 'csv', ...inEvents)
    expect(file.stderr).toBe('exported 2 records\n')
    const made = ['--key-encoding', 'tuple']
    expect((await runWith(file.stdout, 'import', second, '-', '--format', 'csv', ...inEvents, ...made)).status).toBe(0)
    const db = open(second)
    expect([...db.sub<string>('users').sub<string, TupleKey>('events').entries()]).toEqual([
      [['a', 1n], 'x'],
      [['a', 2], 'y\u2028"'],
    ])
    db.close()
  }))

test('an import names the line that says something wrong of a sub-database', () =>
  withDirectory(async parent => {
    const db = `${parent}/db`
    fill(db)
    const before = await contents(db)
    const wrong: readonly (readonly [string, string])[] = [
      ['{"sub":"users","key":"a","value":1}', '"sub" is not an array'],
      ['{"sub":[],"key":"a","value":"b"}', '"sub" is not an array'],
      ['{"sub":[7]}', '"sub" is not an array'],
      ['{"sub":[""]}', 'must not be empty'],
      ['{"sub":["users"],"value":"b"}', '"key" is missing'],
      ['{"sub":["users"],"valueEncoding":"utf8"}', "was made with valueEncoding 'json'"],
      ['{"sub":["users"],"keyEncoding":7}', 'are names'],
      ['{"sub":["new"],"keyEncoding":"json"}', 'keyEncoding must be'],
    ]
    for (const [line, message] of wrong) {
      writeFileSync(`${parent}/file`, `\n${line}\n`)
      const { status, stderr } = await run('import', db, `${parent}/file`)
      expect([status, stderr]).toEqual([1, expect.stringMatching(/line 2: /)])
      expect(stderr).toContain(message)
    }
    expect(await contents(db)).toEqual(before)
  }))
