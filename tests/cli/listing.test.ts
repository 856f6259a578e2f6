/** count, ls, delete of a range, help, edit, and what a pipe gets. */
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { open } from '../../src/index.ts'
import { withDirectory } from '../support/directory.ts'
import { type Outcome, run } from './run.ts'

function fill(directory: string, ordered: boolean = true): void {
  const db = open(directory, { ordered })
  for (const name of ['a:1', 'a:2', 'b:1']) db.put(name, name.repeat(300))
  db.put('session', 'x', { ttl: 8_000_000 })
  if (ordered) db.sub('users', { valueEncoding: 'json' }).put('ada', 1 as never)
  db.close()
}

test.each([true, false])('count, ls and delete of a prefix, ordered: %s', ordered =>
  withDirectory(async parent => {
    const db = `${parent}/db`
    fill(db, ordered)
    expect(await run('count', db)).toMatchObject({ status: 0, stdout: '4\n', stderr: '' })
    expect(await run('count', db, '--prefix', 'a:')).toMatchObject({ stdout: '2\n' })
    expect(await run('count', db, '--prefix', 'a:', '--limit', '1')).toMatchObject({ stdout: '1\n' })
    const listed = (await run('ls', db)).stdout.trimEnd().split('\n')
    expect(listed.filter(line => line.endsWith('users/'))).toHaveLength(ordered ? 1 : 0)
    expect(listed.filter(line => !line.endsWith('/')).sort()).toEqual(
      [
        '     900 B            a:1',
        '     900 B            a:2',
        '     900 B            b:1',
        '       1 B       2 h  session',
      ].sort(),
    )
    const json = (await run('ls', db, '--prefix', 'session', '--json')).stdout
    expect(JSON.parse(json)).toEqual({ key: 'session', bytes: 1, expiresAt: expect.any(Number) })
    expect(await run('delete', db)).toMatchObject({ status: 2 })
    expect(await run('delete', db, 'a:1', '--prefix', 'a')).toMatchObject({ status: 2 })
    expect(await run('delete', db, '--prefix', 'a:')).toMatchObject({
      status: 1,
      stderr: 'xenondb: 2 records would be deleted; say so with --yes\n',
    })
    expect((await run('count', db)).stdout).toBe('4\n')
    expect(await run('delete', db, '--prefix', 'a:', '--yes')).toMatchObject({
      status: 0,
      stderr: 'deleted 2 records\n',
    })
    expect((await run('count', db)).stdout).toBe('2\n')
    expect(await run('verify', db)).toMatchObject({ status: 0 })
  }),
)

test('export takes a range, of one key space', () =>
  withDirectory(async parent => {
    fill(`${parent}/db`)
    const { stdout, stderr } = await run('export', `${parent}/db`, '--prefix', 'a:', '--reverse')
    expect(stdout.split('\n').map(line => line.slice(0, 14))).toEqual(['{"key":"a:2","', '{"key":"a:1","', ''])
    expect(stderr).toMatch(/"users" are not written: a range.*\nexported 2 records\n$/)
    const csv = await run('export', `${parent}/db`, '-', '--format', 'csv', '--prefix', 'b')
    expect(csv.stdout).toMatch(/^key,value\nb:1,/)
  }))

test('ls and count of a sub-database', () =>
  withDirectory(async parent => {
    fill(`${parent}/db`)
    expect((await run('ls', `${parent}/db`, '--sub', 'users')).stdout).toBe('       1 B            ada\n')
    expect((await run('count', `${parent}/db`, '--sub', 'users')).stdout).toBe('1\n')
  }))

test('help lists the commands, help COMMAND tells of one', async () => {
  const all = await run('help')
  expect(all).toMatchObject({ status: 0, stderr: '' })
  for (const command of ['get', 'ls', 'count', 'edit', 'import', 'serve', 'repl'])
    expect(all.stdout).toMatch(new RegExp(`^ {2}${command} `, 'm'))
  expect(all).toEqual(await run('--help'))
  const one = await run('help', 'import')
  expect(one).toMatchObject({ status: 0, stderr: '' })
  expect(one.stdout).toContain('--skip-bad')
  expect(await run('help', 'frobnicate')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('unknown command'),
  })
  expect(await run('help', 'get', 'put')).toMatchObject({ status: 2 })
})

