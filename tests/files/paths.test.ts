/** A path means the same for as long as the handle is open: whatever becomes of the working directory and of links. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readlinkSync, renameSync, rmSync, symlinkSync, unlinkSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { KeyvXenon } from '../../src/adapters/keyv/index.ts'
import { XenonLevel } from '../../src/adapters/level/index.ts'
import { convert, open, salvage } from '../../src/index.ts'
import { createServer } from '../../src/server/index.ts'
import { expectVerified } from '../support/database.ts'
import { withDirectory } from '../support/directory.ts'
import { expectCode, expectCodeAsync } from '../support/errors.ts'
import { differences, readImage } from '../support/image.ts'

const VALUE = 'v'.repeat(3000)
const OPTIONS = { durability: 'process', logSegmentBytes: 131_072 } as const
const dist = fileURLToPath(new URL('../../dist/index.js', import.meta.url))

/** Runs `body` with two directories, `here` and `there`, each with a database `db`; the process is in `here`. */
const withTwo = (body: (parent: string) => unknown): Promise<void> =>
  withDirectory(async parent => {
    const before = process.cwd()
    for (const name of ['here', 'there']) {
      const db = open(`${parent}/${name}/db`, OPTIONS)
      db.put(name, '1')
      db.close()
    }
    const theirs = readImage(`${parent}/there/db`)
    process.chdir(`${parent}/here`)
    try {
      await body(parent)
    } finally {
      process.chdir(before)
    }
    expect(differences(theirs, readImage(`${parent}/there/db`))).toEqual([])
    expect(readdirSync(`${parent}/there`)).toEqual(['db'])
  })

const expectRecords = async (directory: string, count: number): Promise<void> => {
  const db = open(directory, { createIfMissing: false })
  await expectVerified(db, count)
  db.close()
}

test('a handle opened by a relative path works on in its place after chdir', () =>
  withTwo(async parent => {
    const db = open('db', OPTIONS)
    expect(db.directory).toBe('db')
    process.chdir(`${parent}/there`)
    for (let i = 0; i < 200; i++) db.put(`key ${i}`, VALUE)
    await db.checkpoint()
    await db.compact()
    expect((await db.verify()).ok).toBe(true)
    expect(db.stats()).toMatchObject({ directory: 'db', records: 201 })
    db.close()
    await expectRecords(`${parent}/here/db`, 201)
  }))

test('what works on after its call, a backup or salvage, means the directory that it was called in', () =>
  withTwo(async parent => {
    const db = open('db', OPTIONS)
    for (let i = 0; i < 200; i++) db.put(`key ${i}`, VALUE)
    const copied = db.backup('copy')
    process.chdir(`${parent}/there`)
    await copied
    db.close()
    process.chdir(`${parent}/here`)
    const rescued = salvage('db', 'rescued')
    process.chdir(`${parent}/there`)
    await rescued
    process.chdir(`${parent}/here`)
    const converted = convert('db', { ordered: false })
    process.chdir(`${parent}/there`)
    await converted
    process.chdir(`${parent}/here`)
    const rebuilt = convert('db', { blockSize: 8192, ordered: true })
    process.chdir(`${parent}/there`)
    await rebuilt
    for (const name of ['db', 'copy', 'rescued']) await expectRecords(`${parent}/here/${name}`, 201)
  }))

test('Level, which opens later, and Keyv mean the directory that they were made in', () =>
  withTwo(async parent => {
    const level = new XenonLevel<string, string>('db')
    expect(level.location).toBe('db')
    process.chdir(`${parent}/there`)
    await level.put('level', '1')
    await level.close()
    await level.open()
    await level.put('again', '1')
    await level.close()
    process.chdir(`${parent}/here`)
    const keyv = new KeyvXenon('db')
    process.chdir(`${parent}/there`)
    for (let i = 0; i < 100; i++) await keyv.set(`key ${i}`, VALUE)
    await keyv.disconnect()
    await expectRecords(`${parent}/here/db`, 103)
  }))

