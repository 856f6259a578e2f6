/** Commands on a database that another process has open: through the socket that `inspect` makes. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { open } from '../../src/index.ts'
import { pause } from '../support/child.ts'
import { expectVerified } from '../support/database.ts'
import { withDirectory } from '../support/directory.ts'
import { run, runWith } from './run.ts'

const OWNER = fileURLToPath(new URL('live-owner.mjs', import.meta.url))
const DIST = fileURLToPath(new URL('../../dist', import.meta.url))

type Mode = 'read' | 'write' | 'none'

interface Owner {
  readonly process: ChildProcessWithoutNullStreams
  /** Closes the database and ends. */
  close(): Promise<number | null>
  kill(): Promise<void>
}

async function owner(directory: string, mode: Mode, ...call: string[]): Promise<Owner> {
  const child = spawn(process.execPath, [OWNER, directory, mode, ...call], { stdio: 'pipe' })
  let errors = ''
  child.stderr.on('data', text => {
    errors += text
  })
  const ended = once(child, 'exit')
  const first = await Promise.race([once(child.stdout, 'data'), ended])
  if (String(first[0]) !== 'ready\n') throw new Error(`the owner has ended: ${errors}`)
  return {
    process: child,
    async close() {
      child.stdin.end()
      const [status] = await ended
      return status as number | null
    },
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

const ready = async (path: string): Promise<void> => {
  while (!existsSync(path)) await pause(5)
}

/** All of it verifies, once nobody has it open. */
async function expectSound(directory: string): Promise<void> {
  const db = open<unknown>(directory, { valueEncoding: 'json' })
  await expectVerified(db as never)
  db.close()
}

describe.skipIf(process.platform === 'win32')('a database that another process has open', () => {
  test('is read through its socket, in its own encodings, and not written', () =>
    withDirectory(async parent => {
      const db = `${parent}/db`
      const program = await owner(db, 'read')
      expect(lstatSync(`${db}/inspect.sock`).mode & 0o777).toBe(0o600)
      const said = `xenondb: ${db} is open in process ${program.process.pid}: going through its socket\n`
      const asked = async (...args: string[]): Promise<string> => {
        const { status, stdout, stderr } = await run(...args)
        expect(stderr).toContain(said)
        expect(status, stderr).toBe(0)
        return stdout
      }
      expect(await asked('get', db, 'user:0042')).toBe('{"n":42}')
      expect(await asked('count', db)).toBe('2001\n')
      expect(await asked('count', db, '--prefix', 'user:00')).toBe('100\n')
      expect(await asked('keys', db, '--gte', 'user:1998')).toBe('user:1998\nuser:1999\n')
      expect(await asked('range', db, '--prefix', 'user:199', '--reverse', '--limit', '1')).toBe(
        'user:1999\t{"n":1999}\n',
      )
      expect(await asked('ls', db, '--prefix', 'user:0007')).toBe('       7 B            user:0007\n')
      expect(await asked('ls', db, '--limit', '1')).toMatch(/^ {7}3 B {4}60 min {2}session\n$/)
      expect(JSON.parse(await asked('stats', db, '--json'))).toMatchObject({ records: 2001, ordered: true })
      expect(await asked('subs', db)).toBe('tuples\n')
      expect(await asked('get', db, '["a",1]', '--sub', 'tuples', '--encoding', 'binary')).toBe('/w==')
      const exported = (await asked('export', db)).trimEnd().split('\n')
      expect(exported).toHaveLength(2001 + 2)
      expect(exported[1]).toBe('{"key":"user:0000","value":{"n":0}}')
      expect(JSON.parse(exported[0]!)).toMatchObject({ key: 'session', value: 'x', expiresAt: expect.any(Number) })
      expect(exported.at(-1)).toBe(
        '{"sub":["tuples"],"key":["a",1],"value":"/w==","keyEncoding":"tuple","valueEncoding":"base64"}',
      )
      const conversation = await runWith('GET user:0001\nSET user:0001 1\nINFO keyspace\n', 'repl', db)
      expect(conversation.stdout).toMatch(
        /^"{\\"n\\":1}"\n\(error\) READONLY [^\n]*\n# Keyspace\ndb0:keys=2001,[^\n]*\n$/,
      )
      for (const args of [
        ['put', db, 'a', '1'],
        ['delete', db, 'session'],
        ['ttl', db, 'session', '--persist'],
        ['delete', db, '--prefix', 'u', '--yes'],
      ])
        expect(await run(...args)).toMatchObject({ status: 1, stderr: expect.stringContaining("inspect: 'write'") })
      expect(await run('get', db, 'nobody')).toMatchObject({
        status: 1,
        stderr: expect.stringContaining('no such key'),
      })
      // What changes the files needs the database for itself.
      expect(await run('compact', db)).toMatchObject({ status: 1, stderr: expect.stringContaining('[XENON_LOCKED]') })
      // The copy of a live database has no use for the socket.
      expect(await run('verify', db)).toMatchObject({ status: 0 })
      expect(await program.close()).toBe(0)
      expect(readdirSync(db).sort()).toEqual(['data', 'log'])
      expect(await run('count', db)).toMatchObject({ stdout: '2001\n', stderr: '' })
      await expectSound(db)
    }))

  test("is written with inspect: 'write'", () =>
    withDirectory(async parent => {
      const db = `${parent}/db`
      const program = await owner(db, 'write')
      expect(await run('put', db, 'new', '{"n": 1}', '--ttl', '1000000')).toMatchObject({ status: 0 })
      expect((await run('get', db, 'new')).stdout).toBe('{"n":1}')
      expect(await run('put', db, 'bad', 'not json')).toMatchObject({
        status: 2,
        stderr: expect.stringContaining('not JSON'),
      })
      expect(Number((await run('ttl', db, 'new')).stdout)).toBeGreaterThan(900_000)
      expect((await run('ttl', db, 'new', '--persist')).status).toBe(0)
      expect((await run('ttl', db, 'new')).stdout).toBe('none\n')
      expect((await run('put', db, '["b"]', '/w==', '--sub', 'tuples')).status).toBe(0)
      expect((await run('put', db, 'x', 'y', '--sub', 'made')).status).toBe(0)
      expect((await run('subs', db)).stdout).toBe('made\ntuples\n')
      expect(await run('delete', db, '--prefix', 'user:1')).toMatchObject({
        status: 1,
        stderr: expect.stringContaining('1,000 records would be deleted; say so with --yes'),
      })
      expect((await run('delete', db, '--prefix', 'user:1', '--yes')).status).toBe(0)
      expect((await run('delete', db, 'user:0000')).status).toBe(0)
      expect((await run('count', db, '--prefix', 'user:')).stdout).toBe('999\n')
      expect(await runWith('SHUTDOWN\n', 'repl', db)).toMatchObject({
        stdout: expect.stringContaining('(error) ERR the program'),
      })
      expect((await run('count', db)).status).toBe(0)
      expect(await program.close()).toBe(0)
      await expectSound(db)
    }))

  test('says how it can be looked into, if it cannot', () =>
    withDirectory(async parent => {
      const db = `${parent}/db`
      const program = await owner(db, 'none')
      expect(existsSync(`${db}/inspect.sock`)).toBe(false)
      for (const args of [
        ['repl', db],
        ['put', db, 'a', '1'],
        ['delete', db, 'a', '--yes'],
      ])
        expect(await run(...args)).toMatchObject({
          status: 1,
          stdout: '',
          stderr: expect.stringMatching(/inspect: true.*\[XENON_LOCKED\]\n$/),
        })
      // Who only reads does without.
      const said = `xenondb: ${db} is open in process ${program.process.pid}: reading beside it\n`
      const asked = async (...args: string[]): Promise<string> => {
        const { status, stdout, stderr } = await run(...args)
        expect(status, stderr).toBe(0)
        expect(stderr).toContain(said)
        return stdout
      }
      expect(await asked('get', db, 'user:0042')).toBe('{"n":42}')
      expect(await asked('count', db, '--prefix', 'user:')).toBe('2000\n')
      expect(await asked('keys', db, '--limit', '1')).toBe('session\n')
      expect(JSON.parse(await asked('stats', db, '--json'))).toMatchObject({ records: 2001 })
      expect(await asked('subs', db)).toBe('tuples\n')
      await asked('backup', db, `${parent}/backup`)
      await expectSound(`${parent}/backup`)
      await program.close()
    }))

  test('is the one that was asked for: the socket of another, or of a killed process, is not believed', () =>
    withDirectory(async parent => {
      const [a, b] = [`${parent}/a`, `${parent}/b`]
      const other = await owner(a, 'read')
      const killed = await owner(b, 'read')
      await killed.kill()
      expect(lstatSync(`${b}/inspect.sock`).isSocket()).toBe(true)
      // Its owner is dead: the command has it for itself.
      expect(await run('count', b)).toMatchObject({ status: 0, stdout: '2001\n', stderr: '' })
      const plain = await owner(b, 'none')
      expect(await run('put', b, 'a', '1')).toMatchObject({
        status: 1,
        stderr: expect.stringContaining('inspect: true'),
      })
      // A pointer that was copied along with the files leads to a database that answers, and is not this one.
      renameSync(`${b}/inspect.sock`, `${b}/left`)
      writeFileSync(`${b}/inspect.json`, JSON.stringify({ path: `${a}/inspect.sock` }))
      expect(await run('count', b)).toMatchObject({ status: 0, stderr: expect.stringContaining('reading beside it') })
      expect(await run('put', b, 'a', '1')).toMatchObject({
        status: 1,
        stdout: '',
        stderr: expect.stringContaining('[XENON_LOCKED]'),
      })
      await plain.close()
      renameSync(`${b}/left`, `${b}/inspect.sock`)
      // The next one takes the place of what was left.
      const next = await owner(b, 'read')
      expect(await run('count', b)).toMatchObject({ status: 0, stdout: '2001\n' })
      await next.close()
      expect(existsSync(`${b}/inspect.sock`)).toBe(false)
      expect(await run('count', a)).toMatchObject({ status: 0, stdout: '2001\n' })
      await other.close()
      await expectSound(b)
    }))

  test('may lie under a path that is too long for a socket', () =>
    withDirectory(async parent => {
      const db = join(parent, 'x'.repeat(60), 'y'.repeat(60), 'db')
      const elsewhere = (): string =>
        dirname((JSON.parse(readFileSync(`${db}/inspect.json`, 'utf8')) as { path: string }).path)
      const killed = await owner(db, 'read')
      const left = elsewhere()
      expect(dirname(left)).toBe(tmpdir())
      expect([lstatSync(left).mode & 0o777, lstatSync(`${db}/inspect.json`).mode & 0o777]).toEqual([0o700, 0o600])
      expect(await run('count', db)).toMatchObject({ status: 0, stdout: '2001\n' })
      await killed.kill()
      const next = await owner(db, 'read')
      expect(existsSync(left)).toBe(false)
      const place = elsewhere()
      expect(await run('count', db)).toMatchObject({ status: 0, stdout: '2001\n' })
      await next.close()
      expect([existsSync(place), readdirSync(db).sort()]).toEqual([false, ['data', 'log']])
      await expectSound(db)
    }))

  test('does not keep its program running, closed or not', () =>
    withDirectory(async parent => {
      const db = `${parent}/db`
      const program = await owner(db, 'read', 'leave')
      const [status] = await once(program.process, 'exit')
      expect(status).toBe(0)
      expect(existsSync(`${db}/inspect.sock`)).toBe(false)
      await expectSound(db)
    }))

  test(
    'that is busy does not let the command hang',
    () =>
      withDirectory(async parent => {
        const program = await owner(`${parent}/db`, 'read', 'busy')
        await pause(500)
        const refused = await run('get', `${parent}/db`, 'session')
        expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining('has not answered on its socket') })
        await program.kill()
      }),
    20_000,
  )
})

