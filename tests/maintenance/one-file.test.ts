/** A backup that is one file: made on a live database, restored, and read by other tools. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Database, memoryStorage, open, restore } from '../../src/index.ts'
import { packed, withArchive } from '../../src/maintenance/tar.ts'
import type { File } from '../../src/storage/storage.ts'
import { expectVerified } from '../support/database.ts'
import { withDirectory } from '../support/directory.ts'
import { expectCodeAsync } from '../support/errors.ts'

const fill = (db: Database): void => {
  db.transaction(tx => {
    for (let i = 0; i < 2000; i++) tx.put(`key ${i}`, `${i}`.repeat(20))
  })
  db.put('large', 'x'.repeat(3_000_000))
  db.sub('sub', { valueEncoding: 'json' }).put('a', { b: [1, 2] })
}

const expectSame = async (db: Database, records: readonly (readonly [string, string])[]): Promise<void> => {
  expect([...db.entries()]).toEqual(records)
  expect(db.sub('sub', { valueEncoding: 'json' }).get('a')).toEqual({ b: [1, 2] })
  await expectVerified(db)
}

test('is restored to what the database was when it was begun, whatever is open and changes meanwhile', () =>
  withDirectory(async directory => {
    const db = open(join(directory, 'db'))
    fill(db)
    const records = [...db.entries()]
    const tx = db.begin()
    tx.put('key 1', 'not committed')
    const path = join(directory, 'db.tar')
    const backup = db.backup(path, { asFile: true, verify: true })
    db.put('later', 'x')
    const report = await backup
    expect(report).toEqual({ directory: path, bytes: readFileSync(path).length, records: 2001 })
    expect(readdirSync(directory).sort()).toEqual(['db', 'db.tar'])
    await expectCodeAsync(() => db.backup(path, { asFile: true }), 'XENON_EXISTS')
    await expectCodeAsync(() => db.backup(`${path}2`, { asFile: true, keep: 2 }), 'XENON_INVALID_ARGUMENT')
    tx.rollback()
    await expectVerified(db)
    db.close()
    const { from } = await restore(path, join(directory, 'restored'))
    expect(from).toBe(path)
    const restored = open(join(directory, 'restored'))
    await expectSame(restored, records)
    restored.close()
  }))

test('is unpacked by tar, and what tar has packed is restored', () =>
  withDirectory(async directory => {
    const db = open(join(directory, 'db'))
    fill(db)
    const records = [...db.entries()]
    await db.backup(join(directory, 'db.tar'), { asFile: true })
    await db.backup(join(directory, 'copy'))
    db.close()
    const tar = (...args: string[]): void => {
      const { status, stderr } = spawnSync('tar', args, { cwd: directory, encoding: 'utf8' })
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    }
    mkdirSync(join(directory, 'unpacked'))
    tar('-xf', 'db.tar', '-C', 'unpacked')
    tar('-cf', 'named.tar', 'copy')
    tar('-cf', 'unnamed.tar', '-C', 'copy', '.')
    for (const name of ['named', 'unnamed']) await restore(join(directory, `${name}.tar`), join(directory, name))
    for (const name of ['unpacked', 'named', 'unnamed']) {
      const again = open(join(directory, name))
      await expectSame(again, records)
      again.close()
    }
  }))

test('that is damaged, cut or something else is refused, and nothing is made of it', () =>
  withDirectory(async directory => {
    const db = open(join(directory, 'db'))
    fill(db)
    const path = join(directory, 'db.tar')
    await db.backup(path, { asFile: true })
    db.close()
    const whole = readFileSync(path)
    const damaged = Buffer.from(whole)
    damaged[100_000]! ^= 1
    const files: Record<string, Buffer> = {
      damaged,
      header: Buffer.from(whole.map((byte, i) => (i === 3 ? byte ^ 1 : byte))),
      cut: whole.subarray(0, 300_000),
      'cut short': whole.subarray(0, 100),
      empty: Buffer.alloc(0),
      'no archive': Buffer.alloc(5000, 'x'),
      'without a database': Buffer.alloc(1024),
    }
    for (const [name, bytes] of Object.entries(files)) {
      writeFileSync(path, bytes)
      await expectCodeAsync(() => restore(path, join(directory, name)), 'XENON_CORRUPT')
    }
    expect(readdirSync(directory).sort()).toEqual(['db', 'db.tar'])
    writeFileSync(path, whole)
    truncateSync(path, whole.length - 1024)
    await expectCodeAsync(() => restore(path, join(directory, 'without its end')), 'XENON_CORRUPT')
  }))

test('may be longer than its headers can say in digits', () => {
  const storage = memoryStorage()
  storage.makeDirectory('db/log')
  const size = 8 ** 11 + 513
  for (const path of ['db/data', 'db/log/00000000.log']) storage.open(path, { create: true }).close()
  // Of such a length, and without bytes that anybody keeps.
  const huge = { size: () => size, read: (_: Uint8Array, __: number, length: number) => length, close: () => {} }
  const real = storage.open
  storage.open = (path, options) => (path === 'db/data' ? (huge as unknown as File) : real.call(storage, path, options))
  const header = packed(storage, 'db').next().value as Uint8Array
  const archive = {
    size: () => 512 + size + 511 + 1024,
    read: (target: Uint8Array, offset: number, length: number, position: number) => {
      target.fill(0, offset, offset + length)
      if (position === 0) target.set(header.subarray(0, length), offset)
      return length
    },
  }
  const view = withArchive(memoryStorage(), 'a.tar', archive)
  expect(view.list('a.tar')).toEqual(['data', 'log'])
  expect(view.open('a.tar/data').size()).toBe(size)
})
