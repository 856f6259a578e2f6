/** `lockWait`: whoever opens a database waits until another process has closed it, or is gone. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { XenonLevel } from '../../src/adapters/level/index.ts'
import { convert, memoryStorage, open, salvage } from '../../src/index.ts'
import { run, start as startCommand } from '../cli/run.ts'
import { expectVerified } from '../support/database.ts'
import { withDirectory } from '../support/directory.ts'
import { expectCode, expectCodeAsync } from '../support/errors.ts'

const script = fileURLToPath(new URL('../storage/lock-race-child.mjs', import.meta.url))
const children: ChildProcessWithoutNullStreams[] = []
afterAll(() => {
  for (const child of children) child.kill('SIGKILL')
})

/** A process that obeys the commands of lock-race-child.mjs. */
const start = (): {
  child: ChildProcessWithoutNullStreams
  say(line: string): void
  hear(): Promise<string>
} => {
  const child = spawn(process.execPath, [script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  }) as never as ChildProcessWithoutNullStreams
  children.push(child)
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    child,
    say: line => void child.stdin.write(`${line}\n`),
    hear: async () => (await lines.next()).value ?? 'gone',
  }
}

/** Runs `body` while another process has the database open, for so long. */
const whileHeld = (milliseconds: number, body: (directory: string, kill: () => void) => unknown): Promise<void> =>
  withDirectory(async parent => {
    const directory = `${parent}/db`
    const db = open(directory)
    db.put('a', '1')
    db.close()
    const holder = start()
    holder.say(`hold ${milliseconds} ${directory}`)
    expect(await holder.hear()).toBe('holding')
    await body(directory, () => holder.child.kill('SIGKILL'))
    holder.child.kill('SIGKILL')
  })

test('open waits until the owner closes', () =>
  whileHeld(400, async directory => {
    expectCode(() => open(directory), 'XENON_LOCKED')
    const from = performance.now()
    const db = open(directory, { lockWait: 20_000 })
    expect(performance.now() - from).toBeGreaterThan(50)
    await expectVerified(db, 1)
    db.close()
  }))

test('the error after waiting says how long it waited', () =>
  whileHeld(60_000, directory => {
    const from = performance.now()
    const error = expectCode(() => open(directory, { lockWait: 150 }), 'XENON_LOCKED')
    const waited = performance.now() - from
    expect(waited).toBeGreaterThanOrEqual(149)
    expect(Number(/\(waited (\d+) ms for it\)$/.exec(error.message)?.[1])).toBeGreaterThanOrEqual(149)
  }))

test('an owner that is killed meanwhile is taken over', () =>
  whileHeld(60_000, (directory, kill) => {
    setTimeout(kill, 0)
    kill()
    open(directory, { lockWait: Number.POSITIVE_INFINITY }).close()
  }))

test('a database that this same thread has open is refused at once, however long one would wait', () =>
  withDirectory(async parent => {
    for (const storage of [undefined, memoryStorage()]) {
      const options = storage === undefined ? {} : { storage }
      const db = open(`${parent}/db`, options)
      const waiting = { ...options, lockWait: Number.POSITIVE_INFINITY }
      const error = expectCode(() => open(`${parent}/db`, waiting), 'XENON_LOCKED')
      expect(error.message).toContain('not waited for')
      const other = await expectCodeAsync(() => convert(`${parent}/db`, { ...waiting, ordered: false }), 'XENON_LOCKED')
      expect(other.message).toContain('not waited for')
      db.close()
    }
  }))

test('what returns a promise waits without blocking the event loop', () =>
  whileHeld(400, async directory => {
    let ticks = 0
    const timer = setInterval(() => ticks++, 5)
    const lockWait = 20_000
    const level = new XenonLevel(directory, { lockWait })
    await level.open()
    expect(ticks).toBeGreaterThan(5)
    await level.close()
    const holder = start()
    for (const work of [
      () => salvage(directory, `${directory}-rescued`, { lockWait }),
      () => convert(directory, { ordered: false, lockWait }),
    ]) {
      holder.say(`hold 200 ${directory}`)
      expect(await holder.hear()).toBe('holding')
      ticks = 0
      await work()
      expect(ticks).toBeGreaterThan(5)
      expect(await holder.hear()).toBe('held')
    }
    clearInterval(timer)
  }))

test('four processes that wait for each other again and again all come to their turn, and lose no count', () =>
  withDirectory(async parent => {
    const [rounds, processes] = [15, 4]
    const waiters = Array.from({ length: processes }, start)
    for (const waiter of waiters) waiter.say(`wait ${rounds} ${parent}/db`)
    for (const waiter of waiters) expect(await waiter.hear()).toMatch(/^waited \d+$/)
    const db = open(`${parent}/db`)
    expect(db.get('counter')).toBe(String(rounds * processes))
    await expectVerified(db, 1)
    db.close()
  }))

test('commands wait with --lock-wait, and Ctrl-C ends the wait', () =>
  whileHeld(60_000, async (directory, kill) => {
    expect(await run('get', directory, 'a')).toMatchObject({ status: 0, stdout: '1' })
    const refused = await run('put', directory, 'b', '2')
    expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining('[XENON_LOCKED]') })
    const compact = startCommand('compact', directory, '--lock-wait', 'Infinity')
    const put = startCommand('put', '--lock-wait', '60000', directory, 'b', '2')
    await new Promise(resolve => setTimeout(resolve, 1500))
    compact.process.kill('SIGINT')
    const { status, signal } = await compact.outcome
    expect(status === 130 || signal === 'SIGINT').toBe(true)
    kill()
    expect(await put.outcome).toMatchObject({ status: 0 })
    expect(await run('get', directory, 'b')).toMatchObject({ status: 0, stdout: '2' })
    expect(await run('get', directory, 'a', '--lock-wait', 'soon')).toMatchObject({ status: 2 })
    expect(await run('verify', directory, '--takeover', '--lock-wait=5')).toMatchObject({ status: 0 })
  }))

test('lockWait and takeover are checked', () => {
  for (const lockWait of [-1, Number.NaN, '5'] as never[])
    expectCode(() => open('never', { lockWait }), 'XENON_INVALID_ARGUMENT')
  expectCode(() => open('never', { takeover: 1 as never }), 'XENON_INVALID_ARGUMENT')
})
