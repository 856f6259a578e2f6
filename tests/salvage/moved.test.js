import { expect, test, vi } from 'vitest';
import { open } from '../../src/index.js';
import { readImage, storageOf } from '../support/image.js';
import { firstDifference } from '../support/model.js';
import { runs, runTimeout, seeded } from '../support/random.js';
import { layoutOf, smash } from './damage.js';
import { expectComplete, salvaged } from './salvaging.js';
vi.setConfig({ testTimeout: runTimeout });
async function images(random, work) {
    const storage = storageOf(new Map());
    const db = open('db', {
        storage,
        durability: 'process',
        cacheBytes: 262_144,
        checkpointBytes: 262_144,
        logSegmentBytes: 131_072,
    });
    const records = new Map();
    for (let i = 0; i < 3000; i++) {
        const length = random.chance(0.02) ? random.between(2000, 20_000) : random.below(250);
        records.set(`key ${i}`, `${i} `.padEnd(length, '.'));
    }
    db.batch([...records].map(([key, value]) => ({ type: 'put', key, value })));
    for (const key of [...records.keys()])
        if (random.chance(0.7)) {
            db.delete(key);
            records.delete(key);
        }
    const taken = [];
    let reports = 0;
    await work(db, () => {
        if (++reports % 12 === 1)
            taken.push(readImage('db', storage));
    });
    taken.push(readImage('db', storage));
    db.close();
    return { images: taken, closed: readImage('db', storage), records };
}
for (const [name, work] of [
    ['compacted', (db, onProgress) => db.compact({ onProgress })],
    [
        'converted',
        async (db, onProgress) => {
            await db.convert(false, { onProgress });
            onProgress();
            await db.convert(true, { onProgress });
        },
    ],
])
    test(`a database that is being ${name} is rescued whole at any moment`, () => seeded(async (random) => {
        const { images: taken, closed, records } = await images(random, work);
        expect(taken.length).toBeGreaterThan(1);
        for (const image of [...random.shuffle(taken).slice(0, 10 * runs), closed]) {
            const { report, records: found } = await salvaged(image);
            expect(firstDifference(found, records)).toBeUndefined();
            expectComplete(report);
        }
        for (const image of random.shuffle([...taken, closed]).slice(0, 4 * runs)) {
            image.get('data').fill(0xa5, 512, 1536);
            const { records: found } = await salvaged(image);
            expect(firstDifference(found, records)).toBeUndefined();
        }
    }));
test('a compacted database with damaged buckets loses what they hold, and no more', () => seeded(async (random) => {
    const { closed, records } = await images(random, db => db.compact());
    const { uses } = layoutOf(closed);
    const lost = new Set();
    for (const [block, { kind, keys }] of uses) {
        if (kind !== 'bucket' || !random.chance(0.1))
            continue;
        smash(closed, block, random);
        for (const key of keys)
            lost.add(key);
    }
    const { report, records: found } = await salvaged(closed);
    for (const [key, value] of found)
        expect(value).toBe(records.get(key));
    for (const key of records.keys())
        if (!lost.has(key))
            expect(found.has(key), key).toBe(true);
    if (report.blocks.rebuilt === 0)
        expect(found.size).toBe(records.size - lost.size);
}));
//# sourceMappingURL=moved.test.js.map