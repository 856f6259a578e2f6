/** A reader whose database is removed or replaced: once it has noticed, whatever is asked is XENON_MOVED. */
import { renameSync, rmSync } from 'node:fs'
import { expect, test } from 'vitest'
import { type Database, open } from '../../src/index.ts'
import { withDirectory } from '../support/directory.ts'
import { expectCode, expectCodeAsync } from '../support/errors.ts'

const filled = (directory: string, text: string): Database => {
  const db = open(directory)
  for (let i = 0; i < 300; i++) db.put(`key ${i}`, text)
  return db
}

test.each(['removed', 'replaced'])('a reader whose database was %s says so, whatever is asked', how =>
  withDirectory(async parent => {
    const directory = `${parent}/db`
    filled(directory, 'x').close()
    const reader = open(directory, { readOnly: true })
    expect(reader.get('key 1')).toBe('x')
    renameSync(directory, `${parent}/before`)
    if (how === 'replaced') filled(directory, 'y').close()
    expectCode(() => reader.refresh(), 'XENON_MOVED')
    if (how === 'removed') expectCode(() => reader.stats(), 'XENON_MOVED')
    // What it has open it may show on, until something asks for the files by their names.
    expect(reader.get('key 1')).toBe('x')
    await expectCodeAsync(() => reader.verify(), 'XENON_MOVED')
    for (const ask of [
      () => reader.get('key 1'),
      () => reader.count(),
      () => reader.stats(),
      () => reader.refresh(),
      () => reader.snapshot(),
      () => [...reader.keys()],
    ])
      expectCode(ask, 'XENON_MOVED')
    await expectCodeAsync(() => reader.verify(), 'XENON_MOVED')
    reader.close()
    rmSync(`${parent}/before`, { recursive: true })
  }),
)

test('a reader counts in verify what it shows: open transactions have neither put nor deleted anything', () =>
  withDirectory(async parent => {
    const db = filled(`${parent}/db`, 'x')
    const tx = await db.async.begin()
    for (let i = 0; i < 7; i++) await tx.delete(`key ${i}`)
    for (let i = 0; i < 3; i++) await tx.put(`new ${i}`, 'y')
    await db.checkpoint()
    const reader = open(`${parent}/db`, { readOnly: true })
    for (const each of [reader, db]) {
      const { ok, records } = await each.verify()
      expect([ok, records, each.count()]).toEqual([true, 300, 300])
    }
    await tx.commit()
    reader.refresh()
    expect([(await reader.verify()).records, reader.count()]).toEqual([296, 296])
    reader.close()
    db.close()
  }))
