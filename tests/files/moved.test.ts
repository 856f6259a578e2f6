/**
 * A database that is moved, removed or replaced under an open handle: the handle says so where it first uses a name,
 * touches nothing of what stands there now, and nothing that was acknowledged is missing where the files lie.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { connect } from '../../src/client/index.ts'
import { type Database, MovedError, memoryStorage, type OpenOptions, open, type XenonError } from '../../src/index.ts'
import { createServer } from '../../src/server/index.ts'
import { expectVerified } from '../support/database.ts'
import { withDirectory } from '../support/directory.ts'
import { expectCode, expectCodeAsync, failureOf, thrownBy } from '../support/errors.ts'
import { differences, readImage } from '../support/image.ts'

const OPTIONS: OpenOptions = { durability: 'process', logSegmentBytes: 131_072, checkpointBytes: 262_144 }
const VALUE = 'v'.repeat(3000)

/** What happens to the database in `db`; says where its own files are then, if anywhere. */
const losses: Record<string, (parent: string) => string | undefined> = {
  'renamed away': parent => {
    renameSync(`${parent}/db`, `${parent}/moved`)
    return `${parent}/moved`
  },
  'its parent renamed': parent => {
    renameSync(parent, `${parent}-moved`)
    mkdirSync(parent)
    return `${parent}-moved/db`
  },
  removed: parent => {
    rmSync(`${parent}/db`, { recursive: true })
    return undefined
  },
  'removed, and a new one made': parent => {
    rmSync(`${parent}/db`, { recursive: true })
    makeOther(`${parent}/db`)
    return undefined
  },
  'renamed, and a backup restored': parent => {
    renameSync(`${parent}/db`, `${parent}/moved`)
    cpSync(`${parent}/backup`, `${parent}/db`, { recursive: true })
    return `${parent}/moved`
  },
  'swapped with another one': parent => {
    makeOther(`${parent}/other`)
    renameSync(`${parent}/db`, `${parent}/moved`)
    renameSync(`${parent}/other`, `${parent}/db`)
    renameSync(`${parent}/moved`, `${parent}/other`)
    return `${parent}/other`
  },
  'replaced by a copy of itself': parent => {
    cpSync(`${parent}/db`, `${parent}/copy`, { recursive: true })
    renameSync(`${parent}/db`, `${parent}/moved`)
    renameSync(`${parent}/copy`, `${parent}/db`)
    return `${parent}/moved`
  },
  'data alone replaced': parent => {
    renameSync(`${parent}/db/data`, `${parent}/data`)
    cpSync(`${parent}/backup/data`, `${parent}/db/data`)
    return undefined
  },
  'log alone replaced': parent => {
    renameSync(`${parent}/db/log`, `${parent}/log`)
    cpSync(`${parent}/backup/log`, `${parent}/db/log`, { recursive: true })
    return undefined
  },
  'replaced by a link to where it lies': parent => {
    renameSync(`${parent}/db/data`, `${parent}/data`)
    symlinkSync(`${parent}/data`, `${parent}/db/data`)
    return undefined
  },
}

/** Where it is noticed. */
const notices: Record<string, (db: Database, parent: string, put: () => void) => unknown> = {
  'a new segment of the log': (_, __, put) => {
    for (;;) put()
  },
  checkpoint: db => db.checkpoint(),
  compact: db => db.compact(),
  backup: (db, parent) => db.backup(`${parent}-backup`),
  verify: db => db.verify(),
  'a sync of a new name': db => db.flush(),
  close: db => db.close(),
}

const makeOther = (directory: string): void => {
  const other = open(directory, OPTIONS)
  for (let i = 0; i < 30; i++) other.put(`other ${i}`, VALUE)
  other.close()
}

/** Node's own copy makes new files; this one writes into those that are there. */
const copyOver = (from: string, to: string): void => void execFileSync('cp', ['-r', from, to])

