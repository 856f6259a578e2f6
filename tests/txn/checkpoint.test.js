import { expect, test } from 'vitest';
import { LockConflictError, memoryStorage, open, StorageError } from '../../src/index.js';
import { expectVerified } from '../support/database.js';
import { expectCode, thrownBy } from '../support/errors.js';
import { readImage, storageOf } from '../support/image.js';
import { expectEqual, scan } from '../support/model.js';
import { seeded } from '../support/random.js';
function storageWithGate() {
    const inner = memoryStorage();
    let waiting = [];
    const storage = {
        ...inner,
        syncsAside: true,
        open: (path, options) => Object.assign(inner.open(path, options), {
            syncAsync: () => new Promise((resolve, reject) => {
                waiting.push(error => (error === undefined ? resolve() : reject(error)));
            }),
        }),
    };
    const endAll = (error) => {
        const ended = waiting;
        waiting = [];
        for (const end of ended)
            end(error);
    };
    return { storage, waiting: () => waiting.length, letGo: () => endAll(), fail: endAll };
}
test.each(['power', 'process', 'none'])('commits without a turn of the event loop, durability %s, do not let the log grow for ever', durability => {
    const { storage, letGo } = storageWithGate();
    const checkpointBytes = 1 << 20;
    const db = open('db', { storage, durability, checkpointBytes, logSegmentBytes: 131_072 });
    let most = 0;
    for (let i = 0; i < 30_000; i++) {
        db.put(`record ${i % 3000}`, `${i}`.repeat(60));
        most = Math.max(most, db.stats().logBytesInUse);
    }
    expect(db.stats().log.bytes).toBeGreaterThan(8 * checkpointBytes);
    expect(db.stats().checkpoints).toBeGreaterThan(2);
    expect(most).toBeLessThan(8 * checkpointBytes);
    const lettingGo = setInterval(letGo, 1);
    return expectVerified(db, 3000)
        .finally(() => clearInterval(lettingGo))
        .then(() => db.close());
});
test('a sync aside that fails while nobody looks stops the handle, and the log keeps what is in doubt', async () => {
    const { storage, fail } = storageWithGate();
    const options = { storage, checkpointBytes: 1 << 20, logSegmentBytes: 131_072 };
    const db = open('db', options);
    for (let i = 0; i < 500; i++)
        db.put(`record ${i}`, 'v'.repeat(500));
    fail(new StorageError('cannot sync data: EIO', undefined));
    await new Promise(resolve => setImmediate(resolve));
    expectCode(() => db.put('one more', 'value'), 'XENON_FAILED');
    expect(thrownBy(() => db.close())).toBeUndefined();
    const again = open('db', { storage: storageOf(readImage('db', storage)) });
    await expectVerified(again, 500);
    again.close();
});
test('block 0 never counts a record whose log record is not written (C4)', async () => {
    const { storage, waiting, letGo } = storageWithGate();
    const options = { storage, logSegmentBytes: 131_072, checkpointBytes: 1 << 20 };
    const db = open('db', options);
    let n = 0;
    const fillSegment = () => {
        const { logSegments } = db.stats();
        while (db.stats().logSegments === logSegments)
            db.put(`record ${n++}`, 'v'.repeat(500));
    };
    let acknowledged = 0;
    for (let round = 0; round < 6; round++) {
        fillSegment();
        expect(waiting(), 'syncs under way').toBeGreaterThan(0);
        fillSegment();
        const late = [db.async.put(`late ${round}`, 'value'), db.async.put(`later ${round}`, 'value')];
        letGo();
        for (let i = 0; i < 5; i++)
            await Promise.resolve();
        const image = storageOf(readImage('db', storage));
        const recovered = open('db', { storage: image });
        expectEqual(recovered, scan(recovered));
        const { records } = await expectVerified(recovered);
        expect([n + acknowledged, n + acknowledged + 2]).toContain(records);
        recovered.close();
        await Promise.all(late);
        acknowledged += late.length;
    }
    await expectVerified(db, n + acknowledged);
    db.close();
});
function storageThatCountsStates(random) {
    const inner = memoryStorage();
    let unsynced = 0;
    let most = 0;
    const storage = {
        ...inner,
        syncsAside: true,
        open: (path, options) => {
            const file = inner.open(path, options);
            if (path !== 'db/data')
                return file;
            return {
                path: file.path,
                size: () => file.size(),
                read: (...place) => file.read(...place),
                write(source, offset, length, position) {
                    if (length === 512)
                        most = Math.max(most, ++unsynced);
                    file.write(source, offset, length, position);
                },
                writeMany: (parts, position) => file.writeMany(parts, position),
                truncate: size => file.truncate(size),
                sync() {
                    unsynced = 0;
                },
                async syncAsync() {
                    const before = unsynced;
                    for (let turns = random.below(4); turns > 0; turns--)
                        await new Promise(resolve => setImmediate(resolve));
                    unsynced = Math.max(0, unsynced - before);
                },
                close: () => file.close(),
            };
        },
    };
    return { storage, most: () => most };
}
test.each(['power', 'process', 'none'])('block 0 is not written again before its last write is synced, durability %s', durability => seeded(async (random) => {
    const { storage, most } = storageThatCountsStates(random);
    const sizes = { cacheBytes: 200 * 4096, checkpointBytes: 1 << 18, logSegmentBytes: 131_072 };
    const db = open('db', { storage, durability, ...sizes });
    const tx = db.begin();
    tx.put('open', 'all the while');
    const unlessLocked = (error) => {
        if (!(error instanceof LockConflictError))
            throw error;
    };
    for (let i = 0; i < 6000; i++) {
        try {
            if (random.chance(0.3))
                db.async.put(`record ${random.below(3000)}`, `${i}`.repeat(50)).catch(unlessLocked);
            else
                db.put(`record ${random.below(3000)}`, `${i}`.repeat(random.below(100)));
            if (random.chance(0.02))
                tx.put('open', `${i}`);
        }
        catch (error) {
            unlessLocked(error);
        }
        if (random.chance(0.02))
            await new Promise(resolve => setImmediate(resolve));
        if (random.chance(0.002))
            await db.checkpoint();
        expect(most(), 'copies of the state on their way').toBeLessThan(2);
    }
    tx.rollback();
    expect(db.stats().checkpoints).toBeGreaterThan(5);
    await db.flush();
    await expectVerified(db);
    db.close();
}));
//# sourceMappingURL=checkpoint.test.js.map