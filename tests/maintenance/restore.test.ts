/** restore(): from a backup of any sort, verified, whole or not at all; what stands there is safe until the end. */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { describe, expect, test } from 'vitest'
import { memoryStorage, open, restore, type Storage } from '../../src/index.ts'
import { expectVerified, withDatabase, withMemoryDatabase } from '../support/database.ts'
import { expectCode, expectCodeAsync } from '../support/errors.ts'

const recordsOf = async (path: string, storage?: Storage): Promise<[string, string][]> => {
  const db = open(path, { ...(storage && { storage }), createIfMissing: false })
  const found = [...db.entries()]
  await expectVerified(db)
  db.close()
  return found
}

/** A signal that is aborted in the next turn of the event loop. */
const abortedLater = (): AbortSignal => {
  const controller = new AbortController()
  setImmediate(() => controller.abort())
  return controller.signal
}

/** Every file below a directory, with its bytes. */
const filesOf = (directory: string): Map<string, string> =>
  new Map(
    readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter(entry => entry.isFile() && entry.name !== 'lock')
      .map(entry => {
        const path = `${entry.parentPath}/${entry.name}`
        return [path.slice(directory.length), readFileSync(path, 'latin1')]
      }),
  )

test('a single backup, a directory of dated ones (the newest, or one by its name)', () =>
  withDatabase({}, async ({ db, directory }) => {
    const names: string[] = []
    for (const value of ['1', '2', '3']) {
      db.put('a', value)
      db.sub('users').put('ada', value)
      const { directory: where } = await db.backup(`${directory}-backups`, { keep: 5 })
      names.push(where.slice(`${directory}-backups/`.length))
    }
    await db.backup(`${directory}-single`)
    const target = `${directory}-restored/deep/it`
    const phases = new Set<string>()
    const report = await restore(`${directory}-backups`, target, { onProgress: ({ phase }) => void phases.add(phase) })
    expect(report).toMatchObject({
      from: `${directory}-backups/${names[2]}`,
      directory: target,
      records: 1,
      left: undefined,
    })
    expect([...phases]).toEqual(['copy', 'verify'])
    expect(readdirSync(`${directory}-restored/deep`)).toEqual(['it'])
    expect(readdirSync(target).sort()).toEqual(['data', 'log'])
    expect(await recordsOf(target)).toEqual([['a', '3']])
    const again = open(target)
    expect(again.sub('users').get('ada')).toBe('3')
    expect(again.stats().uuid).toBe(db.stats().uuid)
    // Its backups count with those that were there.
    expect((await again.backup(`${directory}-backups`, { keep: 2 })).removed).toHaveLength(2)
    again.close()
    await restore(`${directory}-backups`, `${directory}-b`, { at: names[2]! })
    expect(await recordsOf(`${directory}-b`)).toEqual([['a', '3']])
    await restore(`${directory}-single`, `${directory}-c`, { verify: false })
    expect(await recordsOf(`${directory}-c`)).toEqual([['a', '3']])
    mkdirSync(`${directory}-empty`)
    await restore(`${directory}-single`, `${directory}-empty`)
    expect(await recordsOf(`${directory}-empty`)).toEqual([['a', '3']])
  }))

test('in memory, and of a database that was copied without being closed', () =>
  withDatabase({}, async ({ db, directory }) => {
    for (let i = 0; i < 500; i++) db.put(`key ${i}`, `value ${i}`)
    const tx = db.begin()
    tx.put('never', 'committed')
    // As a snapshot of the file system would have it.
    cpSync(directory, `${directory}-snapshot`, { recursive: true, filter: path => !path.endsWith('/lock') })
    tx.rollback()
    const before = filesOf(`${directory}-snapshot`)
    const { records } = await restore(`${directory}-snapshot`, `${directory}-restored`)
    expect(records).toBe(500)
    expect(await recordsOf(`${directory}-restored`)).toHaveLength(500)
    expect(filesOf(`${directory}-snapshot`)).toEqual(before)
    await withMemoryDatabase({ storage: memoryStorage() }, async subject => {
      const storage = subject.options.storage!
      subject.db.put('a', '1')
      await subject.db.backup('backups', { keep: 2 })
      subject.db.put('a', '2')
      await expectCodeAsync(() => restore('backups', 'db', { storage, overwrite: true }), 'XENON_LOCKED')
      subject.db.close()
      await restore('backups', 'db', { storage, overwrite: true })
      expect(await recordsOf('db', storage)).toEqual([['a', '1']])
      expect(storage.list('.').sort()).toEqual(['backups', 'db'])
    })
  }))