const withLoss = async (
  loss: (parent: string) => string | undefined,
  notice: (db: Database, parent: string, put: () => void) => unknown,
): Promise<void> =>
  withDirectory(async top => {
    const parent = `${top}/parent`
    const db = open(`${parent}/db`, OPTIONS)
    await db.backup(`${parent}/backup`)
    let acknowledged = 0
    const put = (): void => {
      db.put(`key ${acknowledged}`, VALUE)
      acknowledged++
    }
    for (let i = 0; i < 60; i++) put()
    const lies = loss(parent)
    const standsThere = existsSync(`${parent}/db`) ? readImage(`${parent}/db`) : undefined
    for (let i = 0; i < 3; i++) put()

    const error = await (async () => notice(db, parent, put))().then(
      () => undefined,
      problem => problem,
    )
    expect(error).toBeInstanceOf(MovedError)
    expect(error).toMatchObject({ code: 'XENON_MOVED', path: expect.stringContaining(`${parent}/db/`) })
    expect(error.message).toContain(error.path)
    if (!db.closed) {
      const failed = expectCode(() => db.put('later', 'x'), 'XENON_FAILED')
      expect(failed.cause).toBe(error)
      expectCode(() => db.get('key 1'), 'XENON_FAILED')
      expectCode(() => db.close(), 'XENON_MOVED')
    }
    db.close()
    expect(db.closed).toBe(true)
    expect(existsSync(`${parent}-backup`)).toBe(false)
    if (standsThere === undefined) expect(existsSync(`${parent}/db`)).toBe(false)
    // Where data or log alone is exchanged, the files of the handle's own that are left are its own to write to.
    else if (existsSync(`${parent}/db/data`) && lies !== undefined)
      expect(differences(standsThere, readImage(`${parent}/db`))).toEqual([])

    if (lies === undefined) return
    const again = open(lies, { ...OPTIONS, createIfMissing: false })
    for (let i = 0; i < acknowledged; i++) expect(again.get(`key ${i}`)).toBe(VALUE)
    await expectVerified(again, acknowledged)
    again.close()
  })

for (const [what, loss] of Object.entries(losses))
  describe(`a database that is ${what}`, () => {
    for (const [where, notice] of Object.entries(notices)) test(`is noticed at ${where}`, () => withLoss(loss, notice))
  })

test('what stands in the place of a database goes on working while the lost handle is closed', () =>
  withDirectory(async parent => {
    const lost = open(`${parent}/db`, OPTIONS)
    for (let i = 0; i < 100; i++) lost.put(`key ${i}`, VALUE)
    rmSync(`${parent}/db`, { recursive: true })
    const db = open(`${parent}/db`, OPTIONS)
    db.put('a', '1')
    expectCode(() => lost.close(), 'XENON_MOVED')
    expectCode(() => open(`${parent}/db`), 'XENON_LOCKED')
    for (let i = 0; i < 200; i++) db.put(`new ${i}`, VALUE)
    await db.checkpoint()
    await expectVerified(db, 201)
    db.close()
    const again = open(`${parent}/db`)
    await expectVerified(again, 201)
    again.close()
  }))

test('a database that comes back to its place goes on as if nothing had been', () =>
  withDirectory(async parent => {
    const db = open(`${parent}/db`, OPTIONS)
    db.put('a', '1')
    renameSync(`${parent}/db`, `${parent}/elsewhere`)
    db.put('b', '2')
    renameSync(`${parent}/elsewhere`, `${parent}/db`)
    await db.checkpoint()
    db.close()
    const again = open(`${parent}/db`)
    await expectVerified(again, 2)
    again.close()
  }))

test('the sweep of expired records stops without touching what stands there', () =>
  withDirectory(async parent => {
    const db = open(`${parent}/db`, OPTIONS)
    for (let i = 0; i < 300; i++) db.put(`key ${i}`, VALUE, { ttl: 1 })
    renameSync(`${parent}/db`, `${parent}/moved`)
    makeOther(`${parent}/db`)
    const before = readImage(`${parent}/db`)
    let failed: unknown
    for (let i = 0; i < 500 && failed === undefined; i++) {
      await new Promise(resolve => setTimeout(resolve, 5))
      // What the sweep alone does not fill is filled by puts that expire as well.
      failed = thrownBy(() => db.put(`more ${i}`, VALUE, { ttl: 1 }))
    }
    expect(['XENON_MOVED', 'XENON_FAILED']).toContain((failed as XenonError).code)
    expectCode(() => db.close(), 'XENON_MOVED')
    expect(differences(before, readImage(`${parent}/db`))).toEqual([])
  }))

test('a database in memory is told apart in the same way', async () => {
  const storage = memoryStorage()
  const db = open('db', { ...OPTIONS, storage })
  for (let i = 0; i < 60; i++) db.put(`key ${i}`, VALUE)
  storage.rename('db', 'moved')
  const other = open('db', { ...OPTIONS, storage })
  other.put('a', '1')
  await expect(db.checkpoint()).rejects.toMatchObject({ code: 'XENON_MOVED' })
  expectCode(() => db.close(), 'XENON_MOVED')
  await expectVerified(other, 1)
  other.close()
  const again = open('moved', { storage })
  await expectVerified(again, 60)
  again.close()
})

