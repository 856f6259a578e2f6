/** A database is made in a directory of its own: among other files only with `force`. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { memoryStorage, open } from '../../src/index.ts'
import { run } from '../cli/run.ts'
import { expectVerified } from '../support/database.ts'
import { withDirectory } from '../support/directory.ts'

test('a directory that holds other files is refused, and stays as it is', () =>
  withDirectory(async directory => {
    writeFileSync(`${directory}/package.json`, '{}')
    mkdirSync(`${directory}/src`)
    expect(() => open(directory)).toThrow(
      expect.objectContaining({ code: 'XENON_EXISTS', message: expect.stringContaining('package.json, src') }),
    )
    expect(readdirSync(directory).sort()).toEqual(['package.json', 'src'])
    // The way that the message names.
    const db = open(directory, { force: true })
    db.put('a', '1')
    db.close()
    // Once there is one, nothing is asked.
    const again = open(directory)
    expect(again.get('a')).toBe('1')
    await expectVerified(again)
    again.close()
  }))

test.each([
  ['.gitkeep', '.DS_Store', '.gitignore'],
  ['lost+found'],
  ['log', 'data.new', 'lock', 'lock.123.abc', 'inspect.json'],
])('hidden files, the root of a file system, and what a killed process has left are no other files: %s', (...names) =>
  withDirectory(async directory => {
    for (const name of names)
      if (/^(lost\+found|log)$/.test(name)) mkdirSync(`${directory}/${name}`)
      else writeFileSync(`${directory}/${name}`, '')
    const db = open(directory)
    db.put('a', '1')
    await expectVerified(db)
    db.close()
  }),
)

test('the same in memory', () => {
  const storage = memoryStorage()
  open('parent/child', { storage }).close()
  expect(() => open('parent', { storage })).toThrow(expect.objectContaining({ code: 'XENON_EXISTS' }))
  open('parent', { storage, force: true }).close()
  open('parent', { storage }).close()
  expect(() => open('x', { storage, force: 1 as never })).toThrow(
    expect.objectContaining({ code: 'XENON_INVALID_ARGUMENT' }),
  )
})

test('on the command line', () =>
  withDirectory(async directory => {
    writeFileSync(`${directory}/notes.txt`, 'mine')
    const refused = await run('put', directory, 'a', '1')
    expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining('[XENON_EXISTS]') })
    expect(existsSync(`${directory}/data`)).toBe(false)
    expect(await run('put', directory, 'a', '1', '--force')).toMatchObject({ status: 0 })
    expect(await run('get', directory, 'a')).toMatchObject({ status: 0, stdout: '1' })
  }))
