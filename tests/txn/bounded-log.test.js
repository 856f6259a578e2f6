import { describe, expect, test } from 'vitest';
import { memoryStorage, open } from '../../src/index.js';
import { expectVerified, withMemoryDatabase } from '../support/database.js';
import { thrownBy } from '../support/errors.js';
import { readImage, segments, storageOf } from '../support/image.js';
import { expectEqual } from '../support/model.js';
import { seeded } from '../support/random.js';
const CHECKPOINT = 2 ** 21;
const SEGMENT = 262144;
const MOST = 3 * CHECKPOINT + 2 * SEGMENT;
const key = (random) => `key ${random.below(20_000)}`;
const loads = {
    'large values': (db, random, look) => {
        for (let i = 0; i < 150; i++) {
            db.put(`large ${random.below(40)}`, 'v'.repeat(random.between(20_000, 200_000)));
            look();
        }
    },
    'batches of 1,000': (db, random, look) => {
        for (let i = 0; i < 100; i++) {
            db.batch(Array.from({ length: 1000 }, () => ({ type: 'put', key: key(random), value: 'v'.repeat(20) })));
            look();
        }
    },
    transactions: (db, random, look) => {
        for (let i = 0; i < 300; i++) {
            db.transaction(tx => {
                for (let j = 0; j < 100; j++)
                    tx.put(key(random), 'v'.repeat(100));
            });
            look();
        }
    },
    'single puts': (db, random, look) => {
        for (let i = 0; i < 12_000; i++) {
            db.put(key(random), 'v'.repeat(500));
            if (i % 50 === 0)
                look();
        }
    },
    'asynchronous puts that share a turn': async (db, random, look) => {
        const all = [];
        for (let i = 0; i < 30_000; i++) {
            all.push(db.async.put(key(random), 'v'.repeat(200)));
            if (i % 100 === 0)
                look();
        }
        await Promise.all(all);
        look();
    },
    'turns with many asynchronous puts each': async (db, random, look) => {
        for (let turn = 0; turn < 60; turn++) {
            await Promise.all(Array.from({ length: 500 }, () => db.async.put(key(random), 'v'.repeat(200))));
            look();
        }
    },
    'deletes and puts by turns': (db, random, look) => {
        for (let i = 0; i < 30; i++) {
            db.batch(Array.from({ length: 1000 }, () => ({ type: 'put', key: key(random), value: 'v'.repeat(100) })));
            look();
            db.batch(Array.from({ length: 1000 }, () => ({ type: 'delete', key: key(random) })));
            look();
        }
    },
};
const storages = {
    'syncs in line': memoryStorage,
    'syncs aside': () => ({ ...memoryStorage(), syncsAside: true }),
};
for (const [name, load] of Object.entries(loads))
    describe(`the log under ${name}`, () => {
        for (const [cache, cacheBytes] of [
            ['a large pool', 2 ** 26],
            ['a pool of 512 KiB', 2 ** 19],
        ])
            for (const [syncs, storage] of Object.entries(storages))
                test(`is at most 3 times checkpointBytes with ${cache} and ${syncs}`, () => seeded(random => withMemoryDatabase(options(cacheBytes, storage()), async ({ db }) => {
                    let top = 0;
                    await load(db, random, () => {
                        top = Math.max(top, db.stats().logBytes);
                    });
                    expect(top).toBeLessThan(MOST);
                    expect(db.stats().log.bytes).toBeGreaterThan(3.5 * CHECKPOINT);
                    await expectVerified(db, db.count());
                })));
    });
