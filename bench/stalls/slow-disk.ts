/**
 * A storage whose syncs take a given time and do nothing else: `sync` blocks so long, `syncAsync` takes as long on
 * another thread. The time begins with the call; the way back from that thread is the real one.
 */
import { Worker } from 'node:worker_threads'
import type { File, Storage } from 'xenondb'

/** As many as there are threads in libuv's pool. */
const THREADS = 4
/** Most syncs at a time. */
const PLACES = 1024
/** Shorter waits are spun: a sleep takes 50 µs longer than it was asked to. */
const SHORTEST_SLEEP_MS = 1

/** Younger than the library that TypeScript is told to use. */
const { waitAsync } = Atomics as unknown as {
  waitAsync(cells: Int32Array, at: number, value: number): { value: Promise<string> | string }
}

const wait = `
  const cell = new Int32Array(new SharedArrayBuffer(4))
  const now = () => performance.timeOrigin + performance.now()
  const waitUntil = until => {
    const ms = until - now()
    if (ms >= ${SHORTEST_SLEEP_MS}) Atomics.wait(cell, 0, 0, ms - 0.1)
    while (now() < until);
  }`

const cell = new Int32Array(new SharedArrayBuffer(4))

function block(milliseconds: number): void {
  const until = performance.now() + milliseconds
  if (milliseconds >= SHORTEST_SLEEP_MS) Atomics.wait(cell, 0, 0, milliseconds - 0.1)
  while (performance.now() < until);
}

export class SlowDisk {
  readonly storage: Storage
  readonly #milliseconds: number
  readonly #threads: Worker[]
  /** A word for each sync under way: 1 once it has ended. */
  readonly #ended: Int32Array<SharedArrayBuffer> = new Int32Array(new SharedArrayBuffer(4 * PLACES))
  #next = 0

  constructor(inner: Storage, milliseconds: number) {
    this.#milliseconds = milliseconds
    this.#threads = Array.from({ length: THREADS }, () => this.#thread())
    this.storage = {
      ...inner,
      syncsAside: true,
      open: (path, options) => this.#slow(inner.open(path, options)),
      syncDirectory: () => block(milliseconds),
      syncDirectoryAside: () => this.#sync(),
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map(thread => thread.terminate()))
  }

  #thread(): Worker {
    const thread = new Worker(
      `const { parentPort, workerData: ended } = require('node:worker_threads');${wait}
       parentPort.on('message', ([place, until]) => {
         waitUntil(until)
         Atomics.store(ended, place, 1)
         Atomics.notify(ended, place)
       })`,
      { eval: true, workerData: this.#ended },
    )
    thread.unref()
    return thread
  }

  async #sync(): Promise<void> {
    const until = performance.timeOrigin + performance.now() + this.#milliseconds
    const place = this.#next++ % PLACES
    Atomics.store(this.#ended, place, 0)
    const { value } = waitAsync(this.#ended, place, 0)
    this.#threads[place % THREADS]!.postMessage([place, until])
    await value
  }

  #slow(file: File): File {
    return {
      path: file.path,
      size: () => file.size(),
      read: (...place) => file.read(...place),
      write: (...place) => file.write(...place),
      writeMany: (...place) => file.writeMany(...place),
      truncate: size => file.truncate(size),
      sync: () => block(this.#milliseconds),
      syncAsync: () => this.#sync(),
      close: () => file.close(),
    }
  }
}
