import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { open } from '../../src/index.ts'
import { withDirectory } from '../support/directory.ts'
import { run } from './run.ts'

function fill(directory: string, records: number): void {
  const db = open(directory)
  db.transaction(tx => {
    for (let i = 0; i < records; i++) tx.put(`key-${i}`, `value ${i}`.repeat(10))
  })
  db.close()
}

test('stats shows records and blocks by kind', () =>
  withDirectory(async parent => {
    fill(`${parent}/db`, 3_000)
    const { status, stdout, stderr } = await run('stats', `${parent}/db`)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toMatch(/records +3,000/)
    expect(stdout).toMatch(/hash index +101 .*█/)
    expect(stdout).toMatch(/trees +[\d,]+ .*█/)
    expect(stdout).toMatch(/ordered +yes/)
    expect(stdout).not.toContain('\u001b')
    expect((await run('stats', `${parent}/db`, '--quick')).stdout).not.toContain('hash index')
  }))

test('stats --json adds up', () =>
  withDirectory(async parent => {
    fill(`${parent}/db`, 3_000)
    const { records, blocks, blockSize } = JSON.parse((await run('stats', `${parent}/db`, '--json')).stdout)
    expect({ records, blockSize, index: blocks.index }).toEqual({
      records: 3_000,
      blockSize: 4096,
      index: 101,
    })
    const { total, ...kinds } = blocks
    expect(Object.values<number>(kinds).reduce((sum, count) => sum + count)).toBe(total)
  }))

test('verify reports a sound database with status 0', () =>
  withDirectory(async parent => {
    fill(`${parent}/db`, 3_000)
    const readable = await run('verify', `${parent}/db`)
    expect(readable).toMatchObject({ status: 0, stderr: '' })
    expect(readable.stdout).toContain('ok: no problems')
    const { stdout } = await run('verify', `${parent}/db`, '--json')
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, problems: [], records: 3_000 })
  }))

test('verify finds a damaged block and ends with status 1', () =>
  withDirectory(async parent => {
    fill(`${parent}/db`, 3_000)
    const file = `${parent}/db/data`
    expect(existsSync(file), `the database has ${readdirSync(`${parent}/db`)}`).toBe(true)
    const bytes = readFileSync(file)
    const middle = 50 * 4096 + 2048
    bytes[middle] = bytes[middle]! ^ 0x10
    writeFileSync(file, bytes)
    const readable = await run('verify', `${parent}/db`)
    expect(readable.status).toBe(1)
    expect(readable.stdout + readable.stderr).toMatch(/block 50\b/)
    const json = await run('verify', `${parent}/db`, '--json')
    expect(json.status).toBe(1)
    expect(JSON.parse(json.stdout)).toMatchObject({ ok: false })
  }))

test('sub-databases are in stats, verify and salvage, each by its name', () =>
  withDirectory(async parent => {
    fill(`${parent}/db`, 300)
    const db = open(`${parent}/db`)
    const users = db.sub('users')
    for (let i = 0; i < 200; i++) users.put(`user ${i}`, 'x')
    users.sub('mails').put('key', 'L'.repeat(20_000))
    for (let i = 0; i < 30; i++) db.sub('many').sub(`sub ${i}`)
    db.close()
    const stats = await run('stats', `${parent}/db`)
    expect(stats.stdout).toMatch(/sub-databases and indexes +33, with 201 records/)
    expect((await run('stats', `${parent}/db`, '--quick')).stdout).toMatch(/sub-databases and indexes +33\n/)
    expect(JSON.parse((await run('stats', `${parent}/db`, '--json')).stdout).spaces.records.length).toBe(33)
    const verify = await run('verify', `${parent}/db`)
    expect(verify.status).toBe(0)
    expect(verify.stdout).toMatch(/records +300\n/)
    expect(verify.stdout).toMatch(/in users +200\n/)
    expect(verify.stdout).toMatch(/in users \/ mails +1\n/)
    expect(verify.stdout).toMatch(/in 13 other sub-databases +0\n/)
    const salvage = await run('salvage', `${parent}/db`, `${parent}/new`)
    expect(salvage.status).toBe(0)
    expect(salvage.stdout).toMatch(/users +200 records/)
    expect(salvage.stdout).toContain('complete: nothing was lost')
    const backup = await run('backup', `${parent}/db`, `${parent}/copy`)
    expect(backup.status).toBe(0)
    expect((await run('compact', `${parent}/copy`)).status).toBe(0)
    const copy = open(`${parent}/copy`)
    expect([copy.sub('users').count(), copy.sub('users').sub('mails').count()]).toEqual([200, 1])
    copy.close()
  }))
