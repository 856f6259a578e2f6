// A worker of the page that is measured: one store, by its name, does all that is measured of it.
import sqlite3InitModule from '@sqlite.org/sqlite-wasm'
import { BrowserLevel } from 'browser-level'
import { openDB } from 'idb'
import { open, opfsStorage } from '../../dist/browser/index.js'

const VALUE = 'x'.repeat(100)
/** Neighbours in time are none in order. */
const keyOf = i => `k${String((i * 7919) % 1_000_003).padStart(14, '0')}`
const last = '\uffff'

const opened = {
  async xenondb() {
    const storage = await opfsStorage('bench')
    const db = open('bench', { storage })
    return {
      put: (key, value) => db.put(key, value),
      putMany: records => Promise.all(records.map(([key, value]) => db.async.put(key, value))),
      load: records => db.batch(records.map(([key, value]) => ({ type: 'put', key, value }))),
      get: key => db.get(key),
      getMany: keys => db.getMany(keys),
      range: (gte, limit) => [...db.entries({ gte, limit })],
      close() {
        db.close()
        storage.dispose()
      },
    }
  },

  async 'idb (strict)'() {
    const db = await openDB('bench-idb', 1, { upgrade: each => each.createObjectStore('kv') })
    const putMany = async records => {
      const tx = db.transaction('kv', 'readwrite', { durability: 'strict' })
      for (const [key, value] of records) tx.store.put(value, key)
      await tx.done
    }
    return {
      put: (key, value) => putMany([[key, value]]),
      putMany,
      load: putMany,
      get: key => db.get('kv', key),
      getMany: keys => {
        const { store } = db.transaction('kv')
        return Promise.all(keys.map(key => store.get(key)))
      },
      async range(gte, limit) {
        const { store } = db.transaction('kv')
        const bounds = IDBKeyRange.lowerBound(gte)
        const [keys, values] = await Promise.all([store.getAllKeys(bounds, limit), store.getAll(bounds, limit)])
        return keys.map((key, i) => [key, values[i]])
      },
      close: () => db.close(),
    }
  },

  // Its transactions are not strict: what it has written may be lost with the power.
  async 'browser-level'() {
    const db = new BrowserLevel('bench-level')
    await db.open()
    const putMany = records => db.batch(records.map(([key, value]) => ({ type: 'put', key, value })))
    return {
      put: (key, value) => db.put(key, value),
      putMany,
      load: putMany,
      get: key => db.get(key),
      getMany: keys => db.getMany(keys),
      range: (gte, limit) => db.iterator({ gte, lte: last, limit }).all(),
      close: () => db.close(),
    }
  },

  async 'sqlite-wasm (SAH pool, WAL)'() {
    const sqlite = await sqlite3InitModule({ locateFile: () => '/sqlite3.wasm', print() {}, printErr() {} })
    const pool = await sqlite.installOpfsSAHPoolVfs({})
    const start = performance.now()
    const db = new pool.OpfsSAHPoolDb('/bench.db')
    db.exec('PRAGMA locking_mode=exclusive; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL')
    db.exec('CREATE TABLE IF NOT EXISTS kv (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID')
    const insert = db.prepare('INSERT OR REPLACE INTO kv VALUES (?, ?)')
    const select = db.prepare('SELECT value FROM kv WHERE key = ?')
    const scan = db.prepare('SELECT key, value FROM kv WHERE key >= ? ORDER BY key LIMIT ?')
    const put = (key, value) => void insert.bind([key, value]).stepReset()
    const putMany = records => {
      db.exec('BEGIN')
      for (const [key, value] of records) put(key, value)
      db.exec('COMMIT')
    }
    const get = key => {
      select.bind([key])
      const value = select.step() ? select.get(0) : undefined
      select.reset()
      return value
    }
    return {
      // The engine itself is loaded once.
      openedIn: performance.now() - start,
      put,
      putMany,
      load: putMany,
      get,
      getMany: keys => {
        db.exec('BEGIN')
        const values = keys.map(get)
        db.exec('COMMIT')
        return values
      },
      range(gte, limit) {
        const found = []
        scan.bind([gte, limit])
        while (scan.step()) found.push(scan.get([]))
        scan.reset()
        return found
      },
      close() {
        for (const statement of [insert, select, scan]) statement.finalize()
        db.close()
        pool.pauseVfs()
      },
    }
  },
}

/** Microseconds of one call. What is done at once is not waited for. */
const each = async (count, call) => {
  const start = performance.now()
  for (let i = 0; i < count; i++) {
    const result = call(i)
    if (result instanceof Promise) await result
  }
  return ((performance.now() - start) / count) * 1000
}

const expect = (holds, what) => {
  if (!holds) throw new Error(`${what} is wrong`)
}

const measure = async (name, records, calls) => {
  const first = await opened[name]()
  const all = Array.from({ length: records }, (_, i) => [keyOf(i), VALUE])
  const start = performance.now()
  for (let i = 0; i < records; i += 1000) await first.load(all.slice(i, i + 1000))
  const load = ((performance.now() - start) / records) * 1000
  await first.close()
  const before = performance.now()
  const store = await opened[name]()
  expect((await store.get(keyOf(records - 1))) === VALUE, 'get')
  const open = performance.now() - before
  const { openedIn = open } = store
  const put = await each(calls, i => store.put(keyOf(i), VALUE))
  const thousand = await each(5, round => store.putMany(all.slice(round * 1000, round * 1000 + 1000)))
  const get = await each(calls * 5, i => store.get(keyOf((i * 31) % records)))
  const keys = all.slice(0, 1000).map(([key]) => key)
  const batched = (await each(10, () => store.getMany(keys))) / 1000
  const found = await store.range(keyOf(0), 100)
  expect(found.length === 100, 'range')
  const range = await each(calls, i => store.range(keyOf(i % (records / 2)), 100))
  await store.close()
  return { open: openedIn, load, put, thousand: thousand / 1000, get, batched, range }
}

addEventListener('message', async ({ data: { name, records, calls } }) => {
  try {
    postMessage({ figures: await measure(name, records, calls) })
  } catch (error) {
    postMessage({ error: `${error.name}: ${error.message}` })
  }
})
