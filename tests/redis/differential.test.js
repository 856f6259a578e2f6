import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { withDirectory } from '../support/directory.js';
import { firstSeed, Random, runs, runTimeout } from '../support/random.js';
import { compareStream } from './compare.js';
import { hasRedis, NO_REDIS, startRedis, startXenon } from './servers.js';
let redis;
let finish;
let directory;
if (!hasRedis)
    console.log(NO_REDIS);
describe.skipIf(!hasRedis)('differential', () => {
    beforeAll(async () => {
        await new Promise(ready => {
            void withDirectory(path => {
                directory = path;
                ready();
                return new Promise(resolve => {
                    finish = resolve;
                });
            });
        });
        redis = await startRedis(directory);
    });
    afterAll(async () => {
        await redis?.stop();
        finish?.();
    });
    test('two redis-servers answer alike', async () => {
        const other = await startRedis(directory);
        try {
            await compare(other, 10, 200);
        }
        finally {
            await other.stop();
        }
    });
    test('so does one whose commits survive power loss', async () => {
        const xenon = await startXenon(`${directory}/durable`);
        try {
            await compare(xenon, 4, 200);
        }
        finally {
            await xenon.stop();
        }
    });
    test('xenondb answers as Redis does', async () => {
        const xenon = await startXenon(`${directory}/db`, '--durability', 'none');
        try {
            await compare(xenon, 150 * runs, 300);
        }
        finally {
            await xenon.stop();
        }
    }, runTimeout);
});
async function compare(tested, streams, length) {
    const first = firstSeed();
    const differences = [];
    for (let seed = first; seed < first + streams && differences.length < 10; seed++) {
        const difference = await compareStream(redis, tested, new Random(seed), length, seed % 2 === 0 ? 2 : 3);
        if (difference !== undefined)
            differences.push({ ...difference, seed });
    }
    const report = differences.map(({ seed, command, expected, found, before }) => `XENON_SEED=${seed}: ${command}\n  redis ${expected}\n  found ${found}\n    ${before.join('\n    ')}`);
    expect(report.join('\n\n')).toBe('');
}
//# sourceMappingURL=differential.test.js.map