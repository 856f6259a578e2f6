import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { DatabaseLockedError, db_open, memoryStorage, open } from '../../src/index.js';
import { startChild } from '../support/child.js';
import { expectVerified, withDatabase } from '../support/database.js';
import { withDirectory } from '../support/directory.js';
import { expectCode, expectTyped, thrownBy, wrong } from '../support/errors.js';
import { differences, readImage, storageOf, writeImage } from '../support/image.js';
import { expectEqual, scan } from '../support/model.js';
describe('open', () => {
    test('creates a directory with data, log and lock, for its owner only', () => withDirectory(parent => {
        const directory = `${parent}/deep/below/db`;
        const db = open(directory);
        expect(readdirSync(directory).sort()).toEqual(['data', 'lock', 'log']);
        expect(readdirSync(`${directory}/log`).length).toBeGreaterThan(0);
        expect(statSync(directory).mode & 0o777).toBe(0o700);
        for (const file of ['data', ...readdirSync(`${directory}/log`).map(name => `log/${name}`)]) {
            expect(statSync(`${directory}/${file}`).mode & 0o777, file).toBe(0o600);
        }
        db.close();
        expect(existsSync(`${directory}/lock`)).toBe(false);
    }));
    test('db_open is the same function', () => {
        expect(db_open).toBe(open);
    });
    test('finds the records of earlier handles', () => withDatabase({}, ({ db, reopen }) => {
        db.put('a', '1');
        expect(reopen().get('a')).toBe('1');
        expect(reopen({ durability: 'process' }).get('a')).toBe('1');
    }));
    test('keeps two databases apart, on disk and in memory', () => withDirectory(parent => {
        const storage = memoryStorage();
        const all = [
            open(`${parent}/a`),
            open(`${parent}/b`),
            open('a', { storage }),
            open('b', { storage }),
            open('a', { storage: memoryStorage() }),
        ];
        for (const [i, db] of all.entries())
            db.put('key', `${i}`);
        for (const [i, db] of all.entries())
            expect(db.get('key')).toBe(`${i}`);
        expect(new Set(all.map(db => db.stats().uuid)).size).toBe(all.length);
        for (const db of all)
            db.close();
    }));
    test('uses an empty directory that exists already', () => withDirectory(parent => {
        mkdirSync(`${parent}/db`);
        const db = open(`${parent}/db`);
        db.put('a', '1');
        db.close();
        expect(open(`${parent}/db`).get('a')).toBe('1');
    }));
    test('a file in place of the directory is refused and left alone', () => withDirectory(parent => {
        writeFileSync(`${parent}/db`, 'my file');
        expectTyped(() => open(`${parent}/db`));
        expect(readFileSync(`${parent}/db`, 'utf8')).toBe('my file');
    }));
});
describe('createIfMissing', () => {
    test('false refuses an absent database and creates nothing', () => withDirectory(parent => {
        const options = { createIfMissing: false };
        expectCode(() => open(`${parent}/db`, options), 'XENON_NOT_FOUND');
        expect(readdirSync(parent)).toEqual([]);
        mkdirSync(`${parent}/empty`);
        expectCode(() => open(`${parent}/empty`, options), 'XENON_NOT_FOUND');
        expect(readdirSync(`${parent}/empty`)).toEqual([]);
    }));
    test('false opens a database that exists', () => withDatabase({}, ({ db, reopen }) => {
        db.put('a', '1');
        expect(reopen({ createIfMissing: false }).get('a')).toBe('1');
    }));
});
describe('errorIfExists', () => {
    test('refuses a database that exists and leaves it alone', () => withDatabase({ errorIfExists: true }, ({ db, directory, image, reopen }) => {
        db.put('a', '1');
        db.close();
        const before = image();
        expectCode(() => open(directory, { errorIfExists: true }), 'XENON_EXISTS');
        expect(differences(before, image())).toEqual([]);
        expect(reopen({ errorIfExists: false }).get('a')).toBe('1');
    }));
});
describe('readOnly', () => {
    test('reads everything, changes nothing, and no file', () => withDatabase({}, async ({ db, image, reopen }) => {
        for (let i = 0; i < 500; i++)
            db.put(`key ${i}`, `${i}`);
        const expected = scan(db);
        db.close();
        const before = image();
        const reader = reopen({ readOnly: true });
        expectEqual(reader, expected);
        await expectVerified(reader, 500);
        expectCode(() => reader.put('a', 'b'), 'XENON_READ_ONLY');
        expectCode(() => reader.delete('key 1'), 'XENON_READ_ONLY');
        expectCode(() => reader.batch([{ type: 'put', key: 'a', value: 'b' }]), 'XENON_READ_ONLY');
        await expect(async () => reader.async.put('a', 'b')).rejects.toMatchObject({ code: 'XENON_READ_ONLY' });
        await expect(async () => reader.async.delete('key 1')).rejects.toMatchObject({
            code: 'XENON_READ_ONLY',
        });
        await expect(async () => reader.async.batch([{ type: 'delete', key: 'key 1' }])).rejects.toMatchObject({
            code: 'XENON_READ_ONLY',
        });
        expectCode(() => reader.transaction(tx => tx.put('a', 'b')), 'XENON_READ_ONLY');
        expectEqual(reader, expected);
        expect(differences(before, image())).toEqual([]);
        reader.close();
        expect(differences(before, image())).toEqual([]);
        reopen({ readOnly: false });
    }));
    test('refuses an absent database and creates nothing', () => withDirectory(parent => {
        expectCode(() => open(`${parent}/db`, { readOnly: true }), 'XENON_NOT_FOUND');
        expect(readdirSync(parent)).toEqual([]);
    }));
    test('after a crash it shows what was committed, or refuses; the files stay as they are', () => withDatabase({ durability: 'process' }, ({ db, image }) => withDirectory(parent => {
        for (let i = 0; i < 500; i++)
            db.put(`key ${i}`, `${i}`);
        const expected = scan(db);
        const tx = db.begin();
        tx.put('key 1', 'not committed');
        const crashed = image();
        tx.rollback();
        writeImage(`${parent}/copy`, crashed);
        const error = thrownBy(() => {
            const reader = open(`${parent}/copy`, { readOnly: true });
            expectEqual(reader, expected);
            reader.close();
        });
        if (error !== undefined) {
            expectTyped(() => {
                throw error;
            });
        }
        expect(differences(crashed, readImage(`${parent}/copy`))).toEqual([]);
    })));
});
describe('options', () => {
    const invalid = {
        durability: ['fsync', '', 1, true, {}],
        cacheBytes: [Number.NaN, -1, -65536, '65536', {}, true, Number.NEGATIVE_INFINITY],
        blockSize: [5000, 0, 1, 2048, 131072, -4096, 4096.5, Number.NaN, Number.POSITIVE_INFINITY, '4096', true],
        valueEncoding: ['utf16', '', 5, {}, { name: 'x' }, { name: 'x', encode: () => new Uint8Array() }],
        keyEncoding: ['json', 'hex', 5, {}],
        createIfMissing: ['yes', 1, {}],
        errorIfExists: ['no', 0, {}],
        readOnly: ['no', 1, {}],
        ordered: ['no', 1, {}],
        checkpointBytes: [Number.NaN, -1, '1', {}],
        logSegmentBytes: [Number.NaN, -1, '1', {}],
        storage: [{}, 'memory', 5, { name: 'x' }],
    };
    for (const [option, values] of Object.entries(invalid)) {
        test(`${option}: ${values.map(value => (typeof value === 'object' ? JSON.stringify(value) : value)).join(', ')} are refused, and nothing is created`, () => withDirectory(parent => {
            for (const value of values) {
                const error = expectCode(() => open(`${parent}/db`, { [option]: value }), 'XENON_INVALID_ARGUMENT');
                expect(error.message).toContain(option);
            }
            expect(readdirSync(parent)).toEqual([]);
        }));
    }
    test('options that are no object are refused', () => withDirectory(parent => {
        for (const options of [5, 'fast', true]) {
            expectCode(() => open(`${parent}/db`, wrong(options)), 'XENON_INVALID_ARGUMENT');
        }
        expect(readdirSync(parent)).toEqual([]);
    }));
    test('a directory that is no path is refused', () => {
        for (const directory of ['', 5, undefined, null, {}, 'a\0b', new Uint8Array(3)]) {
            expectCode(() => open(wrong(directory)), 'XENON_INVALID_ARGUMENT');
        }
    });
    test('an option that is undefined takes its default', () => withDirectory(parent => {
        const options = {
            durability: undefined,
            blockSize: undefined,
            cacheBytes: undefined,
        };
        const db = open(`${parent}/db`, options);
        expect(db.stats()).toMatchObject({ durability: 'power', blockSize: 4096 });
        db.close();
    }));
    for (const blockSize of [4096, 8192, 16384, 32768, 65536]) {
        test(`a block size of ${blockSize} is kept for ever`, () => withDatabase({ blockSize }, async ({ db, directory, options }) => {
            for (let i = 0; i < 300; i++)
                db.put(`key ${i}`, 'x'.repeat(i * 10));
            const expected = scan(db);
            expect(db.stats()).toMatchObject({ blockSize });
            expect(db.stats().dataBytes % blockSize).toBe(0);
            db.close();
            const { blockSize: _, ...others } = options;
            const again = open(directory, others);
            expect(again.stats().blockSize).toBe(blockSize);
            expectEqual(again, expected);
            again.close();
            const error = thrownBy(() => {
                const other = open(directory, { blockSize: blockSize === 4096 ? 8192 : 4096 });
                expectEqual(other, expected);
                other.close();
            });
            if (error !== undefined)
                expect(error).toMatchObject({ code: 'XENON_INVALID_ARGUMENT' });
        }));
    }
    test('the size of the pool is kept', () => withDatabase({ cacheBytes: 16 * 4096 }, ({ db }) => {
        expect(db.stats().cache.frames).toBe(16);
        for (let i = 0; i < 3000; i++)
            db.put(`key ${i}`, 'x'.repeat(300));
        const { cache } = db.stats();
        expect(cache.frames).toBe(16);
        expect(cache.framesUsed).toBeLessThanOrEqual(16);
        expect(cache.evictions).toBeGreaterThan(0);
    }));
});
describe('the lock', () => {
    test('the same database is not opened twice in one process', () => withDatabase({}, ({ db, directory, reopen }) => {
        const error = expectCode(() => open(directory), 'XENON_LOCKED');
        expect(error).toBeInstanceOf(DatabaseLockedError);
        expect(error.pid).toBe(process.pid);
        expectCode(() => open(`${directory}/../db/.`), 'XENON_LOCKED');
        db.put('a', '1');
        expect(reopen().get('a')).toBe('1');
    }));
    test('nor in memory', () => {
        const storage = memoryStorage();
        const db = open('db', { storage });
        expectCode(() => open('db', { storage }), 'XENON_LOCKED');
        db.close();
        open('db', { storage }).close();
    });
    test('another process that has it is named, and is no longer in the way once it was killed', () => withDirectory(async (parent) => {
        const directory = `${parent}/db`;
        const own = open(directory);
        own.put('a', '1');
        own.close();
        const child = startChild('support/opener.mjs', [directory, '{}'], { XENON_HOLD: '1' });
        try {
            await child.firstLine;
            let error;
            for (let i = 0; i < 500 && error === undefined; i++) {
                await new Promise(resolve => setTimeout(resolve, 10));
                error = thrownBy(() => open(directory).close());
            }
            expect(error).toMatchObject({ code: 'XENON_LOCKED', pid: child.process.pid });
            expect(error.message).toContain(`${child.process.pid}`);
        }
        finally {
            child.kill();
        }
        await child.ended;
        const db = open(directory);
        expect(db.get('a')).toBe('1');
        db.close();
    }));
    test('a process that fails to open because of it leaves the owner alone', () => withDatabase({}, async ({ db, directory }) => {
        db.put('a', '1');
        const child = startChild('support/opener.mjs', [directory, '{}']);
        const { lines } = await child.ended;
        expect(JSON.parse(lines.at(-1))).toMatchObject({
            event: 'refused',
            code: 'XENON_LOCKED',
            pid: process.pid,
        });
        db.put('b', '2');
        expectCode(() => open(directory), 'XENON_LOCKED');
    }));
    test('a failed open gives the lock back', () => withDatabase({}, ({ db, image, reopen }) => {
        db.put('a', '1');
        const storage = storageOf(image());
        expectCode(() => open('db', { storage, errorIfExists: true }), 'XENON_EXISTS');
        open('db', { storage }).close();
        expect(reopen().get('a')).toBe('1');
    }));
});
//# sourceMappingURL=open.test.js.map