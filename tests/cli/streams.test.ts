import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { open } from '../../src/index.ts'
import { pause } from '../support/child.ts'
import { withDirectory } from '../support/directory.ts'
import { run, start } from './run.ts'

const RECORDS = 20_000

/** Waits until a process has the database open. */
async function opened(directory: string): Promise<void> {
  while (!existsSync(`${directory}/lock`)) await pause(10)
}

/** More than a pipe holds. */
function fill(directory: string): void {
  const db = open(directory, { durability: 'none' })
  for (let from = 0; from < RECORDS; from += 1_000) {
    db.batch(
      Array.from({ length: 1_000 }, (_, i) => ({
        type: 'put',
        key: `key-${from + i}`,
        value: 'v'.repeat(100),
      })),
    )
  }
  db.close()
}

test.each([['keys'], ['range'], ['range', '--json'], ['export'], ['export', '-', '--format', 'csv']])(
  'a closed stdout ends %s quietly with status 0',
  (command, ...rest) =>
    withDirectory(async parent => {
      fill(`${parent}/db`)
      const { process: child, outcome } = start(command, `${parent}/db`, ...rest)
      await once(child.stdout, 'data')
      child.stdout.destroy()
      expect(await outcome).toMatchObject({ status: 0, signal: null, stderr: '' })
      expect(await run('verify', `${parent}/db`)).toMatchObject({ status: 0 })
    }),
)

test('an export waits for a slow reader', () =>
  withDirectory(async parent => {
    fill(`${parent}/db`)
    const { process: child, outcome } = start('export', `${parent}/db`)
    child.stdout.pause()
    await pause(300)
    child.stdout.resume()
    const { status, stdout, stderr } = await outcome
    expect({ status, stderr }).toEqual({ status: 0, stderr: 'exported 20,000 records\n' })
    const keys = stdout
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line).key)
    expect(new Set(keys).size).toBe(RECORDS)
  }))

test('Ctrl-C ends an import after the batch and closes the database', () =>
  withDirectory(async parent => {
    const { process: child, outcome } = start('import', `${parent}/db`)
    child.stdin.write(Array.from({ length: 2_500 }, (_, i) => `{"key":"k${i}","value":"v"}\n`).join(''))
    await opened(`${parent}/db`)
    await pause(300)
    child.kill('SIGINT')
    const { status, signal, stderr } = await outcome
    expect({ status, signal }).toEqual({ status: 130, signal: null })
    expect(stderr).toMatch(/^interrupted; imported [\d,]+ records\n$/)
    const records = Number(stderr.replace(/\D/g, ''))
    const stats = JSON.parse((await run('stats', `${parent}/db`, '--json')).stdout)
    expect(stats).toMatchObject({ records, recovery: { needed: false } })
  }))

test('an import takes input byte by byte', () =>
  withDirectory(async parent => {
    const { process: child, outcome } = start('import', `${parent}/db`, '-', '--format', 'csv')
    for (const byte of Buffer.from('\ufeffkey,value\r\nä,"1\r\n"\r\n')) {
      child.stdin.write(Buffer.from([byte]))
      await new Promise(resolve => setImmediate(resolve))
    }
    child.stdin.end()
    expect(await outcome).toMatchObject({ status: 0, stderr: 'imported 1 records\n' })
    expect((await run('get', `${parent}/db`, 'ä')).stdout).toBe('1\r\n')
  }))

test('a database in use is refused with the pid of its owner', () =>
  withDirectory(async parent => {
    const { process: child, outcome } = start('import', `${parent}/db`)
    child.stdin.write('{"key":"k","value":"v"}\n')
    await opened(`${parent}/db`)
    const refused = await run('put', `${parent}/db`, 'k', 'w')
    expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining(`${child.pid}`) })
    expect(refused.stderr).toContain('[XENON_LOCKED]')
    child.stdin.end()
    expect(await outcome).toMatchObject({ status: 0 })
  }))
