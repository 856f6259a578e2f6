/** Limits of the system: sizes of files, numbers of open files, directories that cannot be written or go away. */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { CorruptionError, MovedError, type OpenOptions, open, XenonError } from '../../src/index.ts'
import { closeQuietly, expectVerified } from '../support/database.ts'
import { withDirectory } from '../support/directory.ts'
import { thrownBy } from '../support/errors.ts'
import { expectEqual, scan } from '../support/model.ts'
import { whyNoDisk, withSmallDisk } from './small-disk.ts'

const options: OpenOptions = {
  cacheBytes: 48 * 4096,
  checkpointBytes: 512 * 1024,
  logSegmentBytes: 256 * 1024,
}
if (process.getuid?.() !== 0) console.warn('SKIPPED: tests that act as another user, because this is not root')
const isRoot = process.getuid?.() === 0

interface Failure {
  typed: boolean
  code: string
  cause?: string
  message: string
}

interface Event extends Partial<Failure> {
  event: string
  number?: number
  spare?: number
  records?: number
  files?: number
  readOnly?: boolean
  failure?: Failure
}

describe.each([
  ['power', 300],
  ['process', 300],
  ['power', 30_000],
  ['process', 30_000],
] as const)('with durability %s and values of %i bytes', (durability, bytes) => {
  test.each([500, 800, 2000])('a limit of %i KiB per file is a typed error, and nothing is lost', limit =>
    withDirectory(async parent => {
      // Segments larger than the limit: the log meets it; smaller ones: the data file does.
      const logSegmentBytes = bytes === 300 ? 4 << 20 : 256 * 1024
      const events = await limited(
        `ulimit -f ${limit}`,
        'write',
        `${parent}/db`,
        {
          ...options,
          durability,
          logSegmentBytes,
          checkpointBytes: bytes === 300 ? 64 << 20 : options.checkpointBytes!,
        },
        `${bytes}`,
      )
      const refused = events.find(({ event }) => event === 'refused')
      const afterwards = events.find(({ event }) => event === 'afterwards')
      expect(refused).toMatchObject({ typed: true })
      // Where the log meets it the handle stops; where only blocks do, they stay in memory, and what else there is can
      // be read, if so small a pool has a frame left for it.
      if (refused?.code === 'XENON_FULL') expect([undefined, 'XENON_FULL']).toContain(afterwards?.code)
      else {
        expect(refused).toMatchObject({ code: 'XENON_IO', cause: 'EFBIG' })
        expect(afterwards).toMatchObject({ code: 'XENON_FAILED' })
      }
      await expectAcknowledged(`${parent}/db`, events, bytes)
    }),
  )
})

test('a limit that does not let a database be created is a typed error, and it can be created later', () =>
  withDirectory(async parent => {
    for (const limit of [0, 2, 3]) {
      const events = await limited(`ulimit -f ${limit}`, 'write', `${parent}/db`, options, '10')
      expect(events).toMatchObject([{ event: 'not opened', typed: true, code: 'XENON_FULL', cause: 'XENON_IO' }])
    }
    await expectVerifiedAt(`${parent}/db`, 0)
  }))

test('with too few file descriptors an open is a typed error, leaves none open, and changes nothing', () =>
  withDirectory(async parent => {
    const db = open(`${parent}/db`, options)
    for (let i = 0; i < 100; i++) db.put(`record/${i}`, 'value')
    db.close()
    const events = await limited('ulimit -n 128', 'descriptors', `${parent}/db`, options)
    const openings = events.filter(({ event }) => event === 'opened')
    expect(openings).toHaveLength(12)
    for (const { failure, records } of openings) {
      if (failure === undefined) expect(records).toBe(100)
      else expect(failure).toMatchObject({ typed: true, code: 'XENON_IO', cause: 'EMFILE' })
    }
    expect(openings[0]?.failure).toBeDefined()
    expect(openings.at(-1)?.failure).toBeUndefined()
    expect(events.at(-1)).toMatchObject({ event: 'left open', files: 0 })
    await expectVerifiedAt(`${parent}/db`, 100)
  }))

