/** The command line on a disk that is full or read-only: status 1 and one line, and reading goes on. */
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { open } from '../../src/index.ts'
import { type Outcome, run } from '../cli/run.ts'
import { expectVerified } from '../support/database.ts'
import { withDirectory } from '../support/directory.ts'
import { type SmallDisk, whyNoDisk, withSmallDisk } from './small-disk.ts'

const RECORDS = 2_000

describe.skipIf(whyNoDisk('tmpfs') !== undefined)('on a disk', () => {
  for (const [what, spoil] of [
    ['full', disk => disk.leave(0)],
    ['read-only', disk => disk.remount('ro')],
  ] as [string, (disk: SmallDisk) => void][]) {
    test(`that is ${what}, what was closed cleanly can be read, and writing ends with status 1 and one line`, () =>
      withSmallDisk('tmpfs', async disk => {
        const directory = `${disk.directory}/db`
        fill(directory)
        spoil(disk)
        const [get, keys, jsonLines, csv, stats, verify] = await Promise.all([
          run('get', directory, 'key 7'),
          run('keys', directory),
          run('export', directory),
          run('export', directory, '-', '--format', 'csv'),
          run('stats', directory, '--json'),
          run('verify', directory, '--json'),
        ])
        expect(get).toMatchObject({ status: 0, stderr: '', stdout: 'v'.repeat(107) })
        expect(keys).toMatchObject({ status: 0, stderr: '' })
        for (const { status, stderr, stdout } of [jsonLines, csv]) {
          expect({ status, stderr }).toEqual({ status: 0, stderr: 'exported 2,000 records\n' })
          expect(stdout.split('\n').length).toBeGreaterThanOrEqual(RECORDS)
        }
        expect(JSON.parse(stats.stdout)).toMatchObject({ records: RECORDS })
        expect(verify).toMatchObject({ status: 0, stderr: '' })
        expect(JSON.parse(verify.stdout)).toMatchObject({ ok: true, records: RECORDS })
        const code = what === 'full' ? 'XENON_FULL' : 'EROFS'
        expectOneLine(await run('put', directory, 'key', 'value'), code)
        expectOneLine(await run('put', `${disk.directory}/another`, 'key', 'value'), code)
        const deleted = await run('delete', directory, 'key 7')
        // The reserve has room for that.
        if (what === 'full') expect(deleted).toMatchObject({ status: 0, stderr: '' })
        else expectOneLine(deleted, code)
        if (what === 'full') disk.free()
        else disk.remount('rw')
        await expectVerifiedAt(directory, what === 'full' ? RECORDS - 1 : RECORDS)
      }))
  }

  test('that fills up, an export leaves neither half a file nor a partial one', () =>
    withSmallDisk('tmpfs', disk =>
      withDirectory(async parent => {
        fill(`${parent}/db`)
        for (const room of [0, 4096, 100_000]) {
          disk.leave(room)
          expectOneLine(await run('export', `${parent}/db`, `${disk.directory}/export.jsonl`), 'ENOSPC')
          expect(readdirSync(disk.directory)).toEqual(['ballast'])
        }
        disk.free()
        expect(await run('export', `${parent}/db`, `${disk.directory}/export.jsonl`)).toMatchObject({
          status: 0,
        })
        disk.leave(4096)
        const before = statSync(`${disk.directory}/export.jsonl`).size
        expectOneLine(await run('export', `${parent}/db`, `${disk.directory}/export.jsonl`, '--force'), 'ENOSPC')
        expect(statSync(`${disk.directory}/export.jsonl`).size, 'the export before it stays').toBe(before)
        expect(existsSync(`${disk.directory}/export.jsonl.partial`)).toBe(false)
        await expectVerifiedAt(`${parent}/db`, RECORDS)
      }),
    ))

  test('that fills up, an import says how many records are in, and they are', () =>
    withSmallDisk('tmpfs', disk =>
      withDirectory(async parent => {
        const lines = Array.from({ length: 20_000 }, (_, i) => ({ key: `key ${i}`, value: 'v'.repeat(300) }))
        writeFileSync(`${parent}/lines.jsonl`, lines.map(line => `${JSON.stringify(line)}\n`).join(''))
        disk.leave(5_000_000)
        const directory = `${disk.directory}/db`
        const outcome = await run('import', directory, `${parent}/lines.jsonl`)
        expectOneLine(outcome, 'XENON_FULL')
        const imported = Number(/; ([\d,]+) records were imported/.exec(outcome.stderr)?.[1]?.replaceAll(',', ''))
        expect(imported).toBeGreaterThan(1000)
        disk.free()
        const db = open(directory)
        const { records } = db.stats()
        // The batch that was refused may be there as a whole.
        expect([imported, imported + 1000]).toContain(records)
        for (const { key, value } of lines.slice(0, records)) expect(db.get(key)).toBe(value)
        await expectVerified(db, records)
        db.close()
      }),
    ))
})

function fill(directory: string): void {
  const db = open(directory, { durability: 'none' })
  for (let i = 0; i < RECORDS; i++) db.put(`key ${i}`, 'v'.repeat(100 + i))
  db.close()
}

function expectOneLine({ status, signal, stderr }: Outcome, code: string): void {
  expect({ status, signal }, stderr).toEqual({ status: 1, signal: null })
  expect(stderr).toMatch(/^xenondb: [^\n]+\n$/)
  expect(stderr).toContain(code)
}

async function expectVerifiedAt(directory: string, records: number): Promise<void> {
  const db = open(directory)
  await expectVerified(db, records)
  db.close()
}
