import { expect, test } from 'vitest';
import { withMemoryDatabase } from '../support/database.js';
import { expectEqual } from '../support/model.js';
import { seeded } from '../support/random.js';
for (const blockSize of [4096, 16384, 65536])
    test(`a key that shares nothing goes among keys that share 900 bytes, in blocks of ${blockSize}`, () => withMemoryDatabase({ blockSize, durability: 'none' }, ({ db }) => {
        const records = new Map();
        const put = (key) => {
            db.put(key, 'v');
            records.set(key, 'v');
        };
        const shared = `b/${'x'.repeat(900)}`;
        for (let i = 0; i < 3000; i++)
            put(`${shared}${i}`);
        for (const key of ['a', 'b', 'b/', `b/${'x'.repeat(450)}`, `${shared}1500+`, `b/${'x'.repeat(899)}y`, 'c', 'a+'])
            put(key);
        expectEqual(db, records);
    }));
test('keys of random prefixes, lengths and orders find room', () => seeded(random => withMemoryDatabase({ durability: 'none' }, ({ db }) => {
    const records = new Map();
    const prefixes = Array.from({ length: 30 }, () => someText(random, random.below(980)));
    for (let group = 0; group < 60; group++) {
        const prefix = random.pick(prefixes).slice(0, random.between(1, 980));
        const size = random.between(1, 200);
        for (let i = 0; i < size; i++) {
            const key = `k${prefix}${random.below(2) === 0 ? i : someText(random, random.below(30))}`;
            db.put(key, 'v');
            records.set(key, 'v');
        }
    }
    expectEqual(db, records);
    for (const key of [...records.keys()].filter(() => random.chance(0.7))) {
        db.delete(key);
        records.delete(key);
    }
    expectEqual(db, records);
    expect(records.size).toBeGreaterThan(100);
})));
const someText = (random, length) => Array.from({ length }, () => String.fromCharCode(97 + random.below(3))).join('');
//# sourceMappingURL=room.test.js.map