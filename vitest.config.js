import { defineConfig } from 'vitest/config';
import { SlowFirst } from './tests/slow-first.js';
const fast = [
    'tests/adapters/c.test.ts',
    'tests/adapters/keyv/*.test.ts',
    'tests/architecture.test.ts',
    'tests/bench/*.test.ts',
    'tests/buffer/images.test.ts',
    'tests/cli/{csv-parser,words}.test.ts',
    'tests/client/reader.test.ts',
    'tests/crash/recovered-images.test.ts',
    'tests/database/{cursor,cursor-flags,isolation,read-only,snapshot,transaction,verify-and-close}.test.ts',
    'tests/docs/api.test.ts',
    'tests/freelist/*.test.ts',
    'tests/golden/*.test.ts',
    'tests/hash/key.test.ts',
    'tests/log/*.test.ts',
    'tests/maintenance/{backup,convert}.test.ts',
    'tests/pager/*.test.ts',
    'tests/runtime/{callbacks,text-batch}.test.ts',
    'tests/salvage/{moved,sound}.test.ts',
    'tests/server/protocol/*.test.ts',
    'tests/storage/{contract,overlay}.test.ts',
    'tests/testing/*.test.ts',
    'tests/txn/{checkpoint,checkpoint-asked,locks}.test.ts',
    'tests/values/{compression,encoding}.test.ts',
];
const config = defineConfig({
    test: {
        maxWorkers: 2,
        sequence: { sequencer: SlowFirst },
        projects: [
            {
                extends: true,
                test: { name: 'fast', include: fast, isolate: false, ...shared() },
            },
            {
                extends: true,
                test: { name: 'rest', include: ['tests/**/*.test.ts'], exclude: fast, ...shared() },
            },
        ],
    },
});
function shared() {
    return { testTimeout: 120_000, hookTimeout: 120_000, pool: 'forks' };
}
export default config;
//# sourceMappingURL=vitest.config.js.map