test('a server means the directory that it was made in, for its socket and for backups', () =>
  withTwo(async parent => {
    const db = open('db', { valueEncoding: 'binary', keyEncoding: 'binary', storedEncoding: 'ignore' })
    const server = createServer(db, { socket: 'socket', backupDirectory: 'backups' })
    process.chdir(`${parent}/there`)
    await server.listen()
    expect(existsSync(`${parent}/here/socket`)).toBe(true)
    await server.close()
    expect(existsSync(`${parent}/here/socket`)).toBe(false)
    expect(server.settings.backupDirectory).toBe(`${parent}/here/backups`)
    db.close()
  }))

test('a working directory that was removed is a typed error that says what to do', () =>
  withDirectory(parent => {
    mkdirSync(`${parent}/gone`)
    const code = `
      const { open } = await import(${JSON.stringify(dist)})
      process.chdir(${JSON.stringify(`${parent}/gone`)})
      ;(await import('node:fs')).rmdirSync(${JSON.stringify(`${parent}/gone`)})
      try { open('db') } catch (error) { console.log(error.code, error.message) }`
    const said = execFileSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' })
    expect(said).toMatch(/^XENON_IO cannot resolve db: .*give an absolute path\n$/)
  }))

test('a symbolic link to a directory is a directory: of the database, of its parents, of a target', () =>
  withDirectory(async parent => {
    mkdirSync(`${parent}/disk/real`, { recursive: true })
    symlinkSync(`${parent}/disk`, `${parent}/link`)
    symlinkSync('disk/real', `${parent}/db`)
    const db = open(`${parent}/db`, OPTIONS)
    expect(readlinkSync(`${parent}/db`)).toBe('disk/real')
    for (let i = 0; i < 100; i++) db.put(`key ${i}`, VALUE)
    for (const name of [`${parent}/disk/real`, `${parent}/link/real`, `${parent}/link/real/../real`])
      expectCode(() => open(name), 'XENON_LOCKED')
    // The handle has the directory, not the link.
    unlinkSync(`${parent}/db`)
    mkdirSync(`${parent}/empty`)
    symlinkSync(`${parent}/empty`, `${parent}/db`)
    for (let i = 0; i < 100; i++) db.put(`more ${i}`, VALUE)
    await db.backup(`${parent}/db`)
    await db.checkpoint()
    db.close()
    await expectRecords(`${parent}/link/real`, 200)
    await expectRecords(`${parent}/empty`, 200)
    open(`${parent}/link/below/new`).close()
    expect(readdirSync(`${parent}/disk/below/new`).sort()).toEqual(['data', 'log'])
    // Behind a link, `..` leads to the parent of what it leads to, as everywhere.
    open(`${parent}/db/../beside`).close()
    expect(existsSync(`${parent}/beside/data`)).toBe(true)
    open(`${parent}/link/real/../beside`).close()
    expect(existsSync(`${parent}/disk/beside/data`)).toBe(true)
  }))

test('links as files stay refused: a link that leads nowhere, data, a segment, the log', () =>
  withDirectory(parent => {
    symlinkSync('nowhere', `${parent}/dangling`)
    expectCode(() => open(`${parent}/dangling`), 'XENON_INVALID_ARGUMENT')
    expect(existsSync(`${parent}/nowhere`)).toBe(false)
    for (const name of ['data', 'log', 'log/00000000.log']) {
      const directory = `${parent}/${name.replaceAll('/', '-')}`
      open(directory).close()
      renameSync(`${directory}/${name}`, `${directory}-aside`)
      symlinkSync(`${directory}-aside`, `${directory}/${name}`)
      const error = expectCode(() => open(directory), 'XENON_CORRUPT')
      expect(error.message).toContain('symbolic link')
      unlinkSync(`${directory}/${name}`)
      renameSync(`${directory}-aside`, `${directory}/${name}`)
      open(directory).close()
    }
    // A log that is a link is not created through either.
    mkdirSync(`${parent}/new`)
    mkdirSync(`${parent}/elsewhere`)
    symlinkSync(`${parent}/elsewhere`, `${parent}/new/log`)
    expectCode(() => open(`${parent}/new`), 'XENON_CORRUPT')
    expect(readdirSync(`${parent}/elsewhere`)).toEqual([])
  }))

