import { Worker } from 'node:worker_threads';
const THREADS = 4;
const PLACES = 1024;
const SHORTEST_SLEEP_MS = 1;
const { waitAsync } = Atomics;
const wait = `
  const cell = new Int32Array(new SharedArrayBuffer(4))
  const now = () => performance.timeOrigin + performance.now()
  const waitUntil = until => {
    const ms = until - now()
    if (ms >= ${SHORTEST_SLEEP_MS}) Atomics.wait(cell, 0, 0, ms - 0.1)
    while (now() < until);
  }`;
const cell = new Int32Array(new SharedArrayBuffer(4));
function block(milliseconds) {
    const until = performance.now() + milliseconds;
    if (milliseconds >= SHORTEST_SLEEP_MS)
        Atomics.wait(cell, 0, 0, milliseconds - 0.1);
    while (performance.now() < until)
        ;
}
export class SlowDisk {
    #milliseconds;
    #threads;
    #ended = new Int32Array(new SharedArrayBuffer(4 * PLACES));
    #next = 0;
    constructor(inner, milliseconds) {
        this.#milliseconds = milliseconds;
        this.#threads = Array.from({ length: THREADS }, () => this.#thread());
        this.storage = {
            ...inner,
            syncsAside: true,
            open: (path, options) => this.#slow(inner.open(path, options)),
            syncDirectory: () => block(milliseconds),
            syncDirectoryAside: () => this.#sync(),
        };
    }
    async close() {
        await Promise.all(this.#threads.map(thread => thread.terminate()));
    }
    #thread() {
        const thread = new Worker(`const { parentPort, workerData: ended } = require('node:worker_threads');${wait}
       parentPort.on('message', ([place, until]) => {
         waitUntil(until)
         Atomics.store(ended, place, 1)
         Atomics.notify(ended, place)
       })`, { eval: true, workerData: this.#ended });
        thread.unref();
        return thread;
    }
    async #sync() {
        const until = performance.timeOrigin + performance.now() + this.#milliseconds;
        const place = this.#next++ % PLACES;
        Atomics.store(this.#ended, place, 0);
        const { value } = waitAsync(this.#ended, place, 0);
        this.#threads[place % THREADS].postMessage([place, until]);
        await value;
    }
    #slow(file) {
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
        };
    }
}
//# sourceMappingURL=slow-disk.js.map