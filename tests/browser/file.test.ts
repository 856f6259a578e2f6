/** A whole database as one file: from Node to a browser, and back. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { open as openHere, restore } from '../../src/index.ts'
import { expectVerified } from '../support/database.ts'
import { withDirectory } from '../support/directory.ts'
import { hasBrowser, NO_BROWSER, withTabs } from './pages.ts'

if (!hasBrowser) console.log(NO_BROWSER)

describe.skipIf(!hasBrowser)('a database', () => {
  test('that was made in Node is the same in a browser, and back in Node with what was changed there', () =>
    withDirectory(async directory => {
      const db = openHere(join(directory, 'made'), { durability: 'none' })
      db.transaction(tx => {
        for (let i = 0; i < 20_000; i++) tx.put(`key ${i}`, `value ${i}`)
        tx.put('large', 'ä'.repeat(2_000_000))
      })
      db.sub('people', { valueEncoding: 'json', keyEncoding: 'tuple' }).put(['ada', 1], { born: 1815 })
      db.put('expires', 'x', { ttl: 3_600_000 })
      const path = join(directory, 'made.tar')
      await db.backup(path, { asFile: true })
      const records = [...db.entries()]
      await expectVerified(db)
      db.close()
      const whole = readFileSync(path)
      const damaged = Buffer.from(whole)
      damaged[100_000]! ^= 1
      const files = { '/made.tar': whole, '/damaged.tar': damaged, '/cut.tar': whole.subarray(0, 1_000_000) }
      await withTabs(async open => {
        const tab = await open()
        for (const file of ['/damaged.tar', '/cut.tar', '/tab.js']) {
          const code = await tab.evaluate(file => codeOf(() => importFrom('db', file)), file)
          expect([file, code]).toEqual([file, 'XENON_CORRUPT'])
        }
        expect(await tab.evaluate(() => codeOf(() => xenon.importDatabase('db', 'file' as never)))).toBe(
          'XENON_INVALID_ARGUMENT',
        )
        await tab.evaluate(() => importFrom('db', '/made.tar'))
        expect(await tab.evaluate(() => codeOf(() => importFrom('db', '/made.tar')))).toBe('XENON_EXISTS')
        const other = await open()
        for (const each of [tab, other]) await each.evaluate(() => globalThis.openStore('db'))
        expect(await tab.evaluate(() => codeOf(() => importFrom('db', '/made.tar')))).toBe('XENON_LOCKED')
        const found = await other.evaluate(async () => {
          const store = stores.get('db')!
          const people = await store.sub<{ born: number }>('people', { valueEncoding: 'json', keyEncoding: 'tuple' })
          return {
            records: await store.entries().toArray(),
            ada: await people.get(['ada', 1] as never),
            ttl: await store.ttl('expires'),
            sound: (await store.verify()).ok,
          }
        })
        expect(found.records).toEqual(records)
        expect([found.ada, found.sound]).toEqual([{ born: 1815 }, true])
        expect(found.ttl).toBeGreaterThan(3_000_000)
        // From the tab that follows, while the other one writes.
        const text = await other.evaluate(async () => {
          const store = stores.get('db')!
          await store.put('key 1', 'changed')
          const file = store.exportFile()
          await Promise.all(Array.from({ length: 200 }, (_, i) => store.put(`later ${i}`, 'x')))
          return await textOf(await file)
        })
        writeFileSync(path, Buffer.from(text, 'base64'))
        for (const each of [other, tab]) await each.evaluate(() => stores.get('db')!.close())
      }, files)
      await restore(path, join(directory, 'back'))
      const back = openHere(join(directory, 'back'))
      const expected = records.map(([key, value]) => [key, key === 'key 1' ? 'changed' : value])
      expect([...back.entries()].filter(([key]) => !key.startsWith('later'))).toEqual(expected)
      expect(back.sub('people', { valueEncoding: 'json', keyEncoding: 'tuple' }).get(['ada', 1])).toEqual({
        born: 1815,
      })
      await expectVerified(back)
      back.close()
    }))
})
