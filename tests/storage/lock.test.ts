import { execFileSync, spawn } from 'node:child_process'
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { beforeEach, expect, test, vi } from 'vitest'
import { CorruptionError, DatabaseLockedError, StorageError } from '../../src/errors.ts'
import { lockDirectory } from '../../src/storage/lock.ts'
import { rounds } from '../support/long.ts'
import { expectDescriptor, forge, noSuchPid, type OtherProcess, ownClaim, startProcess } from './lock-owner.ts'
import { freshDirectory, thrown } from './places.ts'

const top = freshDirectory()
let count = 0
let directory: string
beforeEach(() => {
  directory = join(top, `d${count++}`)
  mkdirSync(directory)
})

/** Takes the lock, checks that the file names us and nothing lies about, releases it. */
function expectFree(): void {
  const lock = lockDirectory(directory)
  expect(readdirSync(directory)).toEqual(['lock'])
  expectDescriptor(directory)
  expect(JSON.parse(readFileSync(join(directory, 'lock'), 'utf8'))).toMatchObject({ pid: process.pid })
  lock.release()
  expect(readdirSync(directory)).toEqual([])
}

function expectHeldBy(pid: number): Error {
  const error = thrown(() => lockDirectory(directory))
  expect(error).toBeInstanceOf(DatabaseLockedError)
  expect(error).toMatchObject({ code: 'XENON_LOCKED', pid })
  expect(error.message).toContain(directory)
  if (pid === process.pid) expect(error.message).not.toContain(String(pid))
  else expect(error.message).toContain(String(pid))
  expect(readdirSync(directory).filter(name => /^lock\.(\d|after)/.test(name))).toEqual([])
  return error
}

test('the lock file names its owner and is readable by its user only', () => {
  const lock = lockDirectory(directory)
  const owner = JSON.parse(readFileSync(join(directory, 'lock'), 'utf8'))
  expect(owner).toEqual({
    ...ownClaim(),
    nonce: expect.stringMatching(/^[0-9a-f]{24}$/),
    thread: expect.any(Number),
    descriptor: expect.any(Number),
  })
  expect(statSync(join(directory, 'lock')).mode & 0o777).toBe(0o600)
  lock.release()
})

test('a live owner in another process is named with its pid, and its release frees the lock', async () => {
  const other = startProcess()
  expect(await other.ask(`lock ${directory}`)).toBe('held')
  expectHeldBy(other.pid)
  expect(await other.ask(`release ${directory}`)).toBe('released')
  const lock = lockDirectory(directory)
  expect(await other.ask(`lock ${directory}`)).toBe(`refused XENON_LOCKED ${process.pid}`)
  lock.release()
  await other.kill()
})

test('a lock of a killed owner is taken over at once', async () => {
  const other = startProcess()
  expect(await other.ask(`lock ${directory}`)).toBe('held')
  await other.kill()
  expectFree()
})

