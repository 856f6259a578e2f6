import { expect, test } from 'vitest';
import { memoryStorage } from '../../src/index.js';
import { nodeStorage } from '../../src/storage/node.js';
import { withMemoryDatabase } from '../support/database.js';
import { scan } from '../support/model.js';
const START = 1_700_000_000_000;
for (const ordered of [true, false])
    test(`the cursor gives values as they were put, and skips what has expired (ordered: ${ordered})`, () => {
        const clock = { now: START };
        const storage = { ...memoryStorage(), now: () => clock.now, deflate: nodeStorage.deflate };
        return withMemoryDatabase({ storage, ordered, compression: 'deflate' }, async ({ db }) => {
            const records = fill(db);
            expect(scan(db)).toEqual(records);
            expect(db.stats().ordered).toBe(ordered);
            clock.now += 1000;
            for (const key of records.keys())
                if (key.includes('soon'))
                    records.delete(key);
            expect(scan(db)).toEqual(records);
            const tx = db.begin();
            tx.put('never committed', 'x');
            expect(scan(db)).toEqual(records);
            tx.rollback();
        });
    });
function fill(db) {
    const records = new Map();
    for (let i = 0; i < 200; i++)
        for (const [size, value] of [
            ['short', `${i}`],
            ['compressed', `${i} `.repeat(100)],
            ['large', Array.from({ length: 3000 }, (_, at) => (at * i * 2_654_435_761) % 1_000_003).join(' ')],
        ])
            for (const [life, options] of [
                ['for ever', {}],
                ['later', { ttl: 5000 }],
                ['soon', { ttl: 1000 }],
            ]) {
                if (size === 'large' && i > 3)
                    continue;
                db.put(`${size} ${life} ${i}`, value, options);
                records.set(`${size} ${life} ${i}`, value);
            }
    return records;
}
//# sourceMappingURL=cursor-flags.test.js.map