/** backup(dir, { keep }): dated folders, whole ones alone counted, nothing removed that is not ours. */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { type Database, memoryStorage, open, type Storage } from '../../src/index.ts'
import { expectVerified, withDatabase, withMemoryDatabase } from '../support/database.ts'
import { withDirectory } from '../support/directory.ts'
import { expectCodeAsync } from '../support/errors.ts'

/** A storage in memory whose clock stands where it is told to. */
const clocked = (): { storage: Storage; set(time: string): void } => {
  let now = Date.parse('2026-11-30T02:15:52.700Z')
  const storage = Object.assign(memoryStorage(), { now: () => now })
  return {
    storage,
    set(time) {
      now = Date.parse(time)
    },
  }
}

const recordsOf = async (path: string, storage?: Storage): Promise<string[]> => {
  const db = open(path, { ...(storage && { storage }), createIfMissing: false })
  const found = [...db.keys()]
  await expectVerified(db)
  db.close()
  return found
}

test('each backup gets a folder with its time, of which the newest are kept', async () => {
  const { storage, set } = clocked()
  await withMemoryDatabase({ storage }, async ({ db }) => {
    db.put('first', '1')
    const first = await db.backup('backups', { keep: 3 })
    expect(first).toEqual({
      directory: 'backups/2026-11-30T02-15-52Z',
      bytes: expect.any(Number),
      records: 1,
      kept: ['2026-11-30T02-15-52Z'],
      removed: [],
    })
    db.put('second', '2')
    expect((await db.backup('backups', { keep: 3 })).directory).toBe('backups/2026-11-30T02-15-52Z-2')
    set('2026-12-01T02:00:00Z')
    await db.backup('backups', { keep: 3, verify: true })
    set('2026-12-02T02:00:00Z')
    const { kept, removed } = await db.backup('backups', { keep: 2 })
    expect(kept).toEqual(['2026-12-02T02-00-00Z', '2026-12-01T02-00-00Z'])
    expect(removed).toEqual(['2026-11-30T02-15-52Z-2', '2026-11-30T02-15-52Z'])
    expect(storage.list('backups').sort()).toEqual([...kept!].reverse())
    for (const name of kept!) expect(await recordsOf(`backups/${name}`, storage)).toEqual(['first', 'second'])
    // The clock was set back: what is newer still sorts as newer.
    set('2026-11-01T00:00:00Z')
    db.put('third', '3')
    const late = await db.backup('backups', { keep: 2 })
    expect(late.directory).toBe('backups/2026-12-02T02-00-00Z-2')
    expect(late.kept).toEqual(['2026-12-02T02-00-00Z-2', '2026-12-02T02-00-00Z'])
    for (let i = 0; i < 10; i++) await db.backup('backups', { keep: 2 })
    expect(storage.list('backups').sort()).toEqual(['2026-12-02T02-00-00Z-11', '2026-12-02T02-00-00Z-12'])
  })
})

test('two at once, into one directory, both become backups', () =>
  withDatabase({}, async ({ db, directory }) => {
    db.put('a', '1')
    const all = await Promise.all([1, 2, 3].map(() => db.backup(`${directory}-backups`, { keep: 5 })))
    expect(new Set(all.map(report => report.directory)).size).toBe(3)
    const names = readdirSync(`${directory}-backups`)
    expect(names).toHaveLength(3)
    for (const name of names) {
      expect(readdirSync(`${directory}-backups/${name}`).sort()).toEqual(['data', 'log'])
      expect(await recordsOf(`${directory}-backups/${name}`)).toEqual(['a'])
    }
  }))

test('a leftover of a removal that a kill cut off goes, whatever had been made in the backup when somebody opened it', async () => {
  await withDirectory(async parent => {
    const [directory, backups] = [`${parent}/db`, `${parent}/backups`]
    const db = open(directory)
    db.put('key', 'value')
    const { directory: first } = await db.backup(backups, { keep: 1 })
    const used = open(first)
    for (let i = 0; i < 200; i++) used.put(`key ${i}`, 'value'.repeat(100))
    await used.checkpoint()
    used.close()
    expect(readdirSync(`${first}/log`)).toContain('reserve')
    // As it stands when its data file is gone, and the process with it; the log file may be gone as well.
    renameSync(first, `${first}.partial`)
    rmSync(`${first}.partial/data`)
    for (const name of ['reserve', 'images-0']) writeFileSync(`${first}.partial/log/${name}`, 'no name of a database')
    const { kept } = await db.backup(backups, { keep: 1 })
    expect(readdirSync(backups)).toEqual(kept)
    await expectVerified(db)
    db.close()
  })
})