test('a backup, or a rescue, into the database itself is refused whatever the path says', () =>
  withDirectory(async parent => {
    const db = open(`${parent}/db`, OPTIONS)
    db.put('a', '1')
    symlinkSync(`${parent}/db`, `${parent}/link`)
    symlinkSync(`${parent}/db/log`, `${parent}/to-log`)
    mkdirSync(`${parent}/far/away`, { recursive: true })
    symlinkSync(`${parent}/db/log`, `${parent}/far/away/down`)
    const targets = [
      `${parent}/db/copy`,
      `${parent}/db/./x/../copy/deep`,
      `${parent}/other/../db/copy`,
      `${parent}/link/copy`,
      `${parent}/to-log/copy`,
      `${parent}/far/away/down/../copy`,
    ]
    for (const target of targets) await expectCodeAsync(() => db.backup(target), 'XENON_INVALID_ARGUMENT')
    expect(readdirSync(`${parent}/db`).sort()).toEqual(['data', 'lock', 'log'])
    await db.backup(`${parent}/far/away/down/../../../../far/copy`).catch(() => {})
    db.close()
    for (const target of targets) await expectCodeAsync(() => salvage(`${parent}/db`, target), 'XENON_INVALID_ARGUMENT')
    await expectRecords(`${parent}/db`, 1)
  }))

test('a target that is replaced while a copy is made is left alone', () =>
  withDirectory(async parent => {
    const db = open(`${parent}/db`, OPTIONS)
    for (let i = 0; i < 1000; i++) db.put(`key ${i}`, VALUE)
    let before: ReturnType<typeof readImage> | undefined
    const copying = db.backup(`${parent}/copy`, {
      onProgress: () => {
        if (before !== undefined) return
        renameSync(`${parent}/copy`, `${parent}/aside`)
        const other = open(`${parent}/copy`, OPTIONS)
        other.put('other', '1')
        other.close()
        before = readImage(`${parent}/copy`)
      },
    })
    await expectCodeAsync(() => copying, 'XENON_MOVED')
    expect(differences(before!, readImage(`${parent}/copy`))).toEqual([])
    // The database itself is well.
    await expectVerified(db, 1000)
    db.close()
    let exchanged = false
    await expectCodeAsync(
      () =>
        salvage(`${parent}/db`, `${parent}/rescued`, {
          onProgress: ({ phase }) => {
            if (exchanged || phase === 'read') return
            exchanged = true
            renameSync(`${parent}/rescued`, `${parent}/half`)
            open(`${parent}/rescued`, OPTIONS).close()
            before = readImage(`${parent}/rescued`)
          },
        }),
      'XENON_MOVED',
    )
    expect(differences(before!, readImage(`${parent}/rescued`))).toEqual([])
    rmSync(`${parent}/half`, { recursive: true })
  }))

test('commands take relative paths and links', () =>
  withTwo(async parent => {
    symlinkSync('db', `${parent}/here/link`)
    const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
    const run = (...args: string[]): string => execFileSync(process.execPath, [main, ...args], { encoding: 'utf8' })
    run('put', 'link', 'a', '1')
    expect(run('get', 'db', 'a')).toBe('1')
    expect(() => execFileSync(process.execPath, [main, 'backup', 'db', 'link/x'], { stdio: 'pipe' })).toThrow(
      'XENON_INVALID_ARGUMENT',
    )
    run('backup', 'link', 'copy')
    await expectRecords(`${parent}/here/copy`, 2)
  }))