const options = (cacheBytes, storage) => ({
    durability: 'process',
    cacheBytes,
    checkpointBytes: CHECKPOINT,
    logSegmentBytes: SEGMENT,
    storage,
});
describe('a recovery', () => {
    test('that is interrupted again and again leaves no more than the first two have left', () => seeded(random => withMemoryDatabase(options(2 ** 26, memoryStorage()), async ({ db }) => {
        const records = new Map();
        for (let i = 0; i < 8000; i++) {
            const [k, v] = [key(random), 'v'.repeat(random.between(50, 150))];
            db.put(k, v);
            records.set(k, v);
        }
        const tx = db.begin();
        for (let i = 0; i < 2000; i++)
            tx.put(key(random), 'never committed');
        await db.flush();
        let image = readImage('db', db.storage);
        const sizes = [];
        for (let i = 0; i < 12; i++) {
            const storage = storageOf(image);
            const at = random.between(1, writesOf(storageOf(image)) - 1);
            expect(writesOf(storage, at)).toBe(at);
            image = readImage('db', storage);
            sizes.push(segments(image).reduce((sum, name) => sum + image.get(name).length, 0));
        }
        expect(Math.max(...sizes)).toBeLessThanOrEqual(Math.max(sizes[0], sizes[1]));
        tx.rollback();
        const recovered = open('db', { ...options(2 ** 26, storageOf(image)) });
        expectEqual(recovered, records);
        expect((await recovered.verify()).ok).toBe(true);
        recovered.close();
    })));
    test('tells how it goes on, phase by phase, and takes the whole pool', () => withMemoryDatabase(options(2 ** 26, memoryStorage()), async ({ db }) => {
        for (let i = 0; i < 12_000; i++)
            db.put(`key ${i}`, 'v'.repeat(1000));
        const tx = db.begin();
        tx.put('under way', 'x');
        await db.flush();
        const storage = storageOf(readImage('db', db.storage));
        const seen = [];
        const again = open('db', {
            ...options(2 ** 26, storage),
            onRecovery: progress => {
                const last = seen.at(-1);
                if (last?.phase === progress.phase)
                    expect(progress.done).toBeGreaterThanOrEqual(last.done);
                expect(progress.done).toBeLessThanOrEqual(progress.total);
                seen.push(progress);
            },
        });
        expect([...new Set(seen.map(({ phase }) => phase))]).toEqual(['redo', 'undo', 'write']);
        expect(seen.find(({ phase }) => phase === 'undo')).toEqual({ phase: 'undo', done: 0, total: 1 });
        expect(again.stats().cache.evictions).toBe(0);
        expect(again.count()).toBe(12_000);
        again.close();
        tx.rollback();
    }));
    test('what its function throws comes out as it is, whenever that is, and the next open recovers', () => withMemoryDatabase(options(2 ** 26, memoryStorage()), async ({ db }) => {
        for (let i = 0; i < 4000; i++)
            db.put(`key ${i}`, 'v'.repeat(1000));
        await db.flush();
        const storage = storageOf(readImage('db', db.storage));
        for (let at = 1;; at++) {
            const mine = new TypeError('of its own');
            let calls = 0;
            const onRecovery = () => {
                if (++calls === at)
                    throw mine;
            };
            const thrown = thrownBy(() => open('db', { ...options(2 ** 26, storage), onRecovery }).close());
            if (calls < at)
                break;
            expect(thrown).toBe(mine);
        }
        const again = open('db', { storage });
        expect(again.count()).toBe(4000);
        again.close();
    }));
    test('hears of nothing after a clean close', () => withMemoryDatabase({}, async (subject) => {
        subject.db.put('a', 'b');
        subject.db.close();
        const storage = storageOf(subject.image());
        const db = open('db', {
            storage,
            onRecovery: () => {
                throw new Error('there was none to hear of');
            },
        });
        expect(db.get('a')).toBe('b');
        db.close();
    }));
});
function writesOf(storage, most = Number.POSITIVE_INFINITY) {
    let writes = 0;
    let isOpen = false;
    const count = () => {
        if (isOpen)
            return;
        if (writes === most)
            throw new Error('interrupted');
        writes++;
    };
    const failing = Object.assign(Object.create(storage), {
        open: (path, given) => {
            const file = storage.open(path, given);
            const { write, writeMany } = file;
            file.write = (...args) => {
                count();
                write.apply(file, args);
            };
            file.writeMany = (...args) => {
                count();
                writeMany.apply(file, args);
            };
            return file;
        },
    });
    try {
        const db = open('db', { ...options(2 ** 26, failing) });
        isOpen = true;
        db.close();
    }
    catch (error) {
        if (!/interrupted/.test(error.message))
            throw error;
    }
    return writes;
}
//# sourceMappingURL=bounded-log.test.js.map