test('the backup of another database that is completed while this one looks at it is no leftover', async () => {
  const { storage } = clocked()
  const other = open('other', { storage })
  let completing = false
  const looking = Object.assign(Object.create(storage) as Storage, {
    open: (...given: Parameters<Storage['open']>) => {
      const [path, { readOnly = false } = {}] = given
      if (readOnly && path.endsWith('.partial/data.new')) {
        completing = true
        storage.rename(path, path.replace('data.new', 'data'))
      }
      return storage.open(...given)
    },
  })
  const db = open('db', { storage: looking })
  db.put('key', 'value')
  await other.backup('backups/2026-11-30T01-00-00Z.partial')
  storage.rename('backups/2026-11-30T01-00-00Z.partial/data', 'backups/2026-11-30T01-00-00Z.partial/data.new')
  const { directory } = await db.backup('backups', { keep: 1 })
  expect(completing).toBe(true)
  expect(await recordsOf(directory, storage)).toEqual(['key'])
  expect(storage.kind('backups/2026-11-30T01-00-00Z.partial/data')).toBe('file')
  for (const each of [db, other]) {
    await expectVerified(each)
    each.close()
  }
})

test('what is not a backup of this database is left alone, and does not count', () =>
  withDatabase({}, async ({ db, directory }) => {
    const other = open(`${directory}-other`)
    other.put('of another', '1')
    db.put('a', '1')
    const backups = `${directory}-backups`
    const old = (await db.backup(backups, { keep: 9 })).directory
    const foreign = (await other.backup(backups, { keep: 1 })).directory
    const withNotes = (await db.backup(backups, { keep: 9 })).directory
    writeFileSync(`${withNotes}/notes.txt`, 'the state before the great mistake')
    for (const name of ['2001-01-01T00-00-00Z', '2001-01-01T00-00-00Z.partial', '2002-02-02T00-00-00Z.partial/log'])
      mkdirSync(`${backups}/${name}`, { recursive: true })
    writeFileSync(`${backups}/2001-01-01T00-00-00Z/data`, 'not a database')
    writeFileSync(`${backups}/2001-01-01T00-00-00Z.partial/notes.txt`, 'mine')
    writeFileSync(`${backups}/2002-02-02T00-00-00Z.partial/log/00000001.log`, 'x'.repeat(600))
    writeFileSync(`${backups}/2003-03-03T00-00-00Z`, 'a file')
    mkdirSync(`${backups}/photos`)
    symlinkSync(foreign, `${backups}/2000-01-01T00-00-00Z`)
    const before = readdirSync(backups).sort()
    const { directory: newest, kept, removed } = await db.backup(backups, { keep: 1 })
    const name = (path: string): string => path.slice(backups.length + 1)
    expect(kept).toEqual([name(newest)])
    expect(removed).toEqual([name(old)])
    expect(readdirSync(backups).sort()).toEqual([...before.filter(entry => entry !== name(old)), name(newest)].sort())
    expect(existsSync(`${withNotes}/data`)).toBe(true)
    expect(await recordsOf(foreign)).toEqual(['of another'])
    other.close()
  }))

test('a backup that somebody has open is removed the next time', () =>
  withDatabase({}, async ({ db, directory }) => {
    db.put('a', '1')
    const backups = `${directory}-backups`
    const first = (await db.backup(backups, { keep: 1 })).directory
    const reader = open(first)
    const second = await db.backup(backups, { keep: 1 })
    expect(second.removed).toEqual([])
    expect(second.kept).toHaveLength(2)
    expect(reader.get('a')).toBe('1')
    await expectVerified(reader)
    reader.close()
    expect((await db.backup(backups, { keep: 1 })).removed).toHaveLength(2)
    expect(readdirSync(backups)).toHaveLength(1)
  }))