test('a database that stands there is refused, unless it is to be overwritten; an open one always', () =>
  withDatabase({}, async ({ db, directory, reopen }) => {
    db.put('a', 'backed up')
    const { directory: copy } = await db.backup(`${directory}-backups`, { keep: 2 })
    db.put('a', 'newer')
    await expectCodeAsync(() => restore(copy, directory, { overwrite: true }), 'XENON_LOCKED')
    expect(db.get('a')).toBe('newer')
    db.close()
    await expectCodeAsync(() => restore(copy, directory), 'XENON_EXISTS')
    expect(await recordsOf(directory)).toEqual([['a', 'newer']])
    writeFileSync(`${directory}/notes.txt`, 'mine')
    const report = await restore(copy, directory, { overwrite: true })
    expect(report.left).toBe(`${directory}.replaced`)
    expect(readdirSync(`${directory}.replaced`)).toEqual(['notes.txt'])
    expect(await recordsOf(directory)).toEqual([['a', 'backed up']])
    // What is left of it is in the way of the next one, and is not lost.
    await expectCodeAsync(() => restore(copy, directory, { overwrite: true }), 'XENON_EXISTS')
    expect(readFileSync(`${directory}.replaced/notes.txt`, 'utf8')).toBe('mine')
    // The handle of old refuses to go on in what stands there now.
    const old = reopen()
    expect(old.get('a')).toBe('backed up')
  }))

test('a damaged backup replaces nothing', () =>
  withDatabase({}, async ({ db, directory }) => {
    for (let i = 0; i < 600; i++) db.put(`key ${i}`, `value ${i}`)
    const { directory: copy } = await db.backup(`${directory}-copy`)
    db.close()
    const bytes = readFileSync(`${copy}/data`)
    bytes[40 * 4096 + 100]! ^= 1
    writeFileSync(`${copy}/data`, bytes)
    const before = filesOf(directory)
    const error = await restore(copy, directory, { overwrite: true }).catch((thrown: Error) => thrown)
    expect((error as { code?: string }).code).toBe('XENON_CORRUPT')
    expect((error as Error).message).toContain('was not restored')
    expect(filesOf(directory)).toEqual(before)
    await expectCodeAsync(() => restore(copy, `${directory}-new`), 'XENON_CORRUPT')
    expect(existsSync(`${directory}-new`)).toBe(false)
    expect(existsSync(`${directory}-new.restoring`)).toBe(false)
    writeFileSync(`${copy}/data`, bytes.subarray(0, 100))
    await expectCodeAsync(() => restore(copy, `${directory}-new`), 'XENON_CORRUPT')
    expect(readdirSync(`${directory}/..`).filter(name => /restoring|replaced/.test(name))).toEqual([])
  }))

test('an abort at any point leaves everything as it was', () =>
  withDatabase({}, async ({ db, directory }) => {
    for (let i = 0; i < 1000; i++) db.put(`key ${i}`, 'x'.repeat(500))
    const { directory: copy } = await db.backup(`${directory}-copy`)
    db.close()
    const before = filesOf(directory)
    for (const phase of ['copy', 'verify']) {
      const controller = new AbortController()
      const onProgress = (progress: { phase: string }): void => {
        if (progress.phase === phase) controller.abort(new Error('stop'))
      }
      const { signal } = controller
      await expect(restore(copy, directory, { overwrite: true, signal, onProgress })).rejects.toThrow('stop')
      expect(filesOf(directory)).toEqual(before)
    }
    await expect(restore(copy, directory, { overwrite: true, signal: AbortSignal.abort() })).rejects.toThrow('abort')
    const thrown = restore(copy, directory, {
      overwrite: true,
      onProgress: () => {
        throw new Error('a bug')
      },
    })
    await expect(thrown).rejects.toThrow('a bug')
    expect(filesOf(directory)).toEqual(before)
    expect(readdirSync(`${directory}/..`).sort()).toEqual(['db', 'db-copy'])
  }))

