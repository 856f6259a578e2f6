import { describe, expect, test } from 'vitest';
import { memoryStorage, open } from '../../src/index.js';
import { RecordType } from '../../src/log/format.js';
import { blockLsn } from '../../src/pager/bucket.js';
import { Metadata } from '../../src/pager/metadata.js';
import { Arena } from '../../src/runtime/bytes.js';
import { closeQuietly, expectVerified, withMemoryDatabase } from '../support/database.js';
import { History } from '../support/history.js';
import { copyImage, differences, readImage, segments, storageOf } from '../support/image.js';
import { expectEqual, scan } from '../support/model.js';
import { runs, seeded } from '../support/random.js';
import { Unsynced } from '../support/unsynced.js';
const SECTOR = 512;
describe('an image with torn blocks recovers to the committed records', () => {
    const configurations = [
        ['16 frames', { cacheBytes: 65536, checkpointBytes: 262144, logSegmentBytes: 131072 }],
        ['40 frames', { cacheBytes: 40 * 4096, checkpointBytes: 2 ** 20, logSegmentBytes: 262144 }],
        [
            '40 frames of 8 KiB',
            { blockSize: 8192, cacheBytes: 40 * 8192, checkpointBytes: 300_000, logSegmentBytes: 262144 },
        ],
    ];
    for (const [name, options] of configurations) {
        test(name, () => seeded(random => {
            const unsynced = new Unsynced(memoryStorage());
            const { storage } = unsynced;
            return withMemoryDatabase({ ...options, durability: 'process', storage }, async (subject) => {
                const run = new Run(subject, random, 4000);
                let torn = 0;
                for (let round = 0; round < 8 * runs; round++) {
                    run.changes(random.below(800));
                    const open = random.chance(0.6) ? run.openTransaction() : undefined;
                    torn += await run.crash(3, unsynced);
                    open?.();
                    if (random.chance(0.2))
                        subject.reopen();
                }
                expect(torn).toBeGreaterThan(0);
            });
        }));
    }
});
test('a torn block gets back what an image in the log holds of it, where earlier builds kept images', () => withMemoryDatabase({ durability: 'process' }, async (subject) => {
    const { db } = subject;
    for (let i = 0; i < 2000; i++)
        db.put(`key ${i}`, 'before'.repeat(10));
    await db.checkpoint();
    const { log, pool } = db.engine;
    for (let i = 0; i < 2000; i += 7)
        db.put(`key ${i}`, 'after');
    const image = (block) => {
        const base = pool.get(block);
        log.reserve(pool.blockSize + 64);
        log.begin(RecordType.image, 0, 0, 0);
        log.part(block);
        log.set(4, pool.blockSize - 4, base + 4);
        log.endPart();
        log.end();
    };
    const dirty = Array.from({ length: 101 }, (_, i) => i + 1).filter(block => pool.isDirty(block));
    expect(dirty.length).toBeGreaterThan(50);
    for (const block of dirty)
        image(block);
    for (let i = 0; i < 2000; i += 11)
        db.put(`key ${i}`, 'last');
    log.write();
    const files = subject.image();
    for (const name of files.keys())
        if (name.includes('images-'))
            files.set(name, new Uint8Array(0));
    const without = copyImage(files);
    for (const block of dirty)
        files.get('data').fill(0xa5, block * 4096 + 512, block * 4096 + 1024);
    const recovered = open('db', { storage: storageOf(files) });
    expect(scan(recovered)).toEqual(scan(db));
    await expectVerified(recovered, 2000);
    recovered.close();
    open('db', { storage: storageOf(without) }).close();
}));
describe('a torn tail of the log loses the last commits at most', () => {
    for (const durability of ['process', 'none']) {
        test(`with durability '${durability}'`, () => seeded(async (random) => {
            const lost = [];
            for (let run = 0; run < 4 * runs; run++) {
                await withMemoryDatabase({ durability, logSegmentBytes: 131072 }, async (subject) => {
                    const { db } = subject;
                    const records = new Map();
                    const history = new History();
                    const first = commits(db, records, history, random, random.between(1, 100));
                    await db.flush();
                    history.certain();
                    const flushed = subject.image();
                    const last = commits(db, records, history, random, random.between(1, 200)) || first;
                    const image = subject.image();
                    for (const tear of tears) {
                        const damaged = copyImage(image);
                        for (const name of segments(damaged)) {
                            const from = firstDifference(flushed.get(name), damaged.get(name));
                            if (from >= 0)
                                damaged.set(name, tear(damaged.get(name), from, random));
                        }
                        const storage = storageOf(damaged);
                        lost.push(last - (await recoveredCommit(storage, history)));
                    }
                });
            }
            expect(Math.max(...lost)).toBeGreaterThan(0);
            if (durability === 'process')
                expect(Math.min(...lost)).toBe(0);
        }));
    }
});
describe('recovery', () => {
    test('reads segments that are larger or smaller than the option now says', () => seeded(async (random) => {
        for (const [before, after] of [
            [2 ** 20, 131072],
            [131072, 2 ** 20],
        ]) {
            await withMemoryDatabase({ durability: 'process', logSegmentBytes: before }, async (subject) => {
                const run = new Run(subject, random, 500);
                while (subject.db.stats().log.bytes < 1.5 * 2 ** 20)
                    run.changes(100);
                const options = { logSegmentBytes: after };
                const storage = storageOf(subject.image());
                const db = open('db', { storage, durability: 'process', ...options });
                expectEqual(db, run.records);
                for (let i = 0; i < 3000; i++) {
                    db.put(`more ${i}`, 'x'.repeat(500));
                    run.records.set(`more ${i}`, 'x'.repeat(500));
                }
                await expectRecovered(readImage('db', storage), run.records, { logSegmentBytes: before });
                db.close();
                run.records.clear();
            });
        }
    }));
    test('done twice changes nothing', () => seeded(random => withMemoryDatabase({ durability: 'process', checkpointBytes: 262144 }, async (subject) => {
        const run = new Run(subject, random, 1000);
        for (let round = 0; round < 5 * runs; round++) {
            run.changes(400);
            const end = run.openTransaction();
            const storage = storageOf(subject.image());
            const first = open('db', { storage });
            expect(first.stats().recovery).toMatchObject({ needed: true, transactionsRolledBack: 1 });
            const recovered = readImage('db', storage);
            expectRecoveredAlready(storageOf(recovered), run.records);
            first.close();
            const closed = readImage('db', storage);
            expectRecoveredAlready(storage, run.records);
            expect(differences(closed, readImage('db', storage))).toEqual([]);
            end();
        }
    })));
    test('survives a crash at each of its writes, and at the next write of the next recovery', () => seeded(random => withMemoryDatabase({ durability: 'process', cacheBytes: 1, checkpointBytes: 2 ** 20, logSegmentBytes: 131072 }, async (subject) => {
        const run = new Run(subject, random, 600);
        run.changes(900);
        const end = run.openTransaction();
        const image = subject.image();
        let crashes = 0;
        for (let at = 0;; at += crashes < 16 ? 1 : random.between(1, 12)) {
            const storage = crashingAt(at, storageOf(image));
            if (tryToOpen(storage))
                break;
            crashes++;
            let left = readImage('db', storage);
            for (let again = random.below(4); again > 0; again--) {
                const next = crashingAt(random.below(at + 2), storageOf(left));
                tryToOpen(next);
                left = readImage('db', next);
            }
            await expectRecovered(left, run.records, subject.options);
        }
        expect(crashes).toBeGreaterThan(10);
        end();
    })));
    test('that is killed early again and again is still followed by one that comes to an end', () => seeded(random => withMemoryDatabase({ durability: 'process', cacheBytes: 1, logSegmentBytes: 131072 }, async (subject) => {
        const run = new Run(subject, random, 300);
        run.changes(300);
        const end = run.openTransaction();
        for (let writes = 0; writes < 8; writes++) {
            let image = subject.image();
            for (let attempt = 0; attempt < 4; attempt++) {
                const storage = crashingAt(writes, storageOf(image));
                tryToOpen(storage);
                image = readImage('db', storage);
            }
            await expectRecovered(image, run.records, subject.options);
        }
        end();
    })));
});
class Run {
    #subject;
    #random;
    #keys;
    constructor(subject, random, keys) {
        this.records = new Map();
        this.#subject = subject;
        this.#random = random;
        this.#keys = keys;
    }
    #key() {
        const number = this.#random.below(this.#keys);
        return number % 50 === 0 ? `${'K'.repeat(1000)}${number}` : `key${number}`;
    }
    #value() {
        const random = this.#random;
        const length = random.chance(0.01)
            ? random.below(60_000)
            : random.chance(0.1)
                ? random.below(1200)
                : random.below(100);
        return String.fromCharCode(97 + random.below(26)).repeat(length);
    }
    changes(count) {
        const random = this.#random;
        const { db } = this.#subject;
        const puts = 20 + random.below(60);
        for (let i = 0; i < count; i++) {
            const roll = random.below(100);
            const key = this.#key();
            if (roll < puts) {
                const value = this.#value();
                db.put(key, value);
                this.records.set(key, value);
            }
            else if (roll < 97)
                expect(db.delete(key)).toBe(this.records.delete(key));
            else if (roll < 98)
                this.#transaction(random.below(100), true);
            else
                this.#transaction(random.below(60), false);
        }
    }
    #transaction(count, commits) {
        const tx = this.#subject.db.begin();
        const changes = this.#change(tx, count);
        const savepoint = tx.savepoint();
        this.#change(tx, 20);
        tx.rollbackTo(savepoint);
        if (commits) {
            tx.commit();
            apply(this.records, changes);
        }
        else
            tx.rollback();
    }
    #change(tx, count) {
        return Array.from({ length: count }, () => {
            const key = this.#key();
            const value = this.#random.chance(0.6) ? this.#value() : undefined;
            if (value === undefined)
                tx.delete(key);
            else
                tx.put(key, value);
            return [key, value];
        });
    }
    openTransaction() {
        const tx = this.#subject.db.begin();
        const changes = this.#change(tx, this.#random.between(1, 150));
        if (this.#random.chance(0.3)) {
            const savepoint = tx.savepoint();
            this.#change(tx, 30);
            tx.rollbackTo(savepoint);
        }
        const { checkpointer, log } = this.#subject.db.engine;
        if (this.#random.chance(0.4))
            checkpointer.run();
        log.sync();
        return () => {
            if (this.#random.chance(0.5)) {
                tx.commit();
                apply(this.records, changes);
            }
            else
                tx.rollback();
        };
    }
    async crash(depth, unsynced) {
        let image = this.#subject.image();
        let written = unsynced;
        let torn = 0;
        for (let nest = 0; nest < depth; nest++) {
            torn += tearBlocks(image, this.#random, written);
            written = new Unsynced(storageOf(image));
            const { storage } = written;
            const db = open('db', { ...this.#subject.options, storage });
            try {
                await expectVerified(db, this.records.size);
                expectEqual(db, this.records);
                const tx = db.begin();
                this.#change(tx, 80);
                await db.flush();
                image = readImage('db', storage);
            }
            finally {
                closeQuietly(db);
            }
        }
        return torn;
    }
}
const apply = (records, changes) => {
    for (const [key, value] of changes) {
        if (value === undefined)
            records.delete(key);
        else
            records.set(key, value);
    }
};
const tearBlocks = (image, random, unsynced) => {
    const data = image.get('data');
    const { redoLsn, identity } = Metadata.decode(data.slice(0, 4096), 'data', memoryStorage());
    const { blockSize } = identity;
    const block = new Arena(blockSize);
    let torn = 0;
    for (let at = blockSize; at < data.length; at += blockSize) {
        block.u8.set(data.subarray(at, at + blockSize));
        if (blockLsn(block, 0) < redoLsn || !unsynced.has(at, at + blockSize) || !random.chance(0.4))
            continue;
        const from = at + SECTOR * random.below(blockSize / SECTOR);
        data.fill(random.below(256), from, from + SECTOR);
        torn++;
    }
    return torn;
};
const commits = (db, records, history, random, count) => {
    let last = 0;
    for (let i = 0; i < count; i++) {
        const changes = Array.from({ length: random.chance(0.8) ? 1 : random.between(2, 20) }, () => {
            const key = `key ${random.below(200)}`;
            return [key, random.chance(0.3) ? undefined : 'v'.repeat(random.below(random.chance(0.05) ? 9000 : 200))];
        });
        const effective = changes.length > 1 || changes[0][1] !== undefined || records.has(changes[0][0]);
        db.batch(changes.map(([key, value]) => (value === undefined ? { type: 'delete', key } : { type: 'put', key, value })));
        apply(records, changes);
        if (effective)
            last = history.commit(changes);
    }
    return last;
};
const tears = [
    bytes => bytes,
    (bytes, from, random) => bytes.slice(0, random.between(from, bytes.length)),
    (bytes, from, random) => bytes.fill(0, random.between(from, bytes.length)),
    (bytes, from, random) => {
        const at = random.between(from, bytes.length);
        bytes.set(random.bytes(bytes.length - at), at);
        return bytes;
    },
    (bytes, from, random) => {
        for (let at = from; at < bytes.length; at += SECTOR - (at % SECTOR))
            if (random.chance(0.5))
                bytes.fill(0, at, at + SECTOR - (at % SECTOR));
        return bytes;
    },
    (bytes, from, random) => {
        const at = random.between(from, bytes.length - 1);
        bytes[at] ^= 1 << random.below(8);
        return bytes;
    },
    (bytes, from, random) => {
        const longer = new Uint8Array(bytes.length + random.below(3000));
        longer.set(random.bytes(longer.length));
        longer.set(bytes.subarray(0, from));
        return longer;
    },
];
const firstDifference = (before, after) => {
    if (before === undefined)
        return 0;
    for (let i = 0; i < after.length; i++)
        if (before[i] !== after[i])
            return i;
    return -1;
};
const recoveredCommit = async (storage, history) => {
    const db = open('db', { storage });
    try {
        const records = scan(db);
        const number = history.expectRecovered(records);
        await expectVerified(db, records.size);
        db.put('after the crash', 'it goes on');
        records.set('after the crash', 'it goes on');
        const next = storageOf(readImage('db', storage));
        db.close();
        expectEqual(open('db', { storage: next }), records);
        expectRecoveredAlready(storage, records);
        return number;
    }
    finally {
        closeQuietly(db);
    }
};
const expectRecovered = async (image, records, options) => {
    const db = open('db', { ...options, storage: storageOf(image) });
    await expectVerified(db, records.size);
    expectEqual(db, records);
    db.close();
};
const expectRecoveredAlready = (storage, records) => {
    const db = open('db', { storage });
    const { recovery } = db.stats();
    expect({ ...recovery, milliseconds: 0 }).toEqual({
        needed: false,
        recordsScanned: 0,
        redone: 0,
        transactionsRolledBack: 0,
        tornTailBytes: 0,
        milliseconds: 0,
    });
    expectEqual(db, records);
    db.close();
};
class Crash extends Error {
}
const tryToOpen = (storage) => {
    try {
        open('db', { storage, cacheBytes: 1, durability: 'process', logSegmentBytes: 131072 }).close();
        return true;
    }
    catch (error) {
        if (!(error instanceof Crash))
            throw error;
        return false;
    }
};
const crashingAt = (writes, storage) => {
    let left = writes;
    let crashed = false;
    let reads = 0;
    const writing = (action) => {
        return (...given) => {
            if (crashed || left-- === 0) {
                crashed = true;
                throw new Crash('crashed');
            }
            return action(...given);
        };
    };
    return {
        ...storage,
        remove: writing(storage.remove.bind(storage)),
        rename: writing(storage.rename.bind(storage)),
        open(path, options) {
            if (!crashed && options?.create && left-- === 0)
                crashed = true;
            if (crashed && options?.readOnly !== true)
                throw new Crash('crashed');
            const file = storage.open(path, options);
            file.write = writing(file.write.bind(file));
            file.writeMany = writing(file.writeMany.bind(file));
            file.truncate = writing(file.truncate.bind(file));
            const read = file.read.bind(file);
            file.read = (...place) => {
                if (reads++ > 1_000_000)
                    throw new Error('a million reads, and still no end');
                return read(...place);
            };
            return file;
        },
    };
};
//# sourceMappingURL=images.test.js.map