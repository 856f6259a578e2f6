import { describe, test } from 'vitest';
import { memoryStorage } from '../../src/index.js';
import { withDatabase } from '../support/database.js';
import { runs, runTimeout, seeded } from '../support/random.js';
import { randomKeys, randomText } from './keys-and-values.js';
import { RandomRun } from './random-run.js';
function rows() {
    const result = [];
    for (const blockSize of [4096, 8192, 16384, 32768, 65536]) {
        for (const durability of ['power', 'process', 'none']) {
            const i = result.length;
            result.push({
                blockSize,
                durability,
                where: i % 2 === 0 ? 'disk' : 'memory',
                frames: [16, 64, undefined][(i + Math.floor(i / 3)) % 3],
                values: i % 4 < 2 ? 'utf8' : 'binary',
                keys: [60, 400, 3000][(i + 1) % 3],
            });
        }
    }
    return result;
}
const STEPS = 600;
describe('a long random run agrees with a Map', () => {
    for (const row of rows()) {
        const pool = row.frames === undefined ? 'the default pool' : `${row.frames} frames`;
        const name = `blocks of ${row.blockSize}, ${row.durability}, ${row.where}, ${pool}, ${row.keys} keys, ${row.values}`;
        test(name, () => seeded(random => (row.values === 'utf8' ? runText(row, random) : runBinary(row, random))), runTimeout);
    }
});
function optionsOf(row) {
    return {
        blockSize: row.blockSize,
        durability: row.durability,
        checkpointBytes: 256 * 1024,
        logSegmentBytes: 128 * 1024,
        ...(row.frames === undefined ? {} : { cacheBytes: row.frames * row.blockSize }),
        ...(row.where === 'memory' ? { storage: memoryStorage() } : {}),
    };
}
async function runText(row, random) {
    await withDatabase({ ...optionsOf(row), valueEncoding: 'utf8' }, subject => new RandomRun(subject, random, {
        keys: randomKeys(random, row.keys),
        value: length => randomText(random, length),
        lengthOf: value => Buffer.byteLength(value),
        blockSize: row.blockSize,
        preloadBytes: row.blockSize * 150,
    }).run(STEPS * runs));
}
async function runBinary(row, random) {
    await withDatabase({ ...optionsOf(row), valueEncoding: 'binary' }, subject => new RandomRun(subject, random, {
        keys: randomKeys(random, row.keys),
        value: length => random.bytes(length),
        lengthOf: value => value.length,
        blockSize: row.blockSize,
        preloadBytes: row.blockSize * 150,
    }).run(STEPS * runs));
}
//# sourceMappingURL=long-runs.test.js.map