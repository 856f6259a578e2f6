import { expect, test } from 'vitest';
import { withDatabase } from '../support/database.js';
import { Random, seeded } from '../support/random.js';
const FRAMES = 16;
const BLOCK = 4096;
const TARGET = FRAMES * BLOCK * 1000;
function recordKey(n) {
    return `record/${n}`;
}
function recordValue(n, version) {
    const random = new Random(n * 7 + version);
    const length = n % 40 === 0 ? random.between(20_000, 120_000) : random.between(500, 3_500);
    return random.bytes(length);
}
test('a database 1,000 times larger than a pool of 16 frames is loaded, read, changed and reopened', () => seeded(random => withDatabase({
    blockSize: BLOCK,
    cacheBytes: FRAMES * BLOCK,
    durability: 'none',
    valueEncoding: 'binary',
    checkpointBytes: 8 << 20,
    logSegmentBytes: 1 << 20,
}, async (subject) => {
    const { db } = subject;
    let count = 0;
    for (let bytes = 0; bytes < TARGET;) {
        const first = count;
        db.transaction(tx => {
            while (count < first + 100 && bytes < TARGET) {
                const value = recordValue(count, 0);
                tx.put(recordKey(count), value);
                bytes += value.length;
                count++;
            }
        });
    }
    const { cache, dataBytes, records } = db.stats();
    expect(records).toBe(count);
    expect(cache.frames).toBe(FRAMES);
    expect(cache.evictions).toBeGreaterThan(1000);
    await db.checkpoint();
    expect(Math.max(dataBytes, db.stats().dataBytes)).toBeGreaterThanOrEqual(TARGET);
    const versions = new Uint8Array(count);
    expectScan(db, versions);
    for (let i = 0; i < 500; i++) {
        const n = random.below(count);
        db.put(recordKey(n), recordValue(n, ++versions[n]));
    }
    expectSome(db, versions, random);
    const reopened = subject.reopen();
    expect(reopened.stats().records).toBe(count);
    expectSome(reopened, versions, random);
    expectScan(reopened, versions);
    expect(reopened.get(recordKey(count))).toBeUndefined();
})));
function expectSome(db, versions, random) {
    for (let i = 0; i < 3000; i++) {
        const n = random.below(versions.length);
        const found = db.get(recordKey(n));
        if (found === undefined || Buffer.compare(found, recordValue(n, versions[n])) !== 0) {
            expect.fail(`record ${n} is not as it was put`);
        }
    }
}
function expectScan(db, versions) {
    const seen = new Uint8Array(versions.length);
    db.reset();
    while (db.next()) {
        const { key, value } = db.readCurrent();
        const n = Number(key.slice(7));
        if (seen[n] !== 0)
            expect.fail(`the cursor gave record ${n} twice, or one that was never put`);
        seen[n] = 1;
        if (Buffer.compare(value, recordValue(n, versions[n])) !== 0) {
            expect.fail(`the cursor gave record ${n} with a wrong value`);
        }
    }
    expect(seen.every(times => times === 1)).toBe(true);
}
//# sourceMappingURL=thousand-times-the-pool.test.js.map