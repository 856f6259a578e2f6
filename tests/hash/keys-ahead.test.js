import { describe, expect, test } from 'vitest';
import { KEYS_AHEAD } from '../../src/hash/keys-ahead.js';
import { withMemoryDatabase } from '../support/database.js';
import { expectCode } from '../support/errors.js';
import { expectEqual } from '../support/model.js';
import { runs, seeded } from '../support/random.js';
function anyKey(random, keys) {
    const n = random.below(keys);
    const kind = n % 7;
    if (kind === 0)
        return `schlüssel ${n}`;
    if (kind === 1)
        return `${'long '.repeat(20)}${n}`;
    if (kind === 2)
        return new TextEncoder().encode(`bytes ${n}`);
    return `key ${n}`;
}
const nameOf = (key) => (typeof key === 'string' ? key : new TextDecoder().decode(key));
for (const ordered of [true, false])
    for (const [blockSize, frames] of [
        [4096, 4096],
        [4096, 1400],
        [65536, 90],
    ])
        test(`batches and getMany agree with a Map, blocks of ${blockSize}, ${frames} frames, ordered: ${ordered}`, () => seeded(random => withMemoryDatabase({ blockSize, cacheBytes: frames * blockSize, ordered, durability: 'process' }, ({ db }) => {
            const model = new Map();
            let poolBytes = 0;
            for (let round = 0; round < 120 * runs; round++) {
                const operations = Array.from({ length: random.below(400) }, (_, i) => {
                    const key = anyKey(random, 30_000);
                    return random.chance(0.1)
                        ? { type: 'delete', key }
                        : { type: 'put', key, value: `${round} ${i} `.repeat(random.below(60)) };
                });
                for (const operation of operations) {
                    if (operation.type === 'put')
                        model.set(nameOf(operation.key), operation.value);
                    else
                        model.delete(nameOf(operation.key));
                }
                db.batch(operations);
                const keys = Array.from({ length: random.below(100) }, () => anyKey(random, 30_000));
                expect(db.getMany(keys)).toEqual(keys.map(key => model.get(nameOf(key))));
                poolBytes = Math.max(poolBytes, db.stats().cache.bytes);
            }
            expect(poolBytes, 'large enough to be worth looking ahead').toBeGreaterThan(4 << 20);
            expectEqual(db, model);
        })));
