/** Imports of JSON arrays, of objects and rows of any shape (`--key`), and of files with bad lines (`--skip-bad`). */
import { writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { RecordError } from '../../src/cli/errors.ts'
import { ArraySplitter } from '../../src/cli/records/json-parts.ts'
import { open } from '../../src/index.ts'
import { expectVerified } from '../support/database.ts'
import { withDirectory } from '../support/directory.ts'
import fc from '../support/property.ts'
import { run, runWith } from './run.ts'

const texts = (pieces: readonly Uint8Array[]): string[] => {
  const splitter = new ArraySplitter()
  const found = pieces.flatMap(piece => [...splitter.push(piece)].map(({ bytes }) => Buffer.from(bytes).toString()))
  splitter.end()
  return found
}

test('an array is split into its items, wherever the chunks end', () => {
  fc.assert(
    fc.property(
      fc.array(fc.jsonValue({ maxDepth: 3 }), { maxLength: 8 }),
      fc.integer({ min: 0, max: 3 }),
      fc.array(fc.nat(40), { maxLength: 10 }),
      (items, indent, cuts) => {
        const bytes = Buffer.from(JSON.stringify(items, null, indent))
        const pieces: Uint8Array[] = []
        let at = 0
        for (const cut of cuts) {
          pieces.push(bytes.subarray(at, at + cut))
          at += cut
        }
        pieces.push(bytes.subarray(at))
        expect(texts(pieces).map(text => JSON.parse(text))).toEqual(JSON.parse(bytes.toString()))
      },
    ),
    { numRuns: 300 },
  )
})

test.each(['[{}', '[{},]', '[,{}]', '[{}] x', '["', 'x', ''])('what is no array is refused: %s', text => {
  expect(() => texts([Buffer.from(text)])).toThrow(RecordError)
})

test('an array of records, over any number of lines, and lines that are named', () =>
  withDirectory(async parent => {
    const db = `${parent}/db`
    writeFileSync(
      `${parent}/a.json`,
      '\n[\n  {"key": "a", "value": "1"},\n  {"key": "b",\n   "value": "2", "expiresAt": 4102444800000}\n]\n',
    )
    expect(await run('import', db, `${parent}/a.json`)).toMatchObject({ status: 0, stderr: 'imported 2 records\n' })
    expect((await run('range', db)).stdout).toBe('a\t1\nb\t2\n')
    writeFileSync(`${parent}/b.json`, '[{"key": "c", "value": "3"},\n\n{"key": 7, "value": "4"}]')
    expect(await run('import', db, `${parent}/b.json`)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/b\.json, line 3: "key" is not a string.*; 1 records were imported before it/),
    })
    expect(await runWith('[]', 'import', db)).toMatchObject({ status: 0, stderr: 'imported 0 records\n' })
    expect(await runWith('[{"key":"x","value":"y"}', 'import', db)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('not closed'),
    })
    expect(await run('verify', db)).toMatchObject({ status: 0 })
  }))

test('--key: objects of any shape, by one field or several', () =>
  withDirectory(async parent => {
    const db = `${parent}/db`
    const users = '[{"id": 12345678901234567890, "name": "Ada"}, {"name": "Bob", "id": "b"}]'
    expect(await runWith(users, 'import', db, '--key', 'id')).toMatchObject({ status: 0 })
    expect((await run('range', db)).stdout).toBe(
      '12345678901234567890\t{"id":12345678901234567890,"name":"Ada"}\nb\t{"name":"Bob","id":"b"}\n',
    )
    const lines = '{"who": "ada", "n": 1}\n{"who": "ada", "n": 2}\n'
    expect(await runWith(lines, 'import', `${parent}/joined`, '--key', 'who,n', '--key-separator', '/')).toMatchObject({
      status: 0,
    })
    expect((await run('keys', `${parent}/joined`)).stdout).toBe('ada/1\nada/2\n')
    expect(
      await runWith(lines, 'import', `${parent}/tuples`, '--key', 'who,n', '--key-encoding', 'tuple'),
    ).toMatchObject({ status: 0 })
    expect((await run('keys', `${parent}/tuples`, '--key-encoding', 'tuple')).stdout).toBe('["ada",1]\n["ada",2]\n')
    const read = open<{ n: number }>(`${parent}/tuples`, { keyEncoding: 'tuple', valueEncoding: 'json' })
    expect(read.get(['ada', 2])).toEqual({ who: 'ada', n: 2 })
    await expectVerified(read as never)
    read.close()
    for (const [bad, message] of [
      ['{"a":1}', '"id" is missing'],
      ['{"id":{}}', 'neither a string nor a number'],
      ['{"id":""}', 'is empty'],
    ] as const)
      expect(await runWith(bad, 'import', db, '--key', 'id')).toMatchObject({
        status: 1,
        stderr: expect.stringContaining(message),
      })
    expect(await runWith('', 'import', db, '--key', 'a,')).toMatchObject({ status: 2 })
    expect(await runWith('', 'import', db, '--key', 'a', '--encoding', 'utf8')).toMatchObject({ status: 2 })
    expect(await runWith('', 'import', db, '--key-separator', '-')).toMatchObject({ status: 2 })
  }))

