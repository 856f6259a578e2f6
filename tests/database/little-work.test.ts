/** What opening and closing leave undone where nobody needs it. */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { open } from '../../src/index.ts'
import { withDirectory } from '../support/directory.ts'

/** Timers that a function begins. */
const timersOf = (work: () => void): number => {
  const asked = vi.spyOn(globalThis, 'setTimeout')
  try {
    work()
    return asked.mock.calls.length
  } finally {
    asked.mockRestore()
  }
}

test('an open begins no timer where no record has ever expired', () =>
  withDirectory(async directory => {
    const path = join(directory, 'db')
    const openAndClose = (): void => open(path).close()
    expect(timersOf(openAndClose)).toBe(0)
    const db = open(path)
    db.put('stays', 'a')
    db.close()
    expect(timersOf(openAndClose)).toBe(0)
    const again = open(path)
    expect((await again.verify()).ok).toBe(true)
    again.close()
  }))

test('what has expired is swept after an open, also of a database whose first record that expires came late', () =>
  withDirectory(async directory => {
    const path = join(directory, 'db')
    open(path).close()
    const db = open(path)
    db.put('goes', 'a', { ttl: 1 })
    db.put('stays', 'b')
    await vi.waitFor(() => expect(db.stats().expired).toBe(1), { timeout: 30_000 })
    db.put('goes too', 'c', { ttl: 1 })
    db.close()
    const again = open(path)
    await vi.waitFor(() => expect(again.stats().expired).toBe(1), { timeout: 30_000 })
    expect([...again.keys()]).toEqual(['stays'])
    expect((await again.verify()).ok).toBe(true)
    again.close()
  }))

test('a close knows its own lock, and leaves one that names somebody else', () =>
  withDirectory(async directory => {
    const path = join(directory, 'db')
    const lock = join(path, 'lock')
    open(path).close()
    expect(existsSync(lock)).toBe(false)
    const db = open(path)
    const text = readFileSync(lock, 'utf8')
    writeFileSync(lock, text.replace(/"nonce":"[0-9a-f]+"/, '"nonce":"0123456789abcdef01234567"'))
    db.close()
    expect(readFileSync(lock, 'utf8')).toContain('0123456789abcdef01234567')
  }))

test('a close without a change makes good what the reserve for full disks has lost', () =>
  withDirectory(async directory => {
    const path = join(directory, 'db')
    const reserve = join(path, 'log', 'reserve')
    const db = open(path)
    db.put('a', 'b')
    db.close()
    const { size } = statSync(reserve)
    expect(size).toBe(1048576)
    writeFileSync(reserve, '')
    open(path).close()
    expect(statSync(reserve).size).toBe(size)
  }))
