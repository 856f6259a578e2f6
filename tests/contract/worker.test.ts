/** The contract of `AsyncStore`, kept by the port of a database in another thread. */
import { once } from 'node:events'
import { MessageChannel, Worker } from 'node:worker_threads'
import { afterAll } from 'vitest'
import { PortDatabase } from '../../src/worker/index.ts'
import { isLong } from '../support/long.ts'
import { contract } from './async-store.ts'
import { type Implementation, inSub, type Remains } from './implementation.ts'

const worker = new Worker(new URL('owner.mjs', import.meta.url))
let databases = 0

afterAll(() => worker.terminate())

const implementation: Implementation = {
  name: 'xenondb/worker',
  async open<V>(options: object) {
    const { port1, port2 } = new MessageChannel()
    const id = databases++
    worker.postMessage({ id, options, port: port2 }, [port2])
    const store = new PortDatabase<V>(port1)
    return {
      store,
      async finish() {
        await store.close()
        worker.postMessage({ id })
        const [remains] = (await once(worker, 'message')) as [Remains]
        return remains
      },
    }
  },
}

contract(implementation)
if (isLong) contract(inSub(implementation))
