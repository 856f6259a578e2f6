/** The example for Next.js: built, started, built again beside itself, changed under `next dev`. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { open } from '../../src/index.ts'
import { withDirectory } from '../support/directory.ts'
import { address, INSTALLING, installed, type Program, start, stop } from './support.ts'

const next = (folder: string, command: string, database: string): Program =>
  start(folder, ['node_modules/next/dist/bin/next', command, ...(command === 'build' ? [] : ['--port', '0'])], {
    DATABASE: database,
  })

const add = async (url: string, text: string): Promise<number> =>
  (await fetch(`${url}/api/notes`, { method: 'POST', body: JSON.stringify({ text }) })).status

const texts = async (url: string): Promise<string[]> =>
  [...(await (await fetch(url)).text()).matchAll(/<li>([^<]*)<\/li>/g)].map(([, text]) => text!).sort()

const verified = async (directory: string): Promise<number> => {
  const db = open(directory, { valueEncoding: 'json' })
  expect((await db.verify()).ok).toBe(true)
  const count = db.count()
  db.close()
  return count
}

test('Next.js: pages and routes share a handle, and `next build` runs beside the application', INSTALLING, context =>
  withDirectory(async directory => {
    const folder = await installed('next', context)
    const database = join(directory, 'db')
    const built = next(folder, 'build', database)
    expect(await built.ended, built.output()).toBe(0)
    const program = next(folder, 'start', database)
    const url = await address(program)
    expect(await Promise.all(['a', 'b', 'c'].map(text => add(url, text)))).toEqual([201, 201, 201])
    expect(await texts(url)).toEqual(['a', 'b', 'c'])

    // A second process, as PM2 in cluster mode starts it, waits for `lockWait` and is refused.
    const second = next(folder, 'start', database)
    expect(await add(await address(second), 'd')).toBe(500)
    expect(second.output()).toMatch(/is open in process \d+; .*XENON_LOCKED/s)
    await stop(second)

    const again = next(folder, 'build', database)
    expect(await again.ended, again.output()).toBe(0)
    expect(await add(url, 'd')).toBe(201)
    await stop(program)
    expect(await verified(database)).toBe(4)
  }),
)

test('Next.js: a changed module is evaluated again, and finds the handle', INSTALLING, context =>
  withDirectory(async directory => {
    const folder = await installed('next', context)
    const database = join(directory, 'db')
    const module = join(folder, 'lib/notes.js')
    const source = readFileSync(module, 'utf8')
    onTestFinished(() => writeFileSync(module, source))
    const program = next(folder, 'dev', database)
    const url = await address(program)
    expect(await add(url, 'before')).toBe(201)
    expect(await texts(url)).toEqual(['before'])

    writeFileSync(module, `${source}\nconsole.log('evaluated again')\n`)
    await vi.waitFor(
      async () => {
        expect(await texts(url)).toEqual(['before'])
        expect(program.output()).toContain('evaluated again')
      },
      { timeout: 60_000, interval: 250 },
    )
    expect(await add(url, 'after')).toBe(201)
    expect(await texts(url)).toEqual(['after', 'before'])
    expect(program.output()).not.toContain('XENON_LOCKED')
    await stop(program)
    expect(await verified(database)).toBe(2)
  }),
)
