/** Keys that are tuples on the command line and in files: `--key-encoding tuple`. */
import { expect, test } from 'vitest'
import { open, type TupleKey } from '../../src/index.ts'
import { encodeTuple } from '../../src/values/tuple.ts'
import { withDirectory } from '../support/directory.ts'
import { run, runWith } from './run.ts'

const TUPLE = ['--key-encoding', 'tuple']

const KEYS: readonly TupleKey[] = [
  null,
  true,
  Number.NEGATIVE_INFINITY,
  -1.5,
  42,
  42n,
  2n ** 70n,
  Number.POSITIVE_INFINITY,
  'text, "quoted"\n',
  new Uint8Array([0, 1, 255]),
  [],
  ['user', 42],
  ['user', 42, ['deep', [-1n, new Uint8Array(0)]]],
  ['user', 421],
]

const fill = (directory: string): void => {
  const db = open(directory, { keyEncoding: 'tuple' })
  db.batch(KEYS.map((key, i) => ({ type: 'put', key, value: `value ${i}` })))
  db.close()
}

const contents = (directory: string): [TupleKey, string][] => {
  const db = open(directory, { keyEncoding: 'tuple' })
  try {
    return [...db.entries()]
  } finally {
    db.close()
  }
}

test('put, get, ttl and delete take the JSON of a tuple', () =>
  withDirectory(async parent => {
    const db = `${parent}/db`
    const key = '["user",{"bigint":"42"}]'
    expect((await run('put', db, key, 'Ada', ...TUPLE)).status).toBe(0)
    expect(await run('get', db, key, ...TUPLE)).toMatchObject({ status: 0, stdout: 'Ada' })
    expect(await run('get', db, '["user",42]', ...TUPLE)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('no such key'),
    })
    expect(contents(db)).toEqual([[['user', 42n], 'Ada']])
    expect((await run('ttl', db, key, '--set', '60000', ...TUPLE)).status).toBe(0)
    expect(Number((await run('ttl', db, key, ...TUPLE)).stdout)).toBeGreaterThan(1000)
    expect((await run('delete', db, key, ...TUPLE)).status).toBe(0)
    expect(contents(db)).toEqual([])
    for (const bad of ['user', '["user",', '{"date":1}', '{"bigint":"x"}', '{"base64":"*"}'])
      expect((await run('get', db, bad, ...TUPLE)).status, bad).toBe(2)
    expect((await run('get', db, 'a', '--key-encoding', 'tuples')).status).toBe(2)
  }))

test('keys and range print tuples, and take bounds and prefixes', () =>
  withDirectory(async parent => {
    const db = `${parent}/db`
    fill(db)
    const prefixed = await run('keys', db, '--prefix', '["user",42]', ...TUPLE)
    expect(prefixed.stdout).toBe('["user",42]\n["user",42,["deep",[{"bigint":"-1"},{"base64":""}]]]\n')
    const numbers = await run('range', db, '--gt', '-2', '--lte', '{"number":"Infinity"}', ...TUPLE)
    expect(numbers.stdout).toBe(
      '-1.5\tvalue 3\n42\tvalue 4\n{"bigint":"42"}\tvalue 5\n' +
        `{"bigint":"${2n ** 70n}"}\tvalue 6\n{"number":"Infinity"}\tvalue 7\n`,
    )
    const lines = await run('range', db, '--gte', '"a"', '--lt', '[]', '--json', ...TUPLE)
    expect(
      lines.stdout
        .trim()
        .split('\n')
        .map(line => JSON.parse(line)),
    ).toEqual([
      { key: 'text, "quoted"\n', value: 'value 8', keyEncoding: 'tuple' },
      { key: { base64: 'AAH/' }, value: 'value 9', keyEncoding: 'tuple' },
    ])
    expect((await run('keys', db, '--prefix', '"user"', ...TUPLE)).status).toBe(2)
  }))

test.each(['jsonl', 'csv'])('%s: export and import are exact, also of keys that are no tuples', format =>
  withDirectory(async parent => {
    const [first, second, third] = [`${parent}/1`, `${parent}/2`, `${parent}/3`]
    fill(first)
    const foreign = open(first, { keyEncoding: 'binary', storedEncoding: 'ignore' })
    foreign.put('zebra', 'text')
    foreign.put(new Uint8Array([0xff, 0x00]), 'bytes')
    foreign.close()
    const exported = await run('export', first, '--format', format, ...TUPLE)
    expect(exported.status).toBe(0)
    for (const [directory, options] of [
      [second, []],
      [third, TUPLE],
    ] as const) {
      const imported = await runWith(exported.stdout, 'import', directory, '-', '--format', format, ...options)
      expect(imported).toMatchObject({ status: 0, stderr: 'imported 16 records\n' })
      const db = open(directory, { keyEncoding: 'binary', storedEncoding: 'ignore' })
      const found = [...db.keys()].map(key => Buffer.from(key).toString('hex'))
      db.close()
      const expected = [...KEYS.map(encodeTuple), Buffer.from('zebra'), Buffer.from([0xff, 0])]
      expect(found).toEqual(expected.map(key => Buffer.from(key).toString('hex')))
    }
  }),
)

test('an import takes tuples without marks, and names the line of a key that is none', () =>
  withDirectory(async parent => {
    const db = `${parent}/db`
    const lines = '{"key":["a",1],"value":"x"}\n{"key":7,"value":"y"}\n'
    expect((await runWith(lines, 'import', db, '-', ...TUPLE)).status).toBe(0)
    expect(contents(db)).toEqual([
      [7, 'y'],
      [['a', 1], 'x'],
    ])
    const bad = await runWith('{"key":["a",{}],"value":"x"}\n', 'import', db, '-', ...TUPLE)
    expect(bad).toMatchObject({ status: 1, stderr: expect.stringContaining('line 1') })
    // The database says that its keys are tuples; another one does not.
    const line = '{"key":["a"],"value":"x"}\n'
    expect((await runWith(line, 'import', db, '-')).status).toBe(0)
    expect((await runWith(line, 'import', `${parent}/other`, '-')).stderr).toContain('--key-encoding tuple')
  }))
