/** The contract of `AsyncStore`, kept by the port of a database in another thread. */
import { once } from 'node:events'
import { MessageChannel, Worker } from 'node:worker_threads'
import { PortDatabase } from '../../src/worker/index.ts'
import { contract } from './async-store.ts'
import type { Remains } from './implementation.ts'

contract({
  name: 'xenondb/worker',
  async open<V>(options: object) {
    const { port1, port2 } = new MessageChannel()
    const worker = new Worker(new URL('owner.mjs', import.meta.url), {
      workerData: { options, port: port2 },
      transferList: [port2],
    })
    const store = new PortDatabase<V>(port1)
    return {
      store,
      async finish() {
        await store.close()
        worker.postMessage('finish')
        const [remains] = (await once(worker, 'message')) as [Remains]
        await worker.terminate()
        return remains
      },
    }
  },
})