test('with too few file descriptors a creation is a typed error, leaves none open, and can be repeated', () =>
  withDirectory(async parent => {
    const events = await limited('ulimit -n 128', 'create', parent, options)
    expect(events).toHaveLength(12)
    for (const { failure, files, spare } of events) {
      if (failure !== undefined) expect(failure).toMatchObject({ typed: true, code: 'XENON_IO', cause: 'EMFILE' })
      expect(files, 'files left open').toBe(0)
      await expectVerifiedAt(`${parent}/${spare}`, 0)
    }
    expect(events[0]?.failure).toBeDefined()
    expect(events.at(-1)?.failure).toBeUndefined()
  }))

test('file descriptors that run out under an open database are a typed error, and nothing is lost', () =>
  withDirectory(async parent => {
    const events = await limited('ulimit -n 128', 'starve', `${parent}/db`, options)
    expect(events.find(({ event }) => event === 'refused')).toMatchObject({
      typed: true,
      code: 'XENON_IO',
      cause: 'EMFILE',
    })
    await expectAcknowledged(`${parent}/db`, events, 500)
  }))

test.each(['data', 'log', 'lock'])('a device in place of a file (%s) is refused', what =>
  withDirectory(async parent => {
    const directory = `${parent}/db`
    open(directory, options).close()
    const path = `${directory}/${what === 'log' ? firstSegment(directory) : what}`
    if (existsSync(path)) renameSync(path, `${parent}/kept`)
    for (const [command, ...rest] of [
      ['ln', '-s', '/dev/full', path],
      ['mknod', path, 'c', '1', '7'],
    ] as const) {
      // Only root may make devices, and not in every container.
      if (spawnSync(command, rest).status !== 0) continue
      // Who only reads looks at no lock.
      for (const readOnly of what === 'lock' ? [false] : [false, true]) {
        const failure = thrownBy(() => open(directory, { ...options, readOnly }).close())
        expect(failure).toBeInstanceOf(CorruptionError)
        expect(failure).toMatchObject({ code: 'XENON_CORRUPT', file: path })
      }
      rmSync(path)
    }
    if (what !== 'lock') renameSync(`${parent}/kept`, path)
    await expectVerifiedAt(directory, 0)
  }),
)

test.skipIf(!existsSync('/dev/full'))('a device in place of a file that is about to be written is refused', () =>
  withDirectory(async parent => {
    const directory = `${parent}/db`
    mkdirSync(directory)
    execFileSync('ln', ['-s', '/dev/full', `${directory}/data.new`])
    // What an earlier creation left under that name is nobody's: it is replaced.
    open(directory, options).close()
    expect(readdirSync(directory).sort()).toEqual(['data', 'log'])
    const db = open(directory, options)
    const next = `${directory}/log/${`${Number.parseInt(firstSegment(directory).slice(4), 10) + 1}`.padStart(8, '0')}.log`
    execFileSync('ln', ['-s', '/dev/full', next])
    const failure = thrownBy(() => {
      for (let i = 0; ; i++) db.put(`record/${i}`, 'value'.repeat(100))
    })
    expect(failure).toMatchObject({ code: 'XENON_CORRUPT', file: next })
    expect(thrownBy(() => db.put('key', 'value'))).toMatchObject({ code: 'XENON_FAILED' })
    closeQuietly(db)
    expect(thrownBy(() => open(directory, options))).toMatchObject({ code: 'XENON_CORRUPT', file: next })
    rmSync(next)
    const again = open(directory, options)
    await expectVerified(again)
    expect(again.stats().records).toBeGreaterThan(100)
    again.close()
  }),
)

describe.skipIf(!existsSync('/dev/full'))('the command line, with a full disk behind stdout', () => {
  test.each([
    ['export'],
    ['export', '-', '--format', 'csv'],
    ['keys'],
    ['get', 'record/1'],
    ['stats'],
    ['stats', '--json'],
    ['verify'],
  ])('ends %s with status 1 and one line', (command, ...rest) =>
    withDirectory(async parent => {
      const db = open(`${parent}/db`, { ...options, durability: 'none' })
      for (let i = 0; i < 3000; i++) db.put(`record/${i}`, 'value'.repeat(20))
      db.close()
      const { status, signal, stderr } = await runOntoFull(command, `${parent}/db`, ...rest)
      expect({ status, signal }, stderr).toEqual({ status: 1, signal: null })
      expect(stderr).toMatch(/^xenondb: .*ENOSPC.*\n$/)
      await expectVerifiedAt(`${parent}/db`, 3000)
    }),
  )

  test('ends an export into a device file with status 1 and one line', () =>
    withDirectory(async parent => {
      const db = open(`${parent}/db`, options)
      db.put('key', 'value')
      db.close()
      const { status, stderr } = await runOntoFull('export', `${parent}/db`, '/dev/full')
      expect(status, stderr).toBe(1)
      expect(stderr).toMatch(/^xenondb: .*ENOSPC.*\n$/)
      await expectVerifiedAt(`${parent}/db`, 1)
    }))
})

