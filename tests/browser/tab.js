// A page that shares databases with its other tabs. Bundled from the built package; tests call what it puts on `window`.
import { databaseNames, deleteDatabase, importDatabase, openBrowser } from '../../dist/browser/index.js'

const stores = new Map()
let events = []

/** The code of the error that something rejects with. */
const codeOf = async work => {
  try {
    await work()
    return 'none'
  } catch (error) {
    return error.code ?? error.name
  }
}

Object.assign(globalThis, {
  codeOf,
  xenon: { databaseNames, deleteDatabase, importDatabase, openBrowser },
  stores,
  /** Opens a database under its name, and says what this tab is of it. */
  async openStore(name, options) {
    // A recovery takes its time where many tests run.
    const store = await openBrowser(name, { ownerTimeout: 60_000, ...options })
    for (const event of ['owner', 'lost']) store.on(event, () => events.push({ event, at: Date.now() }))
    stores.set(name, store)
    return store.role
  },
  xenonWorker: path => new Worker(path, { type: 'module' }),
  async importFrom(name, path) {
    const response = await fetch(path)
    await importDatabase(name, await response.blob())
  },
  /** The bytes of a blob, as text. */
  async textOf(blob) {
    const reader = new FileReader()
    const done = new Promise(resolve => {
      reader.onload = resolve
    })
    reader.readAsDataURL(blob)
    await done
    return reader.result.slice(reader.result.indexOf(',') + 1)
  },
  takeEvents() {
    const taken = events
    events = []
    return taken
  },
  /** In a browser without locks. */
  async withoutLocks(work) {
    const locks = Object.getOwnPropertyDescriptor(Navigator.prototype, 'locks')
    Object.defineProperty(Navigator.prototype, 'locks', { value: undefined, configurable: true })
    const result = await work()
    Object.defineProperty(Navigator.prototype, 'locks', locks)
    return result
  },
  /** What a test has heard of. */
  heard: [],
  /** Random calls against a model in memory: the first difference, or 'none'. */
  async runModel(name, seed, steps) {
    const store = stores.get(name)
    const model = new Map()
    let state = seed
    const below = most => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0
      return Math.floor((state / 2 ** 32) * most)
    }
    const keyIn = () => `m${String(below(300)).padStart(3, '0')}`
    const inRange = (from, to) =>
      [...model].filter(([key]) => key >= from && key < to).sort(([a], [b]) => (a < b ? -1 : 1))
    const differs = (found, expected) => JSON.stringify(found) !== JSON.stringify(expected)
    for (let i = 0; i < steps; i++) {
      globalThis.modelSteps = i
      const [what, key, value] = [below(10), keyIn(), `${i}`.repeat(1 + below(200))]
      if (what < 3) {
        await store.put(key, value)
        model.set(key, value)
      } else if (what === 3) {
        const [found, expected] = [await store.delete(key), model.delete(key)]
        if (found !== expected) return `step ${i}: delete ${key}: ${found}`
      } else if (what === 4) {
        const operations = Array.from({ length: below(20) }, () => ({ type: 'put', key: keyIn(), value }))
        await store.batch(operations)
        for (const each of operations) model.set(each.key, value)
      } else if (what === 5) {
        await store.transact(async tx => {
          await tx.put(key, `${(await tx.get(key)) ?? ''}!`)
          await tx.delete(`${key}x`)
        })
        model.set(key, `${model.get(key) ?? ''}!`)
      } else if (what === 6 && below(10) === 0) {
        await store.clear(key.slice(0, 3))
        for (const [each] of inRange(key.slice(0, 3), `${key.slice(0, 3)}\uffff`)) model.delete(each)
      } else if (what < 8) {
        const found = await store.get(key)
        if (found !== model.get(key)) return `step ${i}: get ${key}`
      } else {
        const to = keyIn()
        let found
        // An iterator ends with its owner, and is begun again.
        while (found === undefined)
          try {
            found = await store.entries({ gte: key, lt: to }).toArray()
          } catch (error) {
            if (error.code !== 'XENON_OWNER_LOST') throw error
          }
        if (differs(found, inRange(key, to))) return `step ${i}: entries ${key} to ${to}`
        if ((await store.count({ gte: key, lt: to })) !== found.length) return `step ${i}: count`
      }
    }
    return differs(await store.entries('m').toArray(), inRange('m', 'n')) ? 'in the end' : 'none'
  },
  /** What became of each write of this tab: acknowledged, or not known. */
  written: { done: [], unknown: [], failed: [] },
  /** Writes for ever, some at a time. */
  async write(name, prefix, atATime) {
    const store = stores.get(name)
    let next = 0
    const one = async () => {
      for (;;) {
        const key = `${prefix}${String(next++).padStart(6, '0')}`
        try {
          await store.put(key, key)
          written.done.push(key)
        } catch (error) {
          if (error.code === 'XENON_CLOSED') return
          if (error.code === 'XENON_OWNER_LOST' && error.sent) written.unknown.push(key)
          else written.failed.push(`${key}: ${error.code} ${error.message}`)
        }
      }
    }
    await Promise.all(Array.from({ length: atATime }, one))
  },
  ready: true,
})