test('a backup that fails leaves nothing, and those before it stay', () =>
  withMemoryDatabase({ storage: memoryStorage() }, async ({ db, options }) => {
    const storage = options.storage!
    for (let i = 0; i < 3000; i++) db.put(`key ${i}`, 'x'.repeat(600))
    const { directory } = await db.backup('backups', { keep: 1 })
    for (const when of [0.2, 0.9]) {
      const stopped = db.backup('backups', {
        keep: 1,
        verify: true,
        onProgress: ({ done, total }) => {
          if (done > when * total) throw new Error('enough')
        },
      })
      await expect(stopped).rejects.toThrow('enough')
      expect(storage.list('backups').map(name => `backups/${name}`)).toEqual([directory])
    }
  }))

test('a copy that does not verify does not count', () =>
  withMemoryDatabase({ storage: memoryStorage() }, async ({ db, options }) => {
    const storage = options.storage!
    for (let i = 0; i < 500; i++) db.put(`key ${i}`, 'x'.repeat(100))
    const openFile = storage.open
    // The disk with the backups loses what is written behind block 0.
    storage.open = (path, how) => {
      const file = openFile(path, how)
      if (!path.endsWith('data.new')) return file
      const { writeMany } = file
      file.writeMany = (parts, position) =>
        writeMany.call(file, position < 8192 ? parts.map(part => part.map(byte => byte ^ 1)) : parts, position)
      return file
    }
    await expectCodeAsync(() => db.backup('backups', { keep: 1, verify: true }), 'XENON_CORRUPT')
    expect(storage.list('backups')).toEqual([])
    await expectCodeAsync(() => db.backup('single', { verify: true }), 'XENON_CORRUPT')
    expect(() => open('single', { storage, createIfMissing: false })).toThrow('no database')
    storage.open = openFile
    expect((await db.backup('backups', { keep: 1, verify: true })).records).toBe(500)
  }))

test('wrong arguments and wrong places are refused before anything is made', () =>
  withDatabase({}, async ({ db, directory }) => {
    db.put('a', '1')
    for (const keep of [0, -1, 1.5, Number.NaN, '3', Number.POSITIVE_INFINITY, null])
      await expectCodeAsync(() => db.backup(`${directory}-no`, { keep: keep as never }), 'XENON_INVALID_ARGUMENT')
    await expectCodeAsync(() => db.backup(`${directory}-no`, { verify: 1 as never }), 'XENON_INVALID_ARGUMENT')
    symlinkSync(directory, `${directory}-link`)
    for (const inside of [directory, `${directory}/log`, `${directory}/new`, `${directory}-link/new`])
      await expectCodeAsync(() => db.backup(inside, { keep: 1 }), 'XENON_INVALID_ARGUMENT')
    writeFileSync(`${directory}-file`, '')
    await expectCodeAsync(() => db.backup(`${directory}-file`, { keep: 1 }), 'XENON_EXISTS')
    const { directory: single } = await db.backup(`${directory}-single`)
    await expectCodeAsync(() => db.backup(single, { keep: 1 }), 'XENON_EXISTS')
    expect(existsSync(`${directory}-no`)).toBe(false)
    expect(readdirSync(directory).sort()).toEqual(['data', 'lock', 'log'])
  }))

test('a directory that is replaced while a backup runs: the new one is not touched', () =>
  withDatabase({}, async ({ db, directory }) => {
    const fill = (to: Database): void => {
      for (let i = 0; i < 3000; i++) to.put(`key ${i}`, 'x'.repeat(600))
    }
    fill(db)
    const backups = `${directory}-backups`
    let replaced = false
    const moved = db.backup(backups, {
      keep: 1,
      onProgress: () => {
        if (replaced) return
        replaced = true
        const [name] = readdirSync(backups)
        renameSync(`${backups}/${name}`, `${backups}-away`)
        mkdirSync(`${backups}/${name}/log`, { recursive: true })
        writeFileSync(`${backups}/${name}/data.new`, 'not ours')
      },
    })
    await expectCodeAsync(() => moved, 'XENON_MOVED')
    const [name] = readdirSync(backups)
    expect(readdirSync(`${backups}/${name}`).sort()).toEqual(['data.new', 'log'])
    expect(replaced).toBe(true)
  }))