describe.skipIf(process.platform === 'win32')('the socket', () => {
  test('stands in nobody’s way: backup, compact, verify, salvage and a reopened handle', () =>
    withDirectory(async parent => {
      const directory = `${parent}/db`
      const db = open(directory, { inspect: true })
      for (let i = 0; i < 500; i++) db.put(`k${i}`, 'v'.repeat(100))
      await ready(`${directory}/inspect.sock`)
      await db.backup(`${parent}/copy`)
      expect(readdirSync(`${parent}/copy`).sort()).toEqual(['data', 'log'])
      db.clear('k1')
      await db.compact()
      await expectVerified(db)
      db.close()
      expect(readdirSync(directory).sort()).toEqual(['data', 'log'])
      // Closed before it could listen: nothing comes of it.
      const brief = open(directory, { inspect: true })
      brief.close()
      await pause(100)
      expect(readdirSync(directory).sort()).toEqual(['data', 'log'])
    }))

  test('of a database that has come to the old place of a moved one is left alone', () =>
    withDirectory(async parent => {
      const directory = `${parent}/db`
      const moved = open(directory, { inspect: true })
      await ready(`${directory}/inspect.sock`)
      renameSync(directory, `${parent}/moved`)
      const other = open(directory, { inspect: true })
      other.put('mine', '1')
      await ready(`${directory}/inspect.sock`)
      expect(() => moved.close()).toThrow(expect.objectContaining({ code: 'XENON_MOVED' }))
      expect(lstatSync(`${directory}/inspect.sock`).isSocket()).toBe(true)
      expect(await run('get', directory, 'mine')).toMatchObject({ status: 0, stdout: '1' })
      await expectVerified(other)
      other.close()
      expect(existsSync(`${directory}/inspect.sock`)).toBe(false)
    }))

  test('is refused where there are no files, and takes the place of no file of yours', () =>
    withDirectory(async parent => {
      expect(() => open(parent, { inspect: 'all' as never })).toThrow("inspect must be true, false or 'write'")
      const directory = `${parent}/db`
      mkdirSync(directory)
      writeFileSync(`${directory}/inspect.sock`, 'mine')
      const warned = once(process, 'warning')
      const db = open(directory, { inspect: true })
      const [warning] = (await warned) as [Error]
      expect(warning).toMatchObject({
        code: 'XENON_INSPECT',
        message: expect.stringContaining('was not made by xenondb'),
      })
      expect(readFileSync(`${directory}/inspect.sock`, 'utf8')).toBe('mine')
      db.put('a', '1')
      await expectVerified(db)
      db.close()
      expect(readFileSync(`${directory}/inspect.sock`, 'utf8')).toBe('mine')
    }))

  test('costs a program that does not ask for it nothing: no code of the server is loaded', () => {
    const loaded = new Set<string>()
    const load = (file: string): void => {
      if (loaded.has(file)) return
      loaded.add(file)
      const text = readFileSync(file, 'utf8')
      for (const [, name] of text.matchAll(/^(?:import|export)[^'"]*["'](\.[^"']+)["']/gm))
        load(join(dirname(file), name!))
    }
    load(join(DIST, 'index.js'))
    const text = [...loaded].map(file => readFileSync(file, 'utf8')).join('')
    expect(/\bimport\(["']\.\.?\/[\w/]*inspect\.js["']\)/.test(text)).toBe(true)
    expect(/["']node:net["']/.test(text)).toBe(false)
    expect(text.includes('max number of clients reached')).toBe(false)
  })
})
