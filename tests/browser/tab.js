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
    const store = await openBrowser(name, options)
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
