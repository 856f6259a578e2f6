import { once } from 'node:events';
import { MessageChannel, Worker } from 'node:worker_threads';
import { afterAll } from 'vitest';
import { PortDatabase } from '../../src/worker/index.js';
import { contract } from './async-store.js';
const worker = new Worker(new URL('owner.mjs', import.meta.url));
let databases = 0;
afterAll(() => worker.terminate());
contract({
    name: 'xenondb/worker',
    async open(options) {
        const { port1, port2 } = new MessageChannel();
        const id = databases++;
        worker.postMessage({ id, options, port: port2 }, [port2]);
        const store = new PortDatabase(port1);
        return {
            store,
            async finish() {
                await store.close();
                worker.postMessage({ id });
                const [remains] = (await once(worker, 'message'));
                return remains;
            },
        };
    },
});
//# sourceMappingURL=worker.test.js.map