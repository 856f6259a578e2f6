/** `xenondb verify` while another process has the database open and writes. The child is real, and so are the files. */
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, statSync, writeSync } from 'node:fs'
import { expect, test } from 'vitest'
import { open } from '../../src/index.ts'
import { type Child, pause, startChild } from '../support/child.ts'
import { withDirectory } from '../support/directory.ts'
import { run, start } from './run.ts'

const OPTIONS = { cacheBytes: 64 * 4096, checkpointBytes: 65536, logSegmentBytes: 131072 }
const BLOCK = 4096

interface Ending {
  event: string
  commits: number
  checkpoints: number
  wrong: number
  ok: boolean
  problems: string[]
}

/** Runs `body` while a child has the database open; returns what the child said at its end. */
async function withWriter(
  mode: 'busy' | 'idle',
  body: (place: { directory: string; temporary: string; child: Child }) => Promise<void>,
): Promise<Ending> {
  return await withDirectory(async parent => {
    const directory = `${parent}/db`
    const temporary = `${parent}/temporary`
    mkdirSync(temporary)
    prepare(directory)
    const child = startChild('cli/verify-live-writer.mjs', [directory, JSON.stringify(OPTIONS), mode])
    try {
      await child.firstLine
      await body({ directory, temporary, child })
      // Nothing stays behind.
      expect(readdirSync(temporary)).toEqual([])
      child.process.stdin!.end()
      const { lines, errors, signal } = await child.ended
      expect(signal, errors).toBeNull()
      return JSON.parse(lines.at(-1)!) as Ending
    } finally {
      child.kill()
    }
  })
}

/** Records that the child never touches, some megabytes of them. */
function prepare(directory: string): void {
  const db = open(directory, { ...OPTIONS, durability: 'none' })
  for (let i = 0; i < 1_500; i++) db.put(`old ${i}`, `${i} `.repeat(1 + (i % 500)))
  db.put('untouched', 'UNTOUCHED '.repeat(20_000))
  db.close()
}

test('a database that is being written is verified by a copy, again and again', async () => {
  const lsns: number[] = []
  const ending = await withWriter('busy', async ({ directory, temporary, child }) => {
    for (let i = 0; i < 12; i++) {
      const outcome = await run('verify', directory, '--json', '--temporary', temporary)
      expect(outcome, outcome.stdout).toMatchObject({ status: 0, stderr: '' })
      const report = JSON.parse(outcome.stdout)
      expect(report).toMatchObject({ ok: true, problems: [], copy: { pid: child.process.pid } })
      expect(report.records).toBeGreaterThan(1_500)
      lsns.push(report.copy.lsn)
    }
    const readable = await run('verify', directory, '--temporary', temporary)
    expect(readable).toMatchObject({ status: 0, stderr: '' })
    expect(readable.stdout).toMatch(
      new RegExp(`in use by process ${child.process.pid}: verified a copy as of LSN \\d+\nok: no problems`),
    )
  })
  expect(lsns).toEqual([...lsns].sort((a, b) => a - b))
  expect(lsns.at(-1)).toBeGreaterThan(lsns[0]!)
  expect(ending).toMatchObject({ event: 'closed', wrong: 0, ok: true, problems: [] })
  expect(ending.checkpoints).toBeGreaterThan(10)
})

test('nothing in the live directory is touched', async () => {
  await withWriter('idle', async ({ directory, temporary }) => {
    const before = footprint(directory)
    expect(await run('verify', directory, '--temporary', temporary)).toMatchObject({ status: 0, stderr: '' })
    expect(footprint(directory)).toEqual(before)
  })
})

test('a flipped bit of a block on the disk is found in the live file, and the writer goes on unharmed', async () => {
  const ending = await withWriter('busy', async ({ directory, temporary, child }) => {
    const block = blockWith(directory, 'UNTOUCHED UNTOUCHED')
    flip(`${directory}/data`, block * BLOCK + 2000)
    for (let i = 0; i < 3; i++) {
      const { status, stdout, stderr } = await run('verify', directory, '--json', '--temporary', temporary)
      expect({ status, stderr }, stdout).toEqual({ status: 1, stderr: '' })
      const report = JSON.parse(stdout)
      expect(report).toMatchObject({ ok: false, damagedBlocks: [block], copy: { pid: child.process.pid } })
      expect(report.problems[0]).toContain(`${directory}/data, block ${block}: wrong checksum`)
      expect(stdout).not.toContain(temporary)
    }
    flip(`${directory}/data`, block * BLOCK + 2000)
    expect(await run('verify', directory, '--temporary', temporary)).toMatchObject({ status: 0 })
  })
  expect(ending).toMatchObject({ wrong: 0, ok: true })
})

test('Ctrl-C during a copy ends it with 130 and leaves nothing behind', async () => {
  const ending = await withWriter('busy', async ({ directory, temporary }) => {
    const verify = start('verify', directory, '--temporary', temporary)
    for (let i = 0; i < 60_000 && readdirSync(temporary).length === 0; i++) await pause(1)
    expect(readdirSync(temporary)).not.toEqual([])
    verify.process.kill('SIGINT')
    const outcome = await verify.outcome
    expect(outcome).toMatchObject({ status: 130, signal: null, stdout: '', stderr: 'interrupted\n' })
  })
  expect(ending).toMatchObject({ wrong: 0, ok: true })
})

test('a temporary directory that is none, or has no room, is an error in one line', async () => {
  await withWriter('idle', async ({ directory }) => {
    const missing = await run('verify', directory, '--temporary', `${directory}/nowhere`)
    expect(missing.status).toBe(1)
    expect(missing.stderr).toMatch(/^xenondb: no copy can be made in [^\n]*nowhere[^\n]*\n$/)
    // The file system of /proc has no room at all.
    if (process.platform !== 'linux') return
    const full = await run('verify', directory, '--temporary', '/proc')
    expect(full.status).toBe(1)
    expect(full.stderr).toMatch(/^xenondb: [^\n]* needs [\d.]+ MiB, but \/proc has 0 B free[^\n]*--temporary\n$/)
  })
})

/** What a write, or a file that came and went, would have changed. */
function footprint(directory: string): unknown[] {
  const names = ['.', ...(readdirSync(directory, { recursive: true }) as string[]).sort()]
  return names.map(name => {
    const { mtimeMs, ctimeMs, size, ino } = statSync(`${directory}/${name}`)
    return [name, mtimeMs, ctimeMs, size, ino]
  })
}

function blockWith(directory: string, text: string): number {
  const at = readFileSync(`${directory}/data`).indexOf(text)
  expect(at).toBeGreaterThan(0)
  return Math.floor(at / BLOCK)
}

function flip(path: string, at: number): void {
  const byte = readFileSync(path)[at]! ^ 0x04
  const file = openSync(path, 'r+')
  writeSync(file, new Uint8Array([byte]), 0, 1, at)
  closeSync(file)
}
