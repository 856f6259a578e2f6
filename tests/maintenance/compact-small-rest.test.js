import { expect, test } from 'vitest';
import { open } from '../../src/index.js';
import { crashPolicies, FaultDisk } from '../../src/testing/fault.js';
import { hashOf, keysOfRoot } from '../hash/keys.js';
import { expectVerified, withMemoryDatabase } from '../support/database.js';
import { expectEqual } from '../support/model.js';
import { runs, seeded } from '../support/random.js';
const KEY_BYTES = 15;
const VALUE = 'v'.repeat(100);
const RECORD_BYTES = KEY_BYTES + VALUE.length;
const keyOf = (random) => `${random.next()}`.padEnd(KEY_BYTES, '0').slice(0, KEY_BYTES);
const thin = (db, random, count, left) => {
    const keys = new Set();
    while (keys.size < count)
        keys.add(keyOf(random));
    const all = [...keys];
    for (let i = 0; i < count; i += 1000)
        db.batch(all.slice(i, i + 1000).map(key => ({ type: 'put', key, value: VALUE })));
    db.batch(all.slice(left).map(key => ({ type: 'delete', key })));
    return new Map(all.slice(0, left).map(key => [key, VALUE]));
};
const structureOf = (db) => db.engine.structure;
for (const [left, ordered, most] of [
    [10_000, true, 1.5],
    [10_000, false, 1.35],
    [3000, true, 1.85],
])
    test(`${left} records of 40,000, ordered: ${ordered}, take ${most} times their bytes at most`, () => seeded(random => withMemoryDatabase({ ordered, durability: 'none' }, async (subject) => {
        const records = thin(subject.db, random, 40_000, left);
        const { bytesAfter } = await subject.db.compact();
        expect(bytesAfter / (left * RECORD_BYTES)).toBeLessThan(most);
        const report = await expectVerified(subject.db, left);
        expect(report.blocks.directory).toBeLessThan(5);
        expect(report.maxDepth).toBeLessThanOrEqual(4);
        expectEqual(subject.db, records);
        if (ordered)
            expect([...subject.db.keys()]).toEqual([...records.keys()].sort());
        expectEqual(subject.reopen(), records);
        const before = structureOf(subject.db).counts.merges;
        expect((await subject.db.compact()).bytesAfter).toBe(bytesAfter);
        expect(structureOf(subject.db).counts.merges).toBe(before);
    })));
for (const frames of [16, 400])
    test(`one index block grows, shrinks and is compacted again and again, ${frames} frames`, () => seeded(random => withMemoryDatabase({ cacheBytes: frames * 4096, durability: 'process' }, async (subject) => {
        const keys = keysOfRoot(hashOf(subject), 42, 600, random);
        const records = new Map();
        const depths = new Set();
        for (let round = 0; round < 25 * runs; round++) {
            const { db } = subject;
            const share = random.pick([0.1, 0.3, 0.5, 0.9]);
            const most = random.pick([20, 100, 100, 1300, 9000]);
            for (const key of random.shuffle(keys).slice(0, random.below(300))) {
                if (random.chance(share)) {
                    const value = 'abc'.repeat(random.below(most / 3));
                    db.put(key, value);
                    records.set(key, value);
                }
                else
                    expect(db.delete(key)).toBe(records.delete(key));
            }
            if (random.chance(0.7))
                await db.compact();
            const { maxDepth } = await expectVerified(db, records.size);
            depths.add(maxDepth);
            expectEqual(db, records);
            if (random.chance(0.2))
                subject.reopen();
        }
        expect(depths.size).toBeGreaterThan(2);
    })));
test('a loss of power at any time leaves all records, in a sound database', () => seeded(async (random) => {
    let during = 0;
    for (let run = 0; run < 6 * runs; run++) {
        const disk = new FaultDisk({ seed: random.next() });
        const options = { cacheBytes: 200 * 4096, checkpointBytes: 1_048_576, logSegmentBytes: 262_144 };
        const db = open('db', { ...options, storage: disk.storage });
        const count = random.between(1500, 9000);
        const records = thin(db, random, 9000, count);
        const crashed = [];
        let running = true;
        const compacting = db.compact().finally(() => {
            running = false;
        });
        while (running) {
            if (crashed.length < 12 && random.chance(0.3))
                crashed.push(disk.crash(random.pick(crashPolicies)));
            await new Promise(resolve => setImmediate(resolve));
        }
        await compacting;
        during += crashed.length;
        crashed.push(disk.crash(random.pick(crashPolicies)));
        expectEqual(db, records);
        db.close();
        for (const { storage } of crashed) {
            const after = open('db', { ...options, storage });
            expectEqual(after, records);
            await expectVerified(after, count);
            after.close();
        }
    }
    expect(during).toBeGreaterThan(5);
}));
//# sourceMappingURL=compact-small-rest.test.js.map