test('keys side by side, put, deleted and put again in one batch, go where they belong while leaves split and merge', () => seeded(random => withMemoryDatabase({ cacheBytes: 64 << 20, durability: 'process' }, ({ db }) => {
    const model = new Map();
    const change = (operations) => {
        for (const operation of operations) {
            if (operation.type === 'put')
                model.set(nameOf(operation.key), operation.value);
            else
                model.delete(nameOf(operation.key));
        }
        db.batch(operations);
    };
    const keyOf = (group, n) => `group ${group} ${String(n).padStart(5, '0')}`;
    const filler = 'x'.repeat(200);
    change(Array.from({ length: 20_000 }, (_, i) => ({ type: 'put', key: keyOf(i % 20, i * 4), value: filler })));
    expect(db.stats().cache.bytes, 'large enough to be worth looking ahead').toBeGreaterThan(4 << 20);
    for (let round = 0; round < 60 * runs; round++) {
        const group = random.below(20);
        const first = random.below(80_000);
        const share = random.pick([0.05, 0.5, 0.95]);
        change(Array.from({ length: random.below(600) }, (_, i) => {
            const key = keyOf(group, first + (random.chance(0.5) ? i : random.below(600)));
            return random.chance(share) ? { type: 'delete', key } : { type: 'put', key, value: `${round}` };
        }));
        if (round % 20 === 0)
            expectEqual(db, model);
    }
    expectEqual(db, model);
})));
test('keys behind the last one of a leaf go behind those that had no room there', () => seeded(random => withMemoryDatabase({ cacheBytes: 64 << 20, durability: 'process' }, ({ db }) => {
    const model = new Map();
    const put = (keys, value) => {
        for (const key of keys)
            model.set(key, value);
        db.batch(keys.map(key => ({ type: 'put', key, value })));
    };
    put(Array.from({ length: 20_000 }, (_, i) => `before ${i}`), 'x'.repeat(200));
    for (let n = 10_000; n < 10_000 + 1000 * runs; n++) {
        put(Array.from({ length: random.below(20) }, (_, i) => `in order ${n} ${String(i).padStart(2, '0')}`), '');
        put([`in order ${n} long ${'x'.repeat(random.below(40))}`, `in order ${n} z`], '');
    }
    expectEqual(db, model);
})));
test('a record that a decode stores while getMany looks ahead goes where it belongs, though a batch has failed before', () => {
    let hook;
    const valueEncoding = {
        name: 'calls a hook',
        encode: (value) => new TextEncoder().encode(value),
        decode: (bytes) => {
            hook?.();
            return new TextDecoder().decode(bytes);
        },
    };
    return withMemoryDatabase({ cacheBytes: 64 << 20, durability: 'process', valueEncoding }, ({ db }) => {
        const present = Array.from({ length: 20_000 }, (_, i) => `before ${((i * 7919) % 20_011) * 3}`);
        db.batch(present.map(key => ({ type: 'put', key, value: 'x'.repeat(200) })));
        expect(db.stats().cache.bytes, 'large enough to be worth looking ahead').toBeGreaterThan(4 << 20);
        for (let round = 0; round < 30; round++) {
            const operations = Array.from({ length: 31 }, (_, i) => ({
                type: 'put',
                key: `before ${i * 600 + round}!`,
                value: '',
            }));
            operations.splice(1, 0, { type: 'put', key: 'x'.repeat(2000), value: '' });
            expectCode(() => db.batch(operations), 'XENON_KEY_TOO_LARGE');
            const missing = `before x${round}`;
            hook = () => {
                hook = undefined;
                db.put(missing, 'from a decode');
            };
            const absent = Array.from({ length: 20 }, (_, i) => `none ${i}`);
            expect(db.getMany([...absent, present[0], missing]).at(-1)).toBe('from a decode');
            expect(hook).toBeUndefined();
        }
    });
});
describe('a batch', () => {
    const puts = (from, to) => Array.from({ length: to - from }, (_, i) => ({
        type: 'put',
        key: `key ${from + i}`,
        value: `${from + i}`,
    }));
    test('of the same key again and again leaves the last value', () => withMemoryDatabase({}, ({ db }) => {
        db.batch(puts(0, 3 * KEYS_AHEAD).map(put => ({ ...put, key: 'same' })));
        expectEqual(db, new Map([['same', `${3 * KEYS_AHEAD - 1}`]]));
    }));
    test('whose operations read the database while they are read leaves what it says', () => withMemoryDatabase({}, ({ db }) => {
        db.batch(puts(1000, 1100));
        const operations = puts(0, 100).map((put, i) => ({
            type: 'put',
            get key() {
                return put.key;
            },
            get value() {
                db.getMany([`key ${i + 1}`, `key ${i}`, 'key 1003', 'key 1004', 'key 1005']);
                if (i % 10 === 0)
                    [...db.entries({ limit: 50 })];
                if (i % 7 === 0)
                    db.get(`key ${i + 2}`);
                return `${i}`;
            },
        }));
        db.batch(operations);
        const expected = [...puts(0, 100), ...puts(1000, 1100)];
        expectEqual(db, new Map(expected.map(({ key, value }) => [nameOf(key), value])));
    }));
    test('whose operations change the database while they are read comes after those changes, and takes none back', () => withMemoryDatabase({}, ({ db }) => {
        db.put('a', 'before');
        const nested = (key, rest) => ({
            get type() {
                db.put(key, 'from a getter');
                return 'put';
            },
            ...rest,
        });
        expectCode(() => db.batch([{ type: 'put', key: 'a', value: 'batch' }, nested('a', {})]), 'XENON_INVALID_ARGUMENT');
        expectEqual(db, new Map([['a', 'from a getter']]));
        const puts = [{ type: 'put', key: 'a', value: 'batch' }];
        Object.defineProperty(puts[0], 'value', {
            get() {
                db.put('a', 'from a getter');
                db.put('b', 'from a getter');
                return 'batch';
            },
        });
        db.batch(puts);
        expectEqual(db, new Map([
            ['a', 'batch'],
            ['b', 'from a getter'],
        ]));
    }));
    test.each([
        ['an empty key', { type: 'put', key: '', value: 'x' }, 'XENON_INVALID_ARGUMENT'],
        ['a key that is too long', { type: 'put', key: 'x'.repeat(2000), value: 'x' }, 'XENON_KEY_TOO_LARGE'],
        ['a number for a key', { type: 'delete', key: 7 }, 'XENON_INVALID_ARGUMENT'],
        ['nothing for an operation', undefined, 'XENON_INVALID_ARGUMENT'],
    ])('with %s in the middle changes nothing, and the next one is served', (_, bad, code) => withMemoryDatabase({}, ({ db }) => {
        const good = puts(0, 2 * KEYS_AHEAD);
        expectCode(() => db.batch([...good.slice(0, 40), bad, ...good.slice(40)]), code);
        expectEqual(db, new Map());
        db.put('key 41', 'alone');
        db.batch(good);
        expect(db.get('key 41')).toBe('41');
        expect(db.stats().records).toBe(good.length);
    }));
});
//# sourceMappingURL=keys-ahead.test.js.map