describe('what is refused', () => {
  test('places in one another, files, directories with other things, wrong names and options', () =>
    withDatabase({}, async ({ db, directory }) => {
      db.put('a', '1')
      const backups = `${directory}-backups`
      const { directory: copy } = await db.backup(backups, { keep: 2 })
      db.close()
      const other = open(`${directory}-other`)
      await other.backup(backups, { keep: 2 })
      other.close()
      symlinkSync(copy, `${directory}-link`)
      for (const inside of [copy, `${copy}/log`, `${copy}/new`, `${directory}-link`, `${directory}-link/new`])
        await expectCodeAsync(() => restore(copy, inside, { overwrite: true }), 'XENON_INVALID_ARGUMENT')
      // A backup inside the database that it would replace.
      cpSync(copy, `${directory}/copy`, { recursive: true })
      await expectCodeAsync(
        () => restore(`${directory}/copy`, directory, { overwrite: true }),
        'XENON_INVALID_ARGUMENT',
      )
      await expectCodeAsync(() => restore(backups, `${directory}-new`), 'XENON_INVALID_ARGUMENT')
      await expectCodeAsync(() => restore(backups, `${directory}-new`, { at: '../x' }), 'XENON_NOT_FOUND')
      await expectCodeAsync(() => restore(copy, `${directory}-new`, { at: 'x' }), 'XENON_INVALID_ARGUMENT')
      await expectCodeAsync(() => restore(`${directory}-none`, `${directory}-new`), 'XENON_NOT_FOUND')
      await expectCodeAsync(() => restore(`${copy}/data`, `${directory}-new`), 'XENON_CORRUPT')
      mkdirSync(`${directory}-photos`)
      await expectCodeAsync(() => restore(`${directory}-photos`, `${directory}-new`), 'XENON_NOT_FOUND')
      writeFileSync(`${directory}-photos/sea.jpg`, '')
      await expectCodeAsync(() => restore(copy, `${directory}-photos`, { overwrite: true }), 'XENON_EXISTS')
      await expectCodeAsync(() => restore(copy, `${directory}-photos/sea.jpg`), 'XENON_INVALID_ARGUMENT')
      mkdirSync(`${directory}-new.restoring`)
      writeFileSync(`${directory}-new.restoring/notes.txt`, 'mine')
      await expectCodeAsync(() => restore(copy, `${directory}-new`), 'XENON_EXISTS')
      expect(readdirSync(`${directory}-new.restoring`)).toEqual(['notes.txt'])
      for (const options of [{ verfiy: true }, { overwrite: 1 }, { at: 7 }, { signal: 'x' }, { onProgress: 1 }])
        await expectCodeAsync(() => restore(copy, `${directory}-x`, options as never), 'XENON_INVALID_ARGUMENT')
      await expectCodeAsync(() => restore('', 'x'), 'XENON_INVALID_ARGUMENT')
      await expectCodeAsync(() => restore(copy, 'a\0b'), 'XENON_INVALID_ARGUMENT')
      expect(existsSync(`${directory}-new`)).toBe(false)
    }))

  test('a backup that is open for writing', () =>
    withDatabase({}, async ({ db, directory }) => {
      db.put('a', '1')
      const { directory: copy } = await db.backup(`${directory}-copy`)
      const opened = open(copy)
      await expectCodeAsync(() => restore(copy, `${directory}-new`), 'XENON_LOCKED')
      expect(existsSync(`${directory}-new.restoring`)).toBe(false)
      opened.close()
    }))
})

test('relative paths mean the directory that it was called in, whatever becomes of that', () =>
  withDatabase({}, async ({ db, directory }) => {
    db.put('a', '1')
    const before = process.cwd()
    const elsewhere = `${directory}-elsewhere`
    mkdirSync(elsewhere)
    process.chdir(`${directory}/..`)
    try {
      const backing = db.backup('backups', { keep: 2 })
      process.chdir(elsewhere)
      const { directory: copy } = await backing
      expect(copy.startsWith(`${directory.slice(0, -'/db'.length)}/backups/`)).toBe(true)
      process.chdir(`${directory}/..`)
      const restoring = restore('backups', 'restored')
      process.chdir(elsewhere)
      expect((await restoring).directory).toBe(`${directory.slice(0, -'/db'.length)}/restored`)
      expect(readdirSync(elsewhere)).toEqual([])
    } finally {
      process.chdir(before)
    }
  }))

test('another database that comes into the place meanwhile is not touched, nor what was moved away', () =>
  withDatabase({}, async ({ db, directory, reopen }) => {
    db.put('a', 'backed up')
    const { directory: copy } = await db.backup(`${directory}-copy`)
    db.put('a', 'newer')
    db.close()
    for (const what of ['', '.restoring']) {
      let other = new Map<string, string>()
      const moving = restore(copy, directory, {
        overwrite: true,
        onProgress: ({ phase }) => {
          if (phase !== 'verify' || other.size > 0) return
          renameSync(`${directory}${what}`, `${directory}-away${what}`)
          const stranger = open(`${directory}${what}`)
          stranger.put('a', 'of another')
          stranger.close()
          other = filesOf(`${directory}${what}`)
        },
      })
      await expectCodeAsync(() => moving, 'XENON_MOVED')
      expect(other.size).toBeGreaterThan(0)
      expect(filesOf(`${directory}${what}`)).toEqual(other)
      expect(existsSync(`${directory}.replaced`)).toBe(false)
    }
    expect(await recordsOf(`${directory}-away`)).toEqual([['a', 'newer']])
    reopen().close()
  }))

test('cut off between its renames: no empty database is made there, and the next restore goes on', () =>
  withMemoryDatabase({ storage: memoryStorage() }, async ({ db, options, reopen }) => {
    const storage = options.storage!
    db.put('a', 'backed up')
    await db.backup('copy')
    db.put('a', 'newer')
    db.close()
    storage.rename('db', 'db.replaced')
    const message = /restore of it was cut off.*db\.replaced/
    expect(() => open('db', { storage })).toThrow(message)
    expectCode(() => open('db', { storage, readOnly: true }), 'XENON_NOT_FOUND')
    await expectCodeAsync(() => restore('copy', 'db', { storage }), 'XENON_NOT_FOUND')
    await restore('copy', 'db', { storage, overwrite: true })
    expect(storage.list('.').sort()).toEqual(['copy', 'db'])
    // Had it failed, the old one would stand there again.
    storage.rename('db', 'db.replaced')
    const failing = restore('copy', 'db', { storage, overwrite: true, signal: abortedLater() })
    await expect(failing).rejects.toThrow()
    expect(storage.list('.').sort()).toEqual(['copy', 'db'])
    expect(reopen().get('a')).toBe('backed up')
  }))