test('a lock of a killed owner that nobody has waited for yet is taken over', async () => {
  // The shell starts the owner in the background and becomes a `sleep`, which never waits for it: a zombie.
  const shell = spawn('sh', ['-c', 'sleep 0.01 & echo $!; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  try {
    const pid = Number(await new Promise(resolve => shell.stdout.once('data', resolve)))
    const stat = (): string => readFileSync(`/proc/${pid}/stat`, 'latin1')
    await vi.waitFor(() => expect(stat()).toContain(') Z '), { timeout: 60_000, interval: 5 })
    forge(directory, { pid, start: stat().split(' ')[21] })
    expectFree()
  } finally {
    shell.kill('SIGKILL')
  }
})

test('the lock of a process that never was is taken over', () => {
  forge(directory, { pid: noSuchPid })
  expectFree()
})

test('a reused pid is told by its start time', () => {
  forge(directory, { pid: process.ppid, start: '1' })
  expectFree()
  forge(directory, { start: '1' })
  expectFree()
})

test('a lock from before the last boot is taken over, whoever has its pid now', () => {
  forge(directory, { boot: '00000000-0000-0000-0000-000000000000' })
  expectFree()
})

test('a live pid without a start time counts as the owner', () => {
  forge(directory, { pid: process.ppid, start: null, boot: null, namespace: null })
  expectHeldBy(process.ppid)
})

test('a process of another container cannot be seen and counts as alive', () => {
  forge(directory, { pid: noSuchPid, namespace: 'pid:[1]' })
  expect(expectHeldBy(noSuchPid).message).toContain(`remove ${join(directory, 'lock')}`)
})

test('age does not make a lock stale', () => {
  const lock = lockDirectory(directory)
  execFileSync('touch', ['-d', '2001-01-01', join(directory, 'lock')])
  expectHeldBy(process.pid)
  lock.release()
})

test('the same directory is refused twice in one process, under any path', () => {
  const lock = lockDirectory(directory)
  expect(expectHeldBy(process.pid).message).toMatch(
    /is already open in this process, .*another copy of the module: open it once and keep that handle on globalThis/,
  )
  symlinkSync(directory, `${directory}-link`)
  expect(() => lockDirectory(`${directory}-link`)).toThrow(DatabaseLockedError)
  lock.release()
  expectFree()
})

test('a second copy of the module in the process agrees', async () => {
  const lock = lockDirectory(directory)
  vi.resetModules()
  const copy = await import('../../src/storage/lock.ts')
  expect(copy.lockDirectory).not.toBe(lockDirectory)
  expect(thrown(() => copy.lockDirectory(directory)).message).toContain('already open in this process')
  lock.release()
  copy.lockDirectory(directory).release()
})

test('a lock of another thread of the process counts as alive', async () => {
  const code = `
    const { parentPort, workerData } = require('node:worker_threads')
    import(workerData.module).then(({ nodeStorage }) => {
      const lock = nodeStorage.lock(workerData.directory)
      parentPort.once('message', () => { lock.release(); parentPort.postMessage('released') })
      parentPort.postMessage('held')
    })`
  const module = new URL('../../dist/index.js', import.meta.url).href
  const worker = new Worker(code, { eval: true, workerData: { module, directory } })
  const message = (): Promise<unknown> =>
    new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
  expect(await message()).toBe('held')
  expect(expectHeldBy(process.pid).message).toContain(
    `is open in another thread of this process (thread ${worker.threadId}): open it in one thread`,
  )
  worker.postMessage('release')
  expect(await message()).toBe('released')
  expectFree()
  await worker.terminate()
})

test.each([
  ['empty', ''],
  ['garbage', '\0\0\0\0\0\0\0\0'],
  ['half a claim', '{"pid":12,"sta'],
  ['a number', '12'],
  ['null', 'null'],
  ['a negative pid', '{"pid":-1,"nonce":"ab"}'],
  ['a path as its nonce', `{"pid":${process.pid},"nonce":"../../x"}`],
  ['endless', '['.repeat(100_000)],
])('a lock file that is %s is what a power failure left, and is taken over', (_name, content) => {
  writeFileSync(join(directory, 'lock'), content)
  expectFree()
})

test('a directory, symbolic link or FIFO in place of the lock file is named and kept', () => {
  const path = join(directory, 'lock')
  for (const [create, what] of [
    [() => mkdirSync(path), 'a directory'],
    [() => symlinkSync('nowhere', path), 'a symbolic link'],
    [() => execFileSync('mkfifo', [path]), 'a FIFO'],
  ] as const) {
    create()
    const error = thrown(() => lockDirectory(directory))
    expect(error).toBeInstanceOf(CorruptionError)
    expect(error.message).toBe(`${path}: is ${what}, not a regular file`)
    expect(readdirSync(directory)).toEqual(['lock'])
    execFileSync('rm', ['-r', path])
  }
})

test('a takeover cut short by a crash is taken over in its turn', () => {
  forge(directory, { pid: noSuchPid, nonce: '01' })
  forge(directory, { pid: noSuchPid, nonce: '02' }, 'lock.after.01')
  writeFileSync(join(directory, 'lock.after.02'), '')
  expectFree()
})

test('a takeover cut short after the lock was replaced is taken over in its turn', () => {
  forge(directory, { pid: noSuchPid, nonce: '02' })
  forge(directory, { pid: noSuchPid, nonce: '02' }, 'lock.after.01')
  expectFree()
})

test('a live process that is about to take over is named', () => {
  forge(directory, { pid: noSuchPid, nonce: '01' })
  forge(directory, { pid: process.ppid, start: null, nonce: '02' }, 'lock.after.01')
  const error = thrown(() => lockDirectory(directory))
  expect(error).toMatchObject({ code: 'XENON_LOCKED', pid: process.ppid })
})

test('a forged chain that runs in a circle does not hang', () => {
  forge(directory, { pid: noSuchPid, nonce: '01' })
  forge(directory, { pid: noSuchPid, nonce: '01' }, 'lock.after.01')
  expect(() => lockDirectory(directory)).toThrow(CorruptionError)
})

test('what dead processes left is swept at a takeover, what live ones have is kept', () => {
  forge(directory, { pid: noSuchPid })
  forge(directory, { pid: noSuchPid, nonce: '0a' }, `lock.${noSuchPid}.0a`)
  writeFileSync(join(directory, `lock.${noSuchPid}.0b`), '')
  writeFileSync(join(directory, `lock.${noSuchPid}.0b.writing`), '')
  forge(directory, { pid: process.ppid, start: '1', nonce: '0c' }, `lock.${process.ppid}.0c`)
  forge(directory, { pid: process.ppid, start: null, nonce: '0d' }, `lock.${process.ppid}.0d`)
  writeFileSync(join(directory, 'lock.txt'), 'of the user')
  const lock = lockDirectory(directory)
  expect(readdirSync(directory).sort()).toEqual(['lock', `lock.${process.ppid}.0d`, 'lock.txt'].sort())
  lock.release()
})

test('release leaves a lock alone that is not ours any more', () => {
  const lock = lockDirectory(directory)
  forge(directory, { pid: process.ppid, start: null })
  lock.release()
  expect(readdirSync(directory)).toEqual(['lock'])
})

test('release finds its file after the process has changed its directory', () => {
  const before = process.cwd()
  try {
    process.chdir(top)
    const lock = lockDirectory(directory.slice(top.length + 1))
    process.chdir('/')
    lock.release()
    expect(readdirSync(directory)).toEqual([])
  } finally {
    process.chdir(before)
  }
})

test('a directory that cannot be written says what to do', async () => {
  chmodSync(directory, 0o555)
  chmodSync(top, 0o755)
  const other = startProcess()
  if (process.getuid?.() === 0) await other.ask('user 65534')
  const answer = await other.ask(`lock ${directory}`)
  expect(answer).toBe(
    `failed cannot create the lock ${join(directory, 'lock')}: EACCES: permission denied` +
      '; to open it for writing, the directory must be writable: change that, or open it with readOnly',
  )
  await other.kill()
})

test('an absent directory is a StorageError', () => {
  const error = thrown(() => lockDirectory(join(directory, 'absent')))
  expect(error).toBeInstanceOf(StorageError)
  expect(error.cause).toMatchObject({ code: 'ENOENT' })
})

const RACERS = rounds(8, 20)

test(`of ${RACERS} processes racing for a stale lock exactly one wins`, async () => {
  const racers: OtherProcess[] = Array.from({ length: RACERS }, startProcess)
  const pids = racers.map(racer => String(racer.pid))
  await Promise.all(racers.map(racer => racer.ask(`release ${directory}`)))
  const leave: (() => void)[] = [
    () => forge(directory, { pid: noSuchPid }),
    () => forge(directory, { boot: 'another' }),
    () => writeFileSync(join(directory, 'lock'), ''),
    () => {
      forge(directory, { pid: noSuchPid, nonce: '01' })
      forge(directory, { pid: noSuchPid, nonce: '02' }, 'lock.after.01')
    },
    () => {},
  ]
  for (let round = 0; round < rounds(20, 60); round++) {
    directory = join(top, `race${round}`)
    mkdirSync(directory)
    leave[round % leave.length]!()
    const answers = await Promise.all(racers.map(racer => racer.ask(`lock ${directory}`)))
    const winners = racers.filter((_, i) => answers[i] === 'held')
    expect(winners).toHaveLength(1)
    for (const answer of answers) {
      if (answer === 'held') continue
      const [refused, code, pid] = answer.split(' ')
      expect([refused, code]).toEqual(['refused', 'XENON_LOCKED'])
      expect(pids).toContain(pid)
    }
    expect(JSON.parse(readFileSync(join(directory, 'lock'), 'utf8'))).toMatchObject({ pid: winners[0]!.pid })
    expect(readdirSync(directory)).toEqual(['lock'])
    await winners[0]!.ask(`release ${directory}`)
  }
  await Promise.all(racers.map(racer => racer.kill()))
})

test('no descriptor is left open by locks that are taken, taken over, refused and given back', () => {
  const open = (): number => readdirSync('/proc/self/fd').length
  const before = open()
  for (let i = 0; i < 20; i++) {
    forge(directory, { pid: noSuchPid })
    const lock = lockDirectory(directory)
    expect(open()).toBe(before + 1)
    expect(() => lockDirectory(directory)).toThrow(DatabaseLockedError)
    expect(lock.inPlace?.()).toBe(true)
    lock.release()
    lock.release()
    expect(lock.inPlace?.()).toBe(false)
  }
  expect(open()).toBe(before)
})

test('a lock that was moved away with its directory is emptied where it lies, and what stands in its place stays', () => {
  const lock = lockDirectory(directory)
  renameSync(directory, `${directory}-moved`)
  mkdirSync(directory)
  const other = lockDirectory(directory)
  expect(lock.inPlace?.()).toBe(false)
  lock.release()
  expect(readFileSync(join(`${directory}-moved`, 'lock'), 'utf8')).toBe('')
  expectHeldBy(process.pid)
  lockDirectory(`${directory}-moved`).release()
  other.release()
  expectFree()
})

test('where a sandbox does not tell whether the owner lives, the lock is held, and taken over by who vouches for it', () => {
  const directory = freshDirectory()
  forge(directory, { pid: noSuchPid })
  const kill = vi.spyOn(process, 'kill').mockImplementation(() => {
    // As Deno does without --allow-run.
    throw Object.assign(new Error('Requires run access'), { name: 'NotCapable' })
  })
  try {
    const error = thrown(() => lockDirectory(directory))
    expect(error).toBeInstanceOf(DatabaseLockedError)
    expect((error as Error).message).toMatch(/it cannot be told whether process \d+, .* still runs.*takeover/)
    lockDirectory(directory, { takeover: true }).release()
  } finally {
    kill.mockRestore()
  }
})
