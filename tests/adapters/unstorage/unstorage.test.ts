/** The driver for unstorage, in its real storage: items, mounts, snapshots, time to live, watching, sharing. */
import { setTimeout as pause } from 'node:timers/promises'
import { createStorage, prefixStorage, restoreSnapshot, snapshot } from 'unstorage'
import memoryDriver from 'unstorage/drivers/memory'
import { describe, expect, test } from 'vitest'
import { type XenonDriverOptions, xenonDriver } from '../../../src/adapters/unstorage/index.ts'
import { memoryStorage, open } from '../../../src/index.ts'
import { expectVerified } from '../../support/database.ts'
import { withDirectory } from '../../support/directory.ts'
import { expectCode, expectCodeAsync, wrong } from '../../support/errors.ts'

/** A storage over a database of its own, which is verified at the end. */
async function withStorage(
  work: (storage: ReturnType<typeof createStorage>, given: XenonDriverOptions) => Promise<unknown>,
): Promise<void> {
  await withDirectory(async parent => {
    const directory = `${parent}/db`
    const given = { directory, durability: 'process' } as const
    const storage = createStorage({ driver: xenonDriver(given) })
    await work(storage, given)
    await storage.dispose()
    const db = open(directory, { valueEncoding: 'binary' })
    await expectVerified(db)
    db.close()
  })
}

describe('the driver for unstorage', () => {
  test('keeps what unstorage keeps: texts, numbers, objects, bytes', () =>
    withStorage(async storage => {
      await storage.setItem('user:ada', { name: 'Ada', born: 1815 })
      await storage.setItem('text', 'ä')
      await storage.setItem('number', 42)
      await storage.setItemRaw('bytes', new Uint8Array([0, 255]))
      expect(await storage.getItem('user:ada')).toEqual({ name: 'Ada', born: 1815 })
      expect([await storage.getItem('text'), await storage.getItem('number')]).toEqual(['ä', 42])
      expect(new Uint8Array((await storage.getItemRaw('bytes'))!)).toEqual(new Uint8Array([0, 255]))
      expect([await storage.getItem('none'), await storage.getItemRaw('none')]).toEqual([null, null])
      expect([await storage.hasItem('text'), await storage.hasItem('none')]).toEqual([true, false])
      await storage.setItems<number | object>([
        { key: 'a', value: 1 },
        { key: 'b', value: { n: 2 } },
      ])
      expect(await storage.getItems(['b', 'none', 'a'])).toEqual([
        { key: 'b', value: { n: 2 } },
        { key: 'none', value: null },
        { key: 'a', value: 1 },
      ])
      await storage.removeItem('a')
      expect(await storage.hasItem('a')).toBe(false)
      await storage.setMeta('text', { mtime: new Date(5) })
      expect((await storage.getMeta('text')).mtime).toEqual(new Date(5))
      await expectCodeAsync(() => storage.setItemRaw('x', wrong({ n: 1 })), 'XENON_INVALID_ARGUMENT')
    }))

  test('lists, clears, mounts and restores by prefixes', () =>
    withStorage(async storage => {
      for (const key of ['user:ada', 'user:alan', 'users', 'post:1', 'post:2:draft']) await storage.setItem(key, key)
      expect(await storage.getKeys('user')).toEqual(['user:ada', 'user:alan'])
      expect((await storage.getKeys()).sort()).toEqual(['post:1', 'post:2:draft', 'user:ada', 'user:alan', 'users'])
      expect(await storage.getKeys('post', { maxDepth: 1 })).toEqual(['post:1'])
      const users = prefixStorage(storage, 'user')
      expect([await users.getItem('ada'), (await users.getKeys()).length]).toEqual(['user:ada', 2])
      const saved = await snapshot(storage, 'user')
      // unstorage itself clears whole mounts only.
      await storage.getMount().driver.clear!('user:', {})
      expect(await storage.getKeys('user')).toEqual([])
      expect(await storage.hasItem('users')).toBe(true)
      await restoreSnapshot(storage, saved, 'user')
      expect(await storage.getItem('user:alan')).toBe('user:alan')
      const outer = createStorage({ driver: memoryDriver() })
      const db = open('db', { storage: memoryStorage(), valueEncoding: 'binary' })
      outer.mount('cache', xenonDriver({ store: db.async }))
      await outer.setItem('cache:a', '1')
      await outer.setItem('other', '2')
      expect([await outer.getItem('cache:a'), db.count()]).toEqual([1, 1])
      await outer.clear('cache')
      expect(db.count()).toBe(0)
      await outer.setItem('cache:a', '1')
      expect((await outer.getKeys()).sort()).toEqual(['cache:a', 'other'])
      await outer.unmount('cache')
      expect([await outer.getItem('cache:a'), db.closed]).toEqual([null, false])
      db.close()
    }))

  test('lets items expire, in seconds', () =>
    withDirectory(async parent => {
      const storage = createStorage({ driver: xenonDriver({ directory: `${parent}/db`, ttl: 100 }) })
      await storage.setItem('default', '1')
      await storage.setItem('short', '1', { ttl: 0.05 })
      await storage.setItem('for ever', '1', { ttl: 0 })
      await storage.setItems([{ key: 'item', value: '1', options: { ttl: 50 } }], { ttl: 10 })
      expect((await storage.getMeta('default')).ttl).toBeGreaterThan(90)
      expect((await storage.getMeta('item')).ttl).toBeGreaterThan(40)
      expect((await storage.getMeta('for ever')).ttl).toBeUndefined()
      await pause(80)
      expect(await storage.hasItem('short')).toBe(false)
      await expectCodeAsync(() => storage.setItem('a', 'b', { ttl: 'soon' }), 'XENON_INVALID_ARGUMENT')
      await storage.dispose()
    }))

  test('shares its directory, and tells of what others change', () =>
    withStorage(async (storage, given) => {
      const other = createStorage({ driver: xenonDriver(given) })
      const seen: string[] = []
      const unwatch = await storage.watch((event, key) => void seen.push(`${event} ${key}`))
      await other.setItem('a', '1')
      expect(await storage.getItem('a')).toBe(1)
      await other.removeItem('a')
      await storage.setItem('b', '2')
      while (seen.length < 3) await pause(5)
      expect(seen).toEqual(['update a', 'remove a', 'update b'])
      await unwatch()
      await other.setItem('c', '3')
      await pause(20)
      expect(seen).toHaveLength(3)
      await other.dispose()
      expect(await storage.getItem('c')).toBe(3)
    }))

  test('says what is wrong with its options, and opens again after a failure', () =>
    withDirectory(async parent => {
      for (const given of [undefined, {}, { directory: '' }, { store: {} }, { directory: 'a', ttl: -1 }])
        expectCode(() => xenonDriver(wrong(given)), 'XENON_INVALID_ARGUMENT')
      const storage = createStorage({
        driver: xenonDriver({ directory: `${parent}/db`, createIfMissing: false }),
      })
      await expectCodeAsync(() => storage.getItem('a'), 'XENON_NOT_FOUND')
      open(`${parent}/db`, { valueEncoding: 'binary' }).close()
      expect(await storage.getItem('a')).toBeNull()
      await storage.dispose()
      await storage.dispose()
    }))
})
