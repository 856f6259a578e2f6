/** `compact`, `backup` and `convert`: what they do, and what a Ctrl-C in the middle leaves. */
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { open } from '../../src/index.ts'
import { pause } from '../support/child.ts'
import { withDirectory } from '../support/directory.ts'
import { run, start } from './run.ts'

/** Half of the records are deleted again. */
function fill(directory: string, records: number, ordered: boolean = true): void {
  const db = open(directory, { durability: 'none', ordered })
  for (let from = 0; from < records; from += 1000)
    db.batch(
      Array.from({ length: 1000 }, (_, i) => ({
        type: 'put',
        key: `key-${from + i}`,
        value: `${from + i} `.repeat(30),
      })),
    )
  for (let from = 0; from < records; from += 1000)
    db.batch(
      Array.from({ length: 1000 }, (_, i) => ({ type: 'delete', key: `key-${from + i}` }) as const).filter(
        (_, i) => i % 4 !== 0,
      ),
    )
  db.close()
}

async function expectSound(directory: string, records: number): Promise<void> {
  const { status, stdout } = await run('verify', directory, '--json')
  expect(JSON.parse(stdout)).toMatchObject({ ok: true, records })
  expect(status).toBe(0)
}

test('compact gives space back, and says how much', () =>
  withDirectory(async parent => {
    const db = `${parent}/db`
    fill(db, 8000)
    const before = statSync(`${db}/data`).size
    const { status, stdout, stderr } = await run('compact', db)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toMatch(/^[\d,]+ blocks, .* MiB before; [\d,]+ blocks, .* now\n$/)
    const after = statSync(`${db}/data`).size
    expect(after).toBeLessThan(before)
    await expectSound(db, 2000)
    const json = await run('compact', db, '--json')
    expect(JSON.parse(json.stdout)).toMatchObject({
      bytesBefore: after,
      bytesAfter: statSync(`${db}/data`).size,
    })
  }))

test('backup makes a database of the same records in a new directory', () =>
  withDirectory(async parent => {
    const db = `${parent}/db`
    fill(db, 4000)
    expect(await run('backup', db, `${parent}/a/b`)).toMatchObject({
      status: 0,
      stderr: '',
      stdout: expect.stringMatching(/^1,000 records, [\d.]+ [KM]iB\n$/),
    })
    await expectSound(`${parent}/a/b`, 1000)
    expect((await run('export', `${parent}/a/b`)).stdout).toBe((await run('export', db)).stdout)
    mkdirSync(`${parent}/empty`)
    const json = await run('backup', db, `${parent}/empty`, '--json')
    expect(JSON.parse(json.stdout)).toEqual({
      directory: `${parent}/empty`,
      records: 1000,
      bytes: statSync(`${parent}/empty/data`).size,
    })
  }))

test('backup refuses a directory that holds something, and leaves it as it is', () =>
  withDirectory(async parent => {
    const db = `${parent}/db`
    await run('put', db, 'a', '1')
    mkdirSync(`${parent}/full`)
    writeFileSync(`${parent}/full/precious`, 'x')
    writeFileSync(`${parent}/file`, 'x')
    for (const target of ['full', 'file', 'db']) {
      const { status, stdout, stderr } = await run('backup', db, `${parent}/${target}`)
      expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
      expect(stderr).toMatch(/^xenondb: [^\n]+\[XENON_EXISTS\]\n$/)
    }
    expect(readdirSync(`${parent}/full`)).toEqual(['precious'])
    await expectSound(db, 1)
  }))

test('convert takes the ordered index away and adds it again', () =>
  withDirectory(async parent => {
    const db = `${parent}/db`
    fill(db, 4000)
    const before = (await run('export', db)).stdout
    for (const [option, ordered] of [
      ['--unordered', false],
      ['--unordered', false],
      ['--ordered', true],
      ['--ordered', true],
    ] as const) {
      expect(await run('convert', db, option)).toMatchObject({ status: 0, stdout: '', stderr: '' })
      expect(JSON.parse((await run('stats', db, '--json', '--quick')).stdout)).toMatchObject({ ordered })
      await expectSound(db, 1000)
      expect((await run('range', db, '--limit', '1')).status).toBe(ordered ? 0 : 1)
    }
    expect((await run('export', db)).stdout).toBe(before)
  }))