const noTmpfs = whyNoDisk('tmpfs') !== undefined
const noExt4 = whyNoDisk('ext4') !== undefined

test.skipIf(noTmpfs)('on a read-only file system a database can be read, and is not opened for writing', () =>
  withSmallDisk('tmpfs', async disk => {
    const directory = `${disk.directory}/db`
    const db = open(directory, options)
    for (let i = 0; i < 500; i++) db.put(`record/${i}`, 'value'.repeat(i % 100))
    const records = scan(db)
    db.close()
    disk.remount('ro')
    const reader = open(directory, { ...options, readOnly: true })
    expectEqual(reader, records)
    await expectVerified(reader, records.size)
    reader.close()
    for (const path of [directory, `${disk.directory}/new`, `${disk.directory}/new/er`]) {
      const failure = thrownBy(() => open(path, options))
      expect(failure).toBeInstanceOf(XenonError)
      expect(failure).toMatchObject({ code: 'XENON_IO', cause: { code: 'EROFS' } })
    }
    disk.remount('rw')
    await expectVerifiedAt(directory, records.size)
  }),
)

test.skipIf(noTmpfs)('on a read-only file system a database that needs recovery can be read', () =>
  withSmallDisk('tmpfs', async disk => {
    const directory = `${disk.directory}/db`
    const events = await limited('ulimit -f 800', 'write', directory, options, '20000')
    disk.remount('ro')
    const reader = open(directory, { ...options, readOnly: true })
    const acknowledged = events.filter(({ event }) => event === 'acknowledged')
    for (const { number } of acknowledged) expect(reader.has(`record/${number}`)).toBe(true)
    await expectVerified(reader)
    reader.close()
    disk.remount('rw')
    await expectAcknowledged(directory, events, 20_000)
  }),
)

test.skipIf(noExt4)('a file system that breaks down under an open database stops it, and nothing is lost', () =>
  withSmallDisk('ext4', async disk => {
    const directory = `${disk.directory}/db`
    const db = open(directory, options)
    const expected = new Map<string, string>()
    for (let i = 0; i < 300; i++) {
      db.put(`record/${i}`, 'value'.repeat(i % 100))
      expected.set(`record/${i}`, 'value'.repeat(i % 100))
    }
    disk.breakDown()
    const failure = thrownBy(() => {
      for (let i = 0; i < 2000; i++) db.put('in doubt', `${i}`.padEnd(2000))
    })
    expect(failure).toBeInstanceOf(XenonError)
    expect(failure).toMatchObject({ code: 'XENON_IO' })
    expect(thrownBy(() => db.get('record/1'))).toMatchObject({ code: 'XENON_FAILED' })
    const closing = thrownBy(() => db.close())
    if (closing !== undefined) expect(closing).toBeInstanceOf(XenonError)
    disk.repair()
    const again = open(directory, options)
    const found = scan(again)
    found.delete('in doubt')
    expect(found).toEqual(expected)
    await expectVerified(again)
    again.close()
  }),
)

test.skipIf(!isRoot)('a user who may only read can read, and is told why he cannot write', () =>
  withDirectory(async parent => {
    const directory = `${parent}/db`
    const db = open(directory, options)
    for (let i = 0; i < 100; i++) db.put(`record/${i}`, 'value')
    db.close()
    execFileSync('chmod', ['-R', 'a+rX,a-w', parent])
    const events = await limited('true', 'read-as', '65534', directory, options)
    expect(events).toEqual([
      { event: 'opened', readOnly: true, records: 100 },
      {
        event: 'opened',
        readOnly: false,
        failure: expect.objectContaining({ typed: true, code: 'XENON_IO', cause: 'EACCES' }),
      },
    ])
    chmodSync(parent, 0o700)
    await expectVerifiedAt(directory, 100)
  }),
)

