// A worker with a database: does what the page asks for, by name. Bundled from the built package.
import { databaseNames, deleteDatabase, memoryStorage, open, opfsStorage } from '../../dist/browser/index.js'

let storage
let db

const tasks = {
  async open(name, options = {}) {
    storage = await opfsStorage(name)
    const start = performance.now()
    db = open(name, { storage, ...options })
    return performance.now() - start
  },
  close() {
    db.close()
    storage.dispose()
  },
  put: (key, value) => db.put(key, value),
  get: key => db.get(key),
  count: () => db.count(),
  entries: range => [...db.entries(range)],
  transfer() {
    db.transaction(tx => {
      tx.put('a', 'in a transaction')
      tx.delete('b')
    })
    try {
      db.transaction(tx => {
        tx.put('a', 'taken back')
        throw new Error('no')
      })
    } catch {}
    return db.get('a')
  },
  async sub() {
    const sub = db.sub('users', { valueEncoding: 'json', keyEncoding: 'tuple' })
    await sub.async.put(['ada', 1], { born: 1815 })
    return [...sub.entries({ prefix: ['ada'] })]
  },
  load(count) {
    for (let i = 0; i < count; i += 1000)
      db.batch(
        Array.from({ length: Math.min(1000, count - i) }, (_, j) => ({
          type: 'put',
          key: `k${((i + j) * 7919) % 1000003}`,
          value: 'x'.repeat(100),
        })),
      )
    return db.count()
  },
  /** Writes for ever, and tells the page what is durable. */
  async write(from) {
    for (let i = from; ; i++) {
      db.put(`w${i}`, `${i}`)
      postMessage({ durable: i })
      if (i % 50 === 0) await new Promise(resolve => setTimeout(resolve))
    }
  },
  async verify() {
    const { ok, problems } = await db.verify()
    return { ok, problems }
  },
  stats: () => ({ storage: db.stats().storage ?? storage.name, files: storage.list('.').length }),
  memory() {
    const other = open('m', { storage: memoryStorage() })
    other.put('a', '1')
    const found = other.get('a')
    other.close()
    return found
  },
  withoutStorage: () => open('m', {}),
  /** Compacts for ever, and tells the page how often it has. */
  async compact() {
    for (let i = 0; ; i++) {
      for (let j = 0; j < 200; j++) db.put(`c${j}`, `${i}`)
      postMessage({ durable: i })
      await db.compact()
    }
  },
  dispose: () => storage.dispose(),
  closeAlone: () => db.close(),
  async twice(name) {
    const all = await Promise.allSettled([opfsStorage(name), opfsStorage(name)])
    for (const { value } of all) value?.dispose()
    return all.map(({ status, reason }) => reason?.code ?? status)
  },
  names: () => databaseNames(),
  remove: name => deleteDatabase(name),
  /** Microseconds of a durable put, of a get, of a record of a batch of 1,000. */
  async measure() {
    const time = async (count, work) => {
      const start = performance.now()
      for (let i = 0; i < count; i++) work(i)
      return ((performance.now() - start) / count) * 1000
    }
    await time(200, i => db.put(`p${i}`, 'x'.repeat(100)))
    const put = await time(1000, i => db.put(`p${i}`, 'y'.repeat(100)))
    const get = await time(20000, i => db.get(`p${i % 1000}`))
    const range = await time(1000, i => [...db.entries({ gte: `k${i}`, limit: 100 })])
    const start = performance.now()
    await Promise.all(Array.from({ length: 1000 }, (_, i) => db.async.put(`q${i}`, 'z')))
    return { put, get, range, thousand: performance.now() - start }
  },
}

addEventListener('message', async ({ data: { id, task, args } }) => {
  try {
    postMessage({ id, result: await tasks[task](...args) })
  } catch (error) {
    postMessage({ id, error: { code: error.code, message: error.message } })
  }
})

// For a page that tries it itself.
export { opfsStorage }