/** An editor that runs a line of shell on the file, `$1`. */
async function edit(parent: string, line: string, ...args: string[]): Promise<Outcome> {
  const editor = `${parent}/editor.sh`
  writeFileSync(editor, `#!/bin/sh\n${line}\n`)
  chmodSync(editor, 0o700)
  const before = process.env.VISUAL
  process.env.VISUAL = editor
  try {
    return await run('edit', ...args)
  } finally {
    if (before === undefined) delete process.env.VISUAL
    else process.env.VISUAL = before
  }
}

const keptIn = ({ stderr }: Outcome): string => /kept in (\S+)/.exec(stderr)![1]!

test.skipIf(process.platform === 'win32')('edit stores what comes back from the editor, and keeps the time', () =>
  withDirectory(async parent => {
    const db = `${parent}/db`
    fill(db)
    expect(await edit(parent, `cp "$1" ${parent}/seen; printf 'y\\n' > "$1"`, db, 'session')).toMatchObject({
      status: 0,
      stderr: 'stored "session"\n',
    })
    expect(readFileSync(`${parent}/seen`, 'utf8')).toBe('x\n')
    expect((await run('get', db, 'session')).stdout).toBe('y')
    expect(Number((await run('ttl', db, 'session')).stdout)).toBeGreaterThan(7_000_000)
    expect(await edit(parent, 'true', db, 'session')).toMatchObject({ status: 0, stderr: 'nothing was changed\n' })
    // JSON is shown with line ends, and stored without; digits that JavaScript lacks stay.
    await run('put', db, 'j', '{"n":12345678901234567890,"l":[],"s":"a,b"}', '--encoding', 'json')
    await edit(parent, `cp "$1" ${parent}/seen; sed -i s/a,b/c/ "$1"`, db, 'j', '--encoding', 'json')
    expect(readFileSync(`${parent}/seen`, 'utf8')).toBe(
      '{\n  "n": 12345678901234567890,\n  "l": [],\n  "s": "a,b"\n}\n',
    )
    expect((await run('get', db, 'j')).stdout).toBe('{"n":12345678901234567890,"l":[],"s":"c"}')
    expect(await edit(parent, 'true', db, 'nobody')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('no such key'),
    })
  }),
)

test.skipIf(process.platform === 'win32')(
  'edit stores nothing that does not parse, or over a value that was changed meanwhile, and keeps the text',
  () =>
    withDirectory(async parent => {
      const db = `${parent}/db`
      await run('put', db, 'j', '{"n":1}', '--encoding', 'json')
      const bad = await edit(parent, `printf '{"n":' > "$1"`, db, 'j', '--encoding', 'json')
      expect(bad).toMatchObject({ status: 1, stderr: expect.stringContaining('not JSON') })
      expect(readFileSync(keptIn(bad), 'utf8')).toBe('{"n":')
      // The database is not open while the editor is.
      const cli = `${process.execPath} ${new URL('../../dist/cli/main.js', import.meta.url).pathname}`
      const late = await edit(parent, `${cli} put ${db} j 7; printf '{"n":2}' > "$1"`, db, 'j', '--encoding', 'json')
      expect(late).toMatchObject({ status: 1, stderr: expect.stringContaining('was changed meanwhile') })
      expect(readFileSync(keptIn(late), 'utf8')).toBe('{"n":2}')
      expect((await run('get', db, 'j')).stdout).toBe('7')
      const failed = await edit(parent, 'exit 3', db, 'j')
      expect(failed).toMatchObject({ status: 1, stderr: expect.stringContaining('has failed') })
      expect(existsSync(keptIn(failed))).toBe(true)
      expect(readdirSync(db).sort()).toEqual(['data', 'log'])
    }),
)
