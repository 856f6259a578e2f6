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

/** A header of a file, with a sum that is right. */
const header = (name: string, size: string): Buffer => {
  const bytes = Buffer.alloc(512)
  for (const [at, text] of [
    [0, name],
    [124, `${size}\0`],
    [148, '        '],
    [156, '0'],
    [257, 'ustar\x0000'],
  ] as const)
    bytes.write(text, at)
  bytes.write(
    `${bytes
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
  )
  return bytes
}

test('with a size below zero is refused, and not read for ever', () =>
  withDirectory(async directory => {
    const path = join(directory, 'db.tar')
    for (const size of ['-0000001000', '-0000002000', '7z', '0x10']) {
      writeFileSync(path, Buffer.concat([header('data', size), Buffer.alloc(1024)]))
      await expectCodeAsync(() => restore(path, join(directory, 'db')), 'XENON_CORRUPT')
    }
  }))

test('with names that lead out of it stands for no file but its own', () =>
  withDirectory(async directory => {
    const db = open(join(directory, 'db'))
    fill(db)
    const records = [...db.entries()]
    const path = join(directory, 'db.tar')
    await db.backup(path, { asFile: true })
    db.close()
    const evil = (name: string): Buffer[] => [header(name, '00000000004'), Buffer.concat([Buffer.from('evil')], 512)]
    const names = [
      '../new/data',
      '../new.restoring/data.new',
      '/data.new',
      'log/..',
      'log/../../new/data',
      'log/',
      'log/a/b',
    ]
    writeFileSync(path, Buffer.concat([...names.flatMap(evil), readFileSync(path)]))
    await restore(path, join(directory, 'new'))
    const again = open(join(directory, 'new'))
    await expectSame(again, records)
    again.close()
    expect(readdirSync(directory).sort()).toEqual(['db', 'db.tar', 'new'])
  }))

test('is built where nobody else has a file, and says what an interrupted one has left', () =>
  withDirectory(async directory => {
    const db = open(join(directory, 'db'))
    fill(db)
    const path = join(directory, 'db.tar')
    writeFileSync(`${path}.new`, 'of somebody else')
    const both = await Promise.allSettled([db.backup(path, { asFile: true }), db.backup(path, { asFile: true })])
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
    expect(readdirSync(directory).sort()).toEqual(['db', 'db.tar', 'db.tar.new'])
    expect(readFileSync(`${path}.new`, 'utf8')).toBe('of somebody else')
    // A file that comes there while the archive is written is not replaced.
    const late = join(directory, 'late.tar')
    const backup = db.backup(late, { asFile: true })
    writeFileSync(late, 'of somebody else')
    await expectCodeAsync(() => backup, 'XENON_EXISTS')
    expect(readFileSync(late, 'utf8')).toBe('of somebody else')
    expect(readdirSync(directory).sort()).toEqual(['db', 'db.tar', 'db.tar.new', 'late.tar'])
    mkdirSync(join(directory, 'again.tar.parts'))
    writeFileSync(join(directory, 'again.tar.parts/data.new'), '')
    const left = db.backup(join(directory, 'again.tar'), { asFile: true })
    await expect(left).rejects.toThrow(/again\.tar\.parts exists.*remove it if none is/)
    await expectVerified(db)
    db.close()
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
