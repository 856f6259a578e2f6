import { NOT_SUPPORTED } from './stores/store.js';
import { workloads } from './workloads/workloads.js';
const stores = {
    xenondb: () => import('./stores/xenondb.js'),
    'xenondb-hash': async () => ({ openStore: (await import('./stores/xenondb.js')).openUnordered }),
    lmdb: () => import('./stores/lmdb.js'),
    sqlite: () => import('./stores/better-sqlite3.js'),
    'node-sqlite': () => import('./stores/node-sqlite.js'),
    level: () => import('./stores/level.js'),
    'level-array': async () => ({ openStore: (await import('./stores/level.js')).openStoreWithArrays }),
};
process.once('message', async (job) => {
    const reply = await answer(job);
    process.send?.(reply, () => process.exit(0));
});
async function answer(job) {
    try {
        const workload = workloads[job.workload];
        if (workload === undefined)
            throw new Error(`there is no workload '${job.workload}'`);
        const { openStore } = await stores[job.store]();
        return { metrics: await workload(job, openStore) };
    }
    catch (error) {
        if (error.code === NOT_SUPPORTED)
            return { skipped: error.message };
        return { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    }
}
//# sourceMappingURL=runner.js.map