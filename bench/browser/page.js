// The page that is measured: starts a worker for each store, and measures what a page sees of a database itself.
import { openBrowser } from '../../dist/browser/index.js'

/** Microseconds of a call, one after the other, and of many in flight. */
const ofCalls = async (calls, call) => {
  for (let i = 0; i < calls; i++) await call(i)
  let start = performance.now()
  for (let i = 0; i < calls; i++) await call(i)
  const alone = ((performance.now() - start) / calls) * 1000
  start = performance.now()
  for (let round = 0; round < 20; round++) await Promise.all(Array.from({ length: 256 }, (_, i) => call(i)))
  return { alone, pipelined: ((performance.now() - start) / (20 * 256)) * 1000 }
}

Object.assign(globalThis, {
  measure: (name, records, calls) =>
    new Promise((resolve, reject) => {
      const worker = new Worker('/bench-worker.js', { type: 'module' })
      worker.onmessage = ({ data: { figures, error } }) => {
        worker.terminate()
        if (error === undefined) resolve(figures)
        else reject(new Error(error))
      }
      worker.onerror = ({ message }) => reject(new Error(message))
      worker.postMessage({ name, records, calls })
    }),
  async openShared() {
    globalThis.store = await openBrowser('page')
    return store.role
  },
  /** What calls cost in this tab, whatever it is. */
  async measurePage(calls) {
    for (let i = 0; i < 1000; i++) await store.put(`key ${i}`, 'x'.repeat(100))
    const get = await ofCalls(calls, i => store.get(`key ${i % 1000}`))
    const put = await ofCalls(Math.min(calls, 500), i => store.put(`key ${i % 1000}`, 'y'.repeat(100)))
    return { get: get.alone, pipelined: get.pipelined, put: put.alone, puts: put.pipelined }
  },
  /** Milliseconds from now until this tab has an answer, once the owner's has been closed. */
  async waitForOwner() {
    await new Promise(resolve => store.on('lost', resolve))
    const start = performance.now()
    await store.get('key 1')
    return performance.now() - start
  },
  ready: true,
})
