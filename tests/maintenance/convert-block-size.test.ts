/** convert(dir, { blockSize }): the same records in blocks of another size. */
import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { convert } from '../../src/index.ts'
import { expectVerified, withDatabase } from '../support/database.ts'
import { expectCodeAsync } from '../support/errors.ts'

interface User {
  name: string
  city: string
}

test('keeps records, times of expiry, compression, sub-databases and what indexes say', () =>
  withDatabase({ compression: 'deflate' }, async ({ db, directory, reopen }) => {
    for (let i = 0; i < 300; i++) db.put(`key ${i}`, `${i} `.repeat(i % 7 === 0 ? 4000 : 800))
    db.put('expires', 'soon', { ttl: 1e9 })
    const users = db.sub<User>('users', { valueEncoding: 'json' })
    users.index('city', user => user.city)
    users.put('ada', { name: 'Ada', city: 'London' })
    users.put('edvard', { name: 'Edvard', city: 'Bergen' })
    users.sub('posts').put('1', 'hello')
    const tuples = db.sub<string, [string, number]>('tuples', { keyEncoding: 'tuple' })
    tuples.put(['a', 1], 'x')
    const before = [...db.entries()]
    const ttl = db.ttl('expires')!
    db.close()
    const progress: number[] = []
    await convert(directory, { blockSize: 16384, onProgress: ({ done, total }) => progress.push(done / total) })
    expect(progress.at(-1)).toBe(1)
    expect(readdirSync(directory).sort()).toEqual(['data', 'log'])
    const again = reopen()
    expect(again.stats().blockSize).toBe(16384)
    expect([...again.entries()]).toEqual(before)
    expect(again.ttl('expires')).toBeLessThanOrEqual(ttl)
    expect(again.ttl('expires')).toBeGreaterThan(ttl - 60_000)
    expect(again.subs()).toEqual(['tuples', 'users'])
    const usersAgain = again.sub<User>('users', { valueEncoding: 'json' })
    const byCity = usersAgain.index('city', user => user.city)
    await byCity.ready
    expect(byCity.get('Bergen')?.name).toBe('Edvard')
    expect(usersAgain.sub('posts').get('1')).toBe('hello')
    expect(again.sub<string, [string, number]>('tuples', { keyEncoding: 'tuple' }).get(['a', 1])).toBe('x')
    await expectVerified(again, 301)
  }))

test('values of 2.4 KB take a fifth less, and the warning goes', () =>
  withDatabase({ durability: 'none' }, async ({ db, directory, reopen }) => {
    for (let i = 0; i < 4000; i++) db.put(`key ${(i * 7919) % 4000}`, 'x'.repeat(2400))
    expect(db.health().warnings.map(({ code }) => code)).toEqual(['block-size'])
    const before = db.stats().blocks.total * 4096
    db.close()
    await convert(directory, { blockSize: 8192 })
    const again = reopen()
    expect(again.stats().blocks.total * 8192).toBeLessThan(0.88 * before)
    again.put('one more', 'x'.repeat(2400))
    expect(again.health()).toMatchObject({ largeValues: { count: 0 }, warnings: [] })
  }))

test('with and without the ordered index, and the same size changes nothing', () =>
  withDatabase({ ordered: false }, async ({ db, directory, reopen }) => {
    db.put('b', '2')
    db.put('a', '1')
    const { uuid } = db.stats()
    db.close()
    await convert(directory, { blockSize: 4096 })
    expect(reopen().stats().uuid).toBe(uuid)
    reopen().close()
    await convert(directory, { blockSize: 8192 })
    const unordered = reopen()
    expect(unordered.stats()).toMatchObject({ ordered: false, blockSize: 8192, records: 2 })
    unordered.close()
    await convert(directory, { blockSize: 65536, ordered: true })
    const ordered = reopen({ ordered: true })
    expect([...ordered.keys()]).toEqual(['a', 'b'])
    expect(ordered.stats().blockSize).toBe(65536)
  }))

test('an open database, one that is not there, and sizes that there are not, are refused', () =>
  withDatabase({}, async ({ db, directory }) => {
    db.put('a', '1')
    await expectCodeAsync(() => convert(directory, { blockSize: 8192 }), 'XENON_LOCKED')
    await expectCodeAsync(() => convert(`${directory}-none`, { blockSize: 8192 }), 'XENON_NOT_FOUND')
    for (const blockSize of [0, 5000, 131_072, '8192'])
      await expectCodeAsync(() => convert(directory, { blockSize: blockSize as never }), 'XENON_INVALID_ARGUMENT')
    await expectCodeAsync(() => convert(directory, {}), 'XENON_INVALID_ARGUMENT')
    await expectCodeAsync(() => convert(directory, undefined as never), 'XENON_INVALID_ARGUMENT')
    expect(readdirSync(`${directory}/..`)).toEqual(['db'])
  }))

test('a damaged database stays as it is', () =>
  withDatabase({ durability: 'none' }, async ({ db, directory, reopen }) => {
    const { readFileSync, writeFileSync } = await import('node:fs')
    for (let i = 0; i < 3000; i++) db.put(`key ${i}`, 'x'.repeat(100))
    db.close()
    const sound = readFileSync(`${directory}/data`)
    const bytes = Buffer.from(sound)
    bytes[50 * 4096 + 200]! ^= 1
    writeFileSync(`${directory}/data`, bytes)
    await expectCodeAsync(() => convert(directory, { blockSize: 8192 }), 'XENON_CORRUPT')
    expect(readdirSync(`${directory}/..`)).toEqual(['db'])
    expect(readFileSync(`${directory}/data`).equals(bytes)).toBe(true)
    writeFileSync(`${directory}/data`, sound)
    expect(reopen().stats()).toMatchObject({ blockSize: 4096, records: 3000 })
  }))