test('wrong usage and absent databases', () =>
  withDirectory(async parent => {
    expect(await run('convert', `${parent}/db`)).toMatchObject({ status: 2 })
    expect(await run('convert', `${parent}/db`, '--ordered', '--unordered')).toMatchObject({ status: 2 })
    expect(await run('backup', `${parent}/db`)).toMatchObject({ status: 2 })
    for (const command of [
      ['convert', `${parent}/db`, '--ordered'],
      ['compact', `${parent}/db`],
      ['backup', `${parent}/db`, `${parent}/new`],
    ])
      expect(await run(...command)).toMatchObject({
        status: 1,
        stdout: '',
        stderr: expect.stringMatching(/\[XENON_NOT_FOUND\]\n$/),
      })
    expect(readdirSync(parent)).toEqual([])
  }))

/** Runs a command and ends it so many milliseconds after it has opened the database. */
async function interrupted(
  signal: 'SIGINT' | 'SIGKILL',
  after: number,
  db: string,
  ...args: string[]
): Promise<number | null> {
  const { process: child, outcome } = start(...args)
  while (!existsSync(`${db}/lock`) && child.exitCode === null) await pause(5)
  await pause(after)
  child.kill(signal)
  const { status, stderr } = await outcome
  expect(stderr).toMatch(status === 130 ? /^interrupted[^\n]*\n$/ : /^$/)
  return status
}

test.each(['SIGINT', 'SIGKILL'] as const)('%s in the middle of compact leaves a sound database', signal =>
  withDirectory(async parent => {
    const db = `${parent}/db`
    const statuses: (number | null)[] = []
    for (const after of [0, 60, 150]) {
      fill(`${db}-${after}`, 40_000)
      statuses.push(await interrupted(signal, after, `${db}-${after}`, 'compact', `${db}-${after}`))
      await expectSound(`${db}-${after}`, 10_000)
    }
    expect(statuses).toContain(signal === 'SIGINT' ? 130 : null)
    await run('compact', `${db}-0`)
    await expectSound(`${db}-0`, 10_000)
  }),
)

test('Ctrl-C in the middle of backup removes the copy; the end of the process leaves none that could be opened', () =>
  withDirectory(async parent => {
    const db = `${parent}/db`
    fill(db, 60_000)
    const statuses: (number | null)[] = []
    for (const [signal, after] of [
      ['SIGINT', 0],
      ['SIGINT', 20],
      ['SIGKILL', 0],
      ['SIGKILL', 20],
    ] as const) {
      const target = `${parent}/${signal}-${after}`
      const status = await interrupted(signal, after, db, 'backup', db, target)
      statuses.push(status)
      if (status === 0) await expectSound(target, 15_000)
      else if (status === 130) expect(existsSync(target)).toBe(false)
      else if (!existsSync(`${target}/data`))
        expect(await run('get', target, 'key-0')).toMatchObject({
          status: 1,
          stderr: expect.stringContaining('[XENON_NOT_FOUND]'),
        })
      await expectSound(db, 15_000)
    }
    expect(statuses).toContain(130)
  }))

test('Ctrl-C in the middle of convert leaves a sound database', () =>
  withDirectory(async parent => {
    const db = `${parent}/db`
    fill(db, 80_000, false)
    const status = await interrupted('SIGINT', 0, db, 'convert', db, '--ordered')
    expect([0, 130]).toContain(status)
    await expectSound(db, 20_000)
    expect(await run('convert', db, '--ordered')).toMatchObject({ status: 0, stderr: '' })
    await expectSound(db, 20_000)
    expect((await run('range', db, '--keys', '--limit', '2')).stdout).toBe('key-0\nkey-100\n')
  }))