test.each(['power', 'process', 'none'] as const)(
  'a directory that is removed under an open database, durability %s, ends in XENON_MOVED',
  durability =>
    withDirectory(async parent => {
      const directory = `${parent}/db`
      const before = openFiles()
      const db = open(directory, { ...options, durability })
      for (let i = 0; i < 200; i++) db.put(`record/${i}`, 'value')
      rmSync(directory, { recursive: true })
      // The read may be what fails: it may need the frame of a changed block, whose log records go to a new segment.
      const failure = thrownBy(() => {
        expect(db.get('record/7')).toBe('value')
        for (let i = 0; i < 5000; i++) db.put(`record/${i}`, 'value'.repeat(100))
      })
      expect(failure).toBeInstanceOf(MovedError)
      expect(thrownBy(() => db.close())).toBeInstanceOf(MovedError)
      expect(openFiles(), 'files left open').toBe(before)
      expect(existsSync(directory)).toBe(false)
      // A new one may take its place.
      await expectVerifiedAt(directory, 0)
    }),
)

test('a directory that is removed under an open database, which is then closed, leaves nothing behind', () =>
  withDirectory(parent => {
    const directory = `${parent}/db`
    const before = openFiles()
    const db = open(directory, options)
    db.put('key', 'value')
    rmSync(directory, { recursive: true })
    expect(thrownBy(() => db.close())).toBeInstanceOf(MovedError)
    expect(openFiles(), 'files left open').toBe(before)
    expect(readdirSync(parent)).toEqual([])
  }))

/** Runs limited.mjs in a shell that sets a limit first. */
async function limited(limit: string, ...parameters: (string | OpenOptions)[]): Promise<Event[]> {
  const script = fileURLToPath(new URL('limited.mjs', import.meta.url))
  const texts = parameters.map(one => (typeof one === 'string' ? one : JSON.stringify(one)))
  const { status, signal, stdout, stderr } = await run('bash', [
    '-c',
    `${limit}; exec "$@"`,
    'bash',
    process.execPath,
    script,
    ...texts,
  ])
  expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: '' })
  return stdout
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))
}

function runOntoFull(...parameters: string[]) {
  const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
  return run('bash', ['-c', 'exec "$@" > /dev/full', 'bash', process.execPath, main, ...parameters])
}

function run(command: string, parameters: readonly string[]) {
  const child = spawn(command, parameters, { stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', text => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', text => {
    stderr += text
  })
  return new Promise<{ status: number | null; signal: string | null; stdout: string; stderr: string }>(
    (resolve, reject) => {
      child.once('error', reject)
      child.once('close', (status, signal) => resolve({ status, signal, stdout, stderr }))
    },
  )
}

/** The database opens without the limit, holds all that was acknowledged and at most one more, and takes writes. */
async function expectAcknowledged(directory: string, events: readonly Event[], bytes: number): Promise<void> {
  const acknowledged = events.filter(({ event }) => event === 'acknowledged').length
  expect(acknowledged).toBeGreaterThan(5)
  const db = open(directory, options)
  const expected = new Map<string, string>()
  for (let i = 0; i < acknowledged; i++) expected.set(`record/${i}`, `${i}:`.padEnd(bytes, 'abcdefg'))
  const inDoubt = db.get(`record/${acknowledged}`)
  if (inDoubt !== undefined) {
    expected.set(`record/${acknowledged}`, `${acknowledged}:`.padEnd(bytes, 'abcdefg'))
  }
  expectEqual(db, expected)
  db.put('after', 'value')
  await expectVerified(db, expected.size + 1)
  db.close()
}

async function expectVerifiedAt(directory: string, records: number): Promise<void> {
  const db = open(directory, options)
  await expectVerified(db, records)
  db.close()
}

function firstSegment(directory: string): string {
  return `log/${readdirSync(`${directory}/log`).sort()[0]}`
}

function openFiles(): number {
  return readdirSync('/proc/self/fd').length
}
