/** `backup --keep`, `restore`, `convert --block-size` and `--value-encoding`, and the warnings of `serve`, as real processes. */
import { existsSync, readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { open } from '../../src/index.ts'
import { pause } from '../support/child.ts'
import { withDirectory } from '../support/directory.ts'
import { run, start } from './run.ts'

test('backups with a date, and the newest one, or another, restored', () =>
  withDirectory(async parent => {
    const [db, backups] = [`${parent}/db`, `${parent}/backups`]
    for (const value of ['1', '2', '3']) {
      await run('put', db, 'key', value)
      const { status, stdout, stderr } = await run('backup', db, backups, '--keep', '2', '--verify')
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
      expect(stdout).toMatch(/^1 records, [\d.]+ KiB, in .*Z(-\d+)?\n[12] backups kept, [01] removed\n$/)
    }
    const names = readdirSync(backups).sort()
    expect(names).toHaveLength(2)
    expect(await run('restore', backups, db)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('--overwrite'),
    })
    await run('put', db, 'key', 'lost')
    const { status, stdout } = await run('restore', backups, db, '--overwrite')
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: expect.stringMatching(/^1 records, .*, from .*Z(-\d+)?\n$/),
    })
    expect((await run('get', db, 'key')).stdout).toBe('3')
    const older = names.find(name => !stdout.endsWith(`${name}\n`))!
    const json = await run('restore', backups, `${parent}/other`, '--at', older, '--skip-verify', '--json')
    expect(JSON.parse(json.stdout)).toMatchObject({ from: `${backups}/${older}`, records: 1 })
    expect((await run('get', `${parent}/other`, 'key')).stdout).toBe('2')
    expect(readdirSync(parent).sort()).toEqual(['backups', 'db', 'other'])
  }))

test('wrong usage', async () => {
  expect(await run('backup', 'a', 'b', '--keep', '0')).toMatchObject({ status: 2 })
  expect(await run('convert', 'a')).toMatchObject({ status: 2 })
  expect(await run('convert', 'a', '--ordered', '--unordered', '--block-size', '8192')).toMatchObject({ status: 2 })
  expect(await run('restore', 'nothing/there', 'b')).toMatchObject({ status: 1 })
})

test('blocks of another size', () =>
  withDirectory(async parent => {
    const db = `${parent}/db`
    await run('put', db, 'key', 'value')
    expect(await run('convert', db, '--block-size', '8192')).toEqual({
      status: 0,
      signal: null,
      stdout: '',
      stderr: '',
    })
    expect(JSON.parse((await run('stats', db, '--json')).stdout)).toMatchObject({ blockSize: 8192, records: 1 })
  }))

test('values of another encoding, of the root and of a sub-database', () =>
  withDirectory(async parent => {
    const db = `${parent}/db`
    const made = open(db)
    made.put('key', 'value')
    made.sub('a').sub<number>('b', { valueEncoding: 'json' }).put('number', 7)
    made.close()
    const done = { status: 0, signal: null, stdout: '', stderr: '' }
    const sub = ['--sub', 'a', '--sub', 'b']
    expect(await run('convert', db, '--value-encoding', 'json', '--block-size', '8192')).toEqual(done)
    const refused = await run('convert', db, '--value-encoding', 'utf8', ...sub)
    expect(refused).toMatchObject({ status: 1, stdout: '' })
    expect(refused.stderr).toContain('the value of the key "number" cannot be encoded as \'utf8\'')
    expect(await run('convert', db, '--value-encoding', 'msgpack', ...sub)).toEqual(done)
    const again = open<unknown>(db, { valueEncoding: 'json' })
    expect(again.get('key')).toBe('value')
    expect(again.stats().blockSize).toBe(8192)
    expect(again.sub('a').sub<number>('b', { valueEncoding: 'msgpack' }).get('number')).toBe(7)
    again.close()
    expect(await run('convert', db, '--value-encoding', 'yaml')).toMatchObject({ status: 2 })
    expect(await run('convert', db, '--block-size', '4096', '--sub', 'a')).toMatchObject({ status: 2 })
  }))

test('serve prints warnings as lines of its log', () =>
  withDirectory(async parent => {
    const db = open(`${parent}/db`)
    db.put('a', '1')
    db.close()
    const server = start('serve', `${parent}/db`, '--port', '0')
    let log = ''
    server.process.stderr.on('data', text => {
      log += text
    })
    const address = await new Promise<string>(resolve => server.process.stdout.once('data', resolve))
    const [, port] = /:(\d+)\n/.exec(address) ?? []
    const value = 'x'.repeat(2400)
    for (let i = 0; i < 5; i++) {
      const pairs = Array.from({ length: 30 }, (_, j) => [`key ${i} ${j}`, value]).flat()
      await run('client', '--port', port!, 'MSET', ...pairs)
    }
    for (let waits = 0; waits < 100 && !log.includes('block-size'); waits++) await pause(50)
    server.process.kill('SIGTERM')
    expect((await server.outcome).status).toBe(0)
    const lines = log.split('\n').filter(line => line.includes('block-size'))
    expect(lines).toHaveLength(1)
    expect(JSON.parse(lines[0]!)).toMatchObject({
      level: 'warn',
      event: 'warning',
      code: 'block-size',
      advised: 8192,
      message: expect.stringContaining('--block-size 8192'),
    })
    expect(existsSync(`${parent}/db/lock`)).toBe(false)
  }))
