import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { open } from '../../src/index.ts'
import { withDirectory } from '../support/directory.ts'
import { run, runWith } from './run.ts'

type Bytes = [key: Uint8Array, value: Uint8Array]

const TEXTS = [
  'plain',
  'line\nbreak',
  'carriage\r\nreturn\r',
  'a "quoted" word, and a comma',
  '"',
  'NUL \0 inside',
  '\0',
  'ünïcödé 漢字 🎓',
  ' spaces around ',
  '\u2028 line separator',
  '\ufeff byte order mark',
  '{"json":"like"}',
  'key',
  '__proto__',
  "=cmd|' /C calc'!A0",
]

const texts: Bytes[] = TEXTS.map((text, i) => [Buffer.from(text), Buffer.from(TEXTS[(i + 1) % TEXTS.length]!)])
const bytes: Bytes[] = [
  ...texts,
  [Buffer.from('empty'), new Uint8Array(0)],
  [Buffer.from([0xff, 0x00, 0xfe]), Buffer.from('text')],
  [Buffer.from('half a character'), Buffer.from([0xc3])],
  [Buffer.from([0x80]), Uint8Array.from({ length: 256 }, (_, i) => i)],
]

function store(directory: string, records: readonly Bytes[]): void {
  const db = open<Uint8Array>(directory, { valueEncoding: 'binary', keyEncoding: 'binary' })
  db.batch(records.map(([key, value]) => ({ type: 'put', key, value })))
  db.close()
}

/** All records as hexadecimal text, sorted. */
function contents(directory: string): string[] {
  const db = open<Uint8Array>(directory, { valueEncoding: 'binary', keyEncoding: 'binary' })
  const found: string[] = []
  for (db.reset(); db.next(); ) {
    const { key, value } = db.readCurrent()
    found.push(`${Buffer.from(key).toString('hex')} ${Buffer.from(value).toString('hex')}`)
  }
  db.close()
  return found.sort()
}

const CASES: [format: string, encoding: string, records: Bytes[]][] = [
  ['jsonl', 'utf8', texts],
  ['jsonl', 'utf8', bytes],
  ['jsonl', 'binary', bytes],
  ['csv', 'utf8', texts],
  ['csv', 'utf8', bytes],
  ['csv', 'binary', bytes],
]

test.each(CASES)('%s as %s: export and import give the same bytes (%#)', (format, encoding, records) =>
  withDirectory(async parent => {
    store(`${parent}/from`, records)
    const options = ['--format', format, '--encoding', encoding]
    const exported = await run('export', `${parent}/from`, '-', ...options)
    expect(exported).toMatchObject({ status: 0, stderr: `exported ${records.length} records\n` })
    const imported = await runWith(exported.stdout, 'import', `${parent}/to`, '-', ...options)
    expect(imported).toMatchObject({ status: 0, stderr: `imported ${records.length} records\n`, stdout: '' })
    expect(contents(`${parent}/to`)).toEqual(contents(`${parent}/from`))
    expect(contents(`${parent}/to`)).toHaveLength(records.length)
  }),
)

test('JSON values stay JSON in both formats', () =>
  withDirectory(async parent => {
    const lines = [
      { key: 'object', value: { a: [1, 2.5, null], b: { c: 'ü\n' } } },
      { key: 'text', value: 'x' },
      { key: 'number', value: 0.1 },
      { key: 'nothing', value: null },
      { key: 'array', value: [] },
    ]
    const input = lines.map(line => JSON.stringify(line)).join('\n')
    for (const name of ['out.jsonl', 'out.csv']) {
      const db = `${parent}/${name}-db`
      await runWith(input, 'import', db, '--encoding', 'json')
      await run('export', db, `${parent}/${name}`, '--encoding', 'json')
      await run('import', `${db}-2`, `${parent}/${name}`, '--encoding', 'json')
      const { stdout } = await run('export', `${db}-2`, '--encoding', 'json')
      const records = stdout
        .trimEnd()
        .split('\n')
        .map(line => JSON.parse(line))
      const byKey = (a: { key: string }, b: { key: string }) => (a.key < b.key ? -1 : 1)
      expect(records.sort(byKey)).toEqual([...lines].sort(byKey))
      expect(await run('get', db, 'object', '--encoding', 'json')).toMatchObject({
        stdout: JSON.stringify(lines[0]!.value),
      })
    }
  }))

test('the plain case looks as documented', () =>
  withDirectory(async parent => {
    store(`${parent}/db`, [[Buffer.from('a'), Buffer.from('1,"2"')]])
    expect((await run('export', `${parent}/db`)).stdout).toBe('{"key":"a","value":"1,\\"2\\""}\n')
    expect((await run('export', `${parent}/db`, '--format', 'csv')).stdout).toBe('key,value\na,"1,""2"""\n')
  }))

test('an import reads CSV as spreadsheets write it', () =>
  withDirectory(async parent => {
    const file = '\ufeffvalue,"key"\r\n"two\r\nlines",a\r\n,empty\r\n\r\nlast,"z"'
    writeFileSync(`${parent}/in.csv`, file)
    expect(await run('import', `${parent}/db`, `${parent}/in.csv`)).toMatchObject({
      status: 0,
      stderr: 'imported 3 records\n',
    })
    expect((await run('get', `${parent}/db`, 'a')).stdout).toBe('two\r\nlines')
    expect((await run('get', `${parent}/db`, 'empty')).stdout).toBe('')
    expect((await run('get', `${parent}/db`, 'z')).stdout).toBe('last')
  }))

test('an export replaces a file only with --force, and never leaves half of one', () =>
  withDirectory(async parent => {
    const file = `${parent}/out.jsonl`
    store(`${parent}/db`, texts)
    writeFileSync(file, 'precious')
    const refused = await run('export', `${parent}/db`, file)
    expect(refused).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('exists; --force replaces it'),
    })
    const failing = await run('export', `${parent}/db`, file, '--force', '--encoding', 'json')
    expect(failing).toMatchObject({ status: 1, stderr: expect.stringContaining('is not JSON') })
    expect(readFileSync(file, 'utf8')).toBe('precious')
    expect(existsSync(`${file}.partial`)).toBe(false)
    expect(await run('export', `${parent}/db`, file, '--force')).toMatchObject({ status: 0 })
    expect(readFileSync(file, 'utf8').split('\n')).toHaveLength(texts.length + 1)
    const nowhere = await run('export', `${parent}/db`, `${parent}/no/such/folder.csv`)
    expect(nowhere).toMatchObject({ status: 1, stderr: expect.stringContaining('ENOENT') })
  }))