test('--key: CSV of any columns', () =>
  withDirectory(async parent => {
    const csv = 'Country,City,people\r\nNorway,Oslo,"709,037"\r\nNorway,Bergen,285900\r\n'
    const arguments_ = ['-', '--format', 'csv', '--key', 'Country,City']
    expect(await runWith(csv, 'import', `${parent}/db`, ...arguments_)).toMatchObject({ status: 0 })
    expect((await run('get', `${parent}/db`, 'Norway:Oslo')).stdout).toBe(
      '{"Country":"Norway","City":"Oslo","people":"709,037"}',
    )
    expect(await runWith(csv, 'import', `${parent}/tuples`, ...arguments_, '--key-encoding', 'tuple')).toMatchObject({
      status: 0,
    })
    expect((await run('keys', `${parent}/tuples`, '--key-encoding', 'tuple', '--prefix', '["Norway"]')).stdout).toBe(
      '["Norway","Bergen"]\n["Norway","Oslo"]\n',
    )
    expect(await runWith(csv, 'import', `${parent}/db`, '-', '--format', 'csv', '--key', 'nobody')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('line 1: the header has no column "nobody"'),
    })
  }))

test('--skip-bad passes over what is malformed or refused, says what, and fails only if nothing was good', () =>
  withDirectory(async parent => {
    const db = `${parent}/db`
    const lines = [
      '{"key":"a","value":"1"}',
      'nonsense',
      '{"key":"","value":"2"}',
      '{"key":"b"}',
      '{"key":"c","value":"3"}',
    ]
    expect(await runWith(lines.join('\n'), 'import', db, '--skip-bad')).toEqual({
      status: 0,
      signal: null,
      stdout: '',
      stderr:
        'xenondb: stdin, line 2: not a JSON object such as {"key":"…","value":"…"}\n' +
        'xenondb: stdin, line 4: "value" is missing\n' +
        'xenondb: stdin, line 3: a key must not be empty (or its buffer was detached)\n' +
        'imported 2 records; passed over 3 bad ones\n',
    })
    expect((await run('keys', db)).stdout).toBe('a\nc\n')
    const many = await runWith('x\n'.repeat(20), 'import', db, '--skip-bad')
    expect(many).toMatchObject({ status: 1 })
    expect(many.stderr.split('\n')).toHaveLength(8)
    expect(many.stderr).toContain('xenondb: and 15 more\nimported 0 records; passed over 20 bad ones\n')
    const csv = 'key,value\na,1\nb\nc,3,4\nd,5\n'
    expect(await runWith(csv, 'import', `${parent}/csv`, '-', '--format', 'csv', '--skip-bad')).toMatchObject({
      status: 0,
      stderr: expect.stringMatching(
        /line 3: 1 fields.*\n.*line 4: 3 fields.*\nimported 2 records; passed over 2 bad ones\n$/,
      ),
    })
    // Where the next record begins nobody knows behind a quote in the middle of a field.
    expect(
      await runWith('key,value\na,1"2\nb,2\n', 'import', `${parent}/csv`, '-', '--format', 'csv', '--skip-bad'),
    ).toMatchObject({ status: 1 })
    expect(await runWith('{"key":"a","value":"1"}\nx\n', 'import', db)).toMatchObject({ status: 1 })
    expect(await run('verify', db)).toMatchObject({ status: 0 })
  }))