test('a mount over the directory is noticed, and a bind mount of the same directory is the same database', context =>
  withDirectory(async parent => {
    const db = open(`${parent}/db`, OPTIONS)
    db.put('a', '1')
    mkdirSync(`${parent}/bound`)
    try {
      execFileSync('mount', ['--bind', `${parent}/db`, `${parent}/bound`], { stdio: 'pipe' })
    } catch {
      db.close()
      context.skip('only root may mount here')
    }
    try {
      expectCode(() => open(`${parent}/bound`), 'XENON_LOCKED')
      await expect(db.backup(`${parent}/bound/log/copy`)).rejects.toMatchObject({
        code: 'XENON_INVALID_ARGUMENT',
      })
      await expect(db.backup(`${parent}/bound/copy`)).rejects.toMatchObject({
        code: 'XENON_INVALID_ARGUMENT',
      })
      makeOther(`${parent}/other`)
      const before = readImage(`${parent}/other`)
      execFileSync('mount', ['--bind', `${parent}/other`, `${parent}/db`])
      try {
        await expect(db.checkpoint()).rejects.toMatchObject({ code: 'XENON_MOVED' })
        expectCode(() => db.close(), 'XENON_MOVED')
        expect(differences(before, readImage(`${parent}/db`))).toEqual([])
      } finally {
        execFileSync('umount', [`${parent}/db`])
      }
      const again = open(`${parent}/db`)
      await expectVerified(again, 1)
      again.close()
    } finally {
      execFileSync('umount', [`${parent}/bound`])
    }
  }))

test('a backup that is copied over the files of an open database is not written to', () =>
  withDirectory(async parent => {
    const db = open(`${parent}/db`, OPTIONS)
    for (let i = 0; i < 30; i++) db.put(`key ${i}`, VALUE)
    await db.backup(`${parent}/backup`)
    for (let i = 0; i < 30; i++) db.put(`later ${i}`, VALUE)
    copyOver(`${parent}/backup/.`, `${parent}/db`)
    const before = readImage(`${parent}/db`)
    const error = await expectCodeAsync(() => db.checkpoint(), 'XENON_MOVED')
    expect(error.message).toContain('copied over it')
    expectCode(() => db.put('a', '1'), 'XENON_FAILED')
    db.close()
    expect(differences(before, readImage(`${parent}/db`)).filter(name => name === 'data')).toEqual([])
  }))

test('so it is with the files of another database, at a new segment as well', () =>
  withDirectory(async parent => {
    const db = open(`${parent}/db`, OPTIONS)
    // Always the same record, so that no block has to be read from the strange file.
    db.put('key', VALUE)
    makeOther(`${parent}/other`)
    copyOver(`${parent}/other/data`, `${parent}/db/data`)
    const before = readImage(`${parent}/db`).get('data')
    await expectCodeAsync(async () => {
      for (;;) {
        for (let i = 0; i < 50; i++) db.put('key', VALUE)
        await db.flush()
      }
    }, 'XENON_MOVED')
    db.close()
    expect(readImage(`${parent}/db`).get('data')).toEqual(before)
  }))

test('a server whose database was moved away answers no write that is not there, closes and says why', () =>
  withDirectory(async parent => {
    const db = open<Uint8Array>(`${parent}/db`, {
      durability: 'process',
      logSegmentBytes: 131_072,
      checkpointBytes: 262_144,
      valueEncoding: 'binary',
      keyEncoding: 'binary',
    })
    const server = createServer(db, { port: 0 })
    const { port } = (await server.listen()) as { port: number }
    const failure = failureOf(() => server.done)
    const client = await connect({ port, reconnect: false })
    await client.put('key 0', VALUE)
    renameSync(`${parent}/db`, `${parent}/moved`)
    makeOther(`${parent}/db`)
    let acknowledged = 1
    await failureOf(async () => {
      for (;;) {
        await client.put(`key ${acknowledged}`, VALUE)
        acknowledged++
      }
    })
    expect(await failure).toMatchObject({ code: 'XENON_MOVED' })
    await client.close()
    expectCode(() => db.close(), 'XENON_MOVED')
    const again = open(`${parent}/moved`, { storedEncoding: 'ignore' })
    for (let i = 0; i < acknowledged; i++) expect(again.get(`key ${i}`)).toBe(VALUE)
    await expectVerified(again)
    again.close()
  }))
