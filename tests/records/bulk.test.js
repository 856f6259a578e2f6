import { describe, expect, test } from 'vitest';
import { withDatabase, withMemoryDatabase } from '../support/database.js';
import { expectCode, failureOf, wrong } from '../support/errors.js';
import { expectEqual, scan } from '../support/model.js';
describe('get, put and delete', () => {
    test('an absent key is undefined', () => withMemoryDatabase({}, ({ db }) => {
        expect(db.get('a')).toBeUndefined();
        expect(db.has('a')).toBe(false);
        db.put('a', '1');
        expect(db.get('b')).toBeUndefined();
    }));
    test('put adds, then replaces', () => withMemoryDatabase({}, ({ db }) => {
        expect(db.put('a', '1')).toBeUndefined();
        db.put('a', '2');
        expect(db.get('a')).toBe('2');
        expect(db.has('a')).toBe(true);
        expect(db.stats().records).toBe(1);
    }));
    test('delete says whether the record was there', () => withMemoryDatabase({}, ({ db }) => {
        db.put('a', '1');
        expect(db.delete('b')).toBe(false);
        expect(db.delete('a')).toBe(true);
        expect(db.delete('a')).toBe(false);
        expect(db.get('a')).toBeUndefined();
        expect(db.stats().records).toBe(0);
    }));
    test('an empty value is a value', () => withDatabase({}, ({ db, reopen }) => {
        db.put('a', '');
        expect(db.get('a')).toBe('');
        expect(db.has('a')).toBe(true);
        expect(db.getMany(['a', 'b'])).toEqual(['', undefined]);
        expect(reopen().get('a')).toBe('');
    }));
    for (const blockSize of [4096, 65536]) {
        test(`values of every length around the sizes that matter, blocks of ${blockSize}`, () => withMemoryDatabase({ valueEncoding: 'binary', blockSize }, ({ db, reopen }) => {
            const lengths = new Set();
            for (const center of [16, 128, 255, blockSize / 4, blockSize / 2, blockSize, 2 * blockSize, 65_536]) {
                const reach = center < 4096 || blockSize === 4096 ? 80 : 40;
                for (let length = center - reach; length <= center + reach; length++)
                    if (length >= 0)
                        lengths.add(length);
            }
            const recordValue = (length) => Uint8Array.from({ length }, (_, i) => i * 7 + length);
            for (const length of lengths)
                db.put('one key', recordValue(length));
            for (const length of lengths) {
                const key = `key ${length}`;
                const value = recordValue(length);
                db.put(key, value);
                if (Buffer.compare(db.get(key), value) !== 0)
                    expect.fail(`a value of ${length} bytes came back changed`);
            }
            const again = reopen();
            for (const length of lengths) {
                if (Buffer.compare(again.get(`key ${length}`), recordValue(length)) !== 0) {
                    expect.fail(`a value of ${length} bytes is changed after a reopen`);
                }
            }
            for (const length of lengths)
                expect(again.delete(`key ${length}`)).toBe(true);
            expect(again.stats().records).toBe(1);
        }));
    }
    test('a value of 8 MiB beside small ones, replaced, deleted, and its blocks used again', () => withDatabase({ durability: 'process' }, async ({ db, reopen }) => {
        const big = 'abcdefgh'.repeat(1 << 20);
        db.put('small', '1');
        db.put('big', big);
        expect(db.get('big')).toBe(big);
        expect(db.get('small')).toBe('1');
        const { total } = db.stats().blocks;
        for (let round = 0; round < 3; round++) {
            expect(db.delete('big')).toBe(true);
            db.put('big', big);
        }
        db.put('big', 'small now');
        db.put('big', big);
        expect(db.stats().blocks.total).toBeLessThanOrEqual(total * 2.1);
        expect(reopen().get('big')).toBe(big);
        const again = reopen();
        again.put('big', 'tiny');
        expect(again.get('big')).toBe('tiny');
        expect(again.stats().blocks.free).toBeGreaterThan(2000);
    }));
    test('a value of 64 MiB', () => withDatabase({ valueEncoding: 'binary', durability: 'process', cacheBytes: 4 << 20 }, subject => {
        const value = new Uint8Array(64 << 20);
        for (let i = 0; i < value.length; i += 509)
            value[i] = i;
        subject.db.put('huge', value);
        expect(Buffer.compare(subject.db.get('huge'), value)).toBe(0);
        expect(Buffer.compare(subject.reopen().get('huge'), value)).toBe(0);
    }));
});
describe('getMany', () => {
    test('answers in the order of the keys, twice for a key given twice', () => withMemoryDatabase({}, ({ db }) => {
        for (let i = 0; i < 1000; i++)
            db.put(`${i}`, `value ${i}`);
        expect(db.getMany([])).toEqual([]);
        expect(db.getMany(['5', 'x', '5', Buffer.from('7')])).toEqual(['value 5', undefined, 'value 5', 'value 7']);
        const keys = Array.from({ length: 1000 }, (_, i) => `${999 - i}`);
        expect(db.getMany(keys)).toEqual(keys.map(key => `value ${key}`));
    }));
    test('refuses what is no list of keys', () => withMemoryDatabase({}, ({ db }) => {
        for (const keys of [undefined, null, 5, {}, [5], [undefined]]) {
            expectCode(() => db.getMany(wrong(keys)), 'XENON_INVALID_ARGUMENT');
        }
    }));
});
describe('batch', () => {
    test('applies its operations in their order', () => withMemoryDatabase({}, ({ db }) => {
        db.put('gone', 'x');
        db.batch([]);
        db.batch([
            { type: 'put', key: 'a', value: '1' },
            { type: 'put', key: 'b', value: '2' },
            { type: 'put', key: 'a', value: '3' },
            { type: 'delete', key: 'gone' },
            { type: 'delete', key: 'absent' },
            { type: 'put', key: 'c', value: '4' },
            { type: 'delete', key: 'c' },
            { type: 'delete', key: 'b' },
            { type: 'put', key: 'b', value: '5' },
        ]);
        expectEqual(db, new Map([
            ['a', '3'],
            ['b', '5'],
        ]));
    }));
    const bad = {
        'an empty key': { type: 'put', key: '', value: 'x' },
        'a lone surrogate': { type: 'put', key: '\ud800', value: 'x' },
        'no value': { type: 'put', key: 'x' },
        'a value of the wrong type': { type: 'put', key: 'x', value: 5 },
        'an unknown type': { type: 'upsert', key: 'x', value: 'x' },
        'no type': { key: 'x', value: 'x' },
        nothing: undefined,
        'a number': 5,
    };
    for (const [name, operation] of Object.entries(bad)) {
        for (const place of ['first', 'in the middle', 'last']) {
            test(`${name} ${place} refuses the whole batch`, () => withMemoryDatabase({}, async ({ db }) => {
                db.put('kept', 'old');
                const before = scan(db);
                const good = Array.from({ length: 200 }, (_, i) => i === 100 ? { type: 'delete', key: 'kept' } : { type: 'put', key: `key ${i}`, value: 'x'.repeat(100) });
                const at = place === 'first' ? 0 : place === 'last' ? good.length : 120;
                const operations = [...good.slice(0, at), wrong(operation), ...good.slice(at)];
                expectCode(() => db.batch(operations), 'XENON_INVALID_ARGUMENT');
                expectEqual(db, before);
                expect(await failureOf(() => db.async.batch(operations))).toMatchObject({
                    code: 'XENON_INVALID_ARGUMENT',
                });
                expectEqual(db, before);
                expect(db.stats().transactions.open).toBe(0);
                db.batch(good);
                expect(db.stats().records).toBe(199);
            }));
        }
    }
    test('what is no list is refused', () => withMemoryDatabase({}, ({ db }) => {
        for (const operations of [undefined, null, 5, {}, 'put']) {
            expectCode(() => db.batch(wrong(operations)), 'XENON_INVALID_ARGUMENT');
        }
    }));
});
//# sourceMappingURL=bulk.test.js.map