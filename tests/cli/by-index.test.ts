/** `--index` of get, count, keys and range: on a database that is closed, and on one that a process has open. */
import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { type Database, open } from '../../src/index.ts'
import { pause } from '../support/child.ts'
import { expectVerified } from '../support/database.ts'
import { withDirectory } from '../support/directory.ts'
import { run } from './run.ts'

interface User {
  city: string
  age: number
}

const fill = (db: Database<User>): void => {
  const sub = db.sub<User>('users', { valueEncoding: 'json' })
  for (const store of [db, sub]) {
    store.index('city', user => user.city)
    store.index('age', user => user.age, { unique: true })
    store.put('ada', { city: 'London', age: 36 })
    store.put('alan', { city: 'London', age: 9 })
    store.put('bo', { city: '7', age: 100 })
  }
}

const expectReads = async (directory: string, place: readonly string[]): Promise<void> => {
  const out = async (...args: string[]): Promise<string> => {
    const { status, stdout, stderr } = await run(args[0]!, directory, ...args.slice(1), ...place)
    return status === 0 ? stdout : `${status} ${stderr}`
  }
  expect(await out('get', 'London', '--index', 'city')).toBe('{"city":"London","age":36}')
  expect(await out('keys', '--index', 'age')).toBe('9\talan\n36\tada\n100\tbo\n')
  if (place.length > 0) return
  expect(await out('get', '9', '--index', 'age')).toBe('{"city":"London","age":9}')
  expect(await out('get', '"7"', '--index', 'city')).toBe('{"city":"7","age":100}')
  expect(await out('get', '7', '--index', 'city')).toMatch(/^1 .*no such key/s)
  expect(await out('count', '--index', 'age', '--gte', '36')).toBe('2\n')
  expect(await out('keys', '--index', 'city', '--reverse', '--limit', '2')).toBe('London\talan\nLondon\tada\n')
  expect(await out('keys', '--index', 'city', '--lt', 'L')).toBe('"7"\tbo\n')
  expect(await out('range', '--index', 'city', '--prefix', 'Lo', '--json')).toBe(
    '{"index":"London","key":"ada","value":{"city":"London","age":36}}\n' +
      '{"index":"London","key":"alan","value":{"city":"London","age":9}}\n',
  )
  expect(await out('range', '--index', 'age', '--gt', '36', '--values')).toBe('{"city":"7","age":100}\n')
  expect(await out('count', '--index', 'nobody')).toMatch(/^1 .*there is no index 'nobody'/s)
  expect(await out('count', '--index', 'age', '--gt', '{"a":1}')).toMatch(/^2 /)
}

test(
  '--index reads a secondary index of a closed database, of the root and of a sub-database',
  () =>
    withDirectory(async directory => {
      const db = open<User>(directory, { valueEncoding: 'json' })
      fill(db)
      db.close()
      await expectReads(directory, [])
      await expectReads(directory, ['--sub', 'users'])
      expect((await run('put', directory, 'carl', '{"city":"Oslo","age":1}')).status).toBe(0)
      // The command line knows no functions: what it changes makes the indexes stale, and it does not read those.
      const { status, stderr } = await run('count', directory, '--index', 'city')
      expect([status, stderr]).toEqual([1, expect.stringContaining('is stale')])
    }),
  60_000,
)

test(
  '--index reads one that a process has open',
  () =>
    withDirectory(async directory => {
      const db = open<User>(directory, { valueEncoding: 'json', inspect: true })
      fill(db)
      while (!['inspect.sock', 'inspect.json'].some(name => existsSync(`${directory}/${name}`))) await pause(5)
      await expectReads(directory, ['--sub', 'users'])
      db.put('carl', { city: 'London', age: 1 })
      const { stdout, stderr } = await run('count', directory, '--index', 'city', '--prefix', 'London')
      expect([stdout, stderr]).toEqual(['3\n', expect.stringContaining('going through its socket')])
      await expectVerified(db)
      db.close()
    }),
  60_000,
)
