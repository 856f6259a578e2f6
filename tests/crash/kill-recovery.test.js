import { rmSync } from 'node:fs';
import { expect, test } from 'vitest';
import { open } from '../../src/index.js';
import { pause, startChild } from '../support/child.js';
import { closeQuietly, expectVerified } from '../support/database.js';
import { withDirectory } from '../support/directory.js';
import { readImage, writeImage } from '../support/image.js';
import { expectEqual } from '../support/model.js';
import { runs, seeded } from '../support/random.js';
const KILLS_IN_A_ROW = 4;
const KILLS = 4 * KILLS_IN_A_ROW * runs;
const options = {
    durability: 'process',
    cacheBytes: 32 * 4096,
    checkpointBytes: 256 << 20,
    logSegmentBytes: 1 << 20,
};
test(`a recovery killed ${KILLS} times loses nothing and leaves no half transaction`, () => seeded(random => withDirectory(async (parent) => {
    const { image, expected } = crash(`${parent}/source`, random);
    const whole = measure(image, `${parent}/measured`);
    const directory = `${parent}/db`;
    for (let kill = 0; kill < KILLS; kill++) {
        if (kill % KILLS_IN_A_ROW === 0) {
            rmSync(directory, { recursive: true, force: true });
            writeImage(directory, image);
        }
        await openAndKill(directory, random.below(whole));
        if (kill % KILLS_IN_A_ROW < KILLS_IN_A_ROW - 1)
            continue;
        const db = open(directory, options);
        try {
            expectEqual(db, expected);
            await expectVerified(db, expected.size);
        }
        finally {
            closeQuietly(db);
        }
    }
})), 60_000 + 3_000 * KILLS);
function crash(directory, random) {
    const expected = new Map();
    const db = open(directory, options);
    for (let i = 0; i < 6_000; i++) {
        const key = `record ${random.below(3000)}`;
        const value = `${i} `.repeat(random.between(1, 60));
        db.put(key, value);
        expected.set(key, value);
    }
    const loser = db.begin();
    for (let i = 0; i < 2_000; i++)
        loser.put(`record ${i}`, 'never committed');
    const image = readImage(directory);
    db.close();
    return { image, expected };
}
function measure(image, directory) {
    writeImage(directory, image);
    const started = performance.now();
    const db = open(directory, options);
    const milliseconds = performance.now() - started;
    expect(db.stats().recovery.needed).toBe(true);
    expect(db.stats().recovery.transactionsRolledBack).toBe(1);
    db.close();
    return Math.max(2, Math.round(milliseconds));
}
async function openAndKill(directory, delay) {
    const child = startChild('support/opener.mjs', [directory, JSON.stringify(options)]);
    try {
        await child.firstLine;
        await pause(delay);
    }
    finally {
        child.kill();
    }
    await child.ended;
}
//# sourceMappingURL=kill-recovery.test.js.map