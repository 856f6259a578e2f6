import { expect, test } from 'vitest';
import { memoryStorage, open } from '../../src/index.js';
import { closeQuietly, expectVerified } from '../support/database.js';
import { withDirectory } from '../support/directory.js';
import { expectCode } from '../support/errors.js';
import { differences, readImage, writeImage } from '../support/image.js';
import { expectEqual, scan } from '../support/model.js';
const RECORDS = 1_500;
async function fillUnclean(directory) {
    const db = open(directory, { cacheBytes: 48 * 4096, checkpointBytes: 256 * 1024, durability: 'process' });
    for (let i = 0; i < RECORDS; i++)
        db.put(`key ${i}`, 'v'.repeat(i % 500));
    db.put('large', 'large'.repeat(20_000));
    const tx = db.begin();
    for (let i = 0; i < RECORDS; i += 7)
        tx.put(`key ${i}`, 'never committed');
    tx.put('large', 'never committed'.repeat(9_000));
    await db.flush();
    const image = readImage(directory);
    tx.rollback();
    db.close();
    return image;
}
for (const [pool, cacheBytes] of [
    ['a pool that holds all of it', 16 << 20],
    ['a pool that holds a part of it', 32 * 4096],
])
    test(`what was not closed cleanly can be read with ${pool}, again and again, and stays as it is`, () => withDirectory(async (parent) => {
        const image = await fillUnclean(`${parent}/source`);
        const closed = open(`${parent}/source`);
        const records = scan(closed);
        closed.close();
        writeImage(`${parent}/db`, image);
        for (let round = 0; round < 2; round++) {
            const db = open(`${parent}/db`, { readOnly: true, cacheBytes });
            try {
                expect(db.stats().recovery).toMatchObject({ needed: true, transactionsRolledBack: 1 });
                expectEqual(db, records);
                const snapshot = db.snapshot();
                expect(snapshot.count()).toBe(records.size);
                snapshot.close();
                await expectVerified(db, records.size);
                expectCode(() => db.put('key', 'value'), 'XENON_READ_ONLY');
                await db.backup(`${parent}/backup ${round}`);
            }
            finally {
                closeQuietly(db);
            }
            expect(differences(image, readImage(`${parent}/db`))).toEqual([]);
            const copy = open(`${parent}/backup ${round}`);
            expectEqual(copy, records);
            await expectVerified(copy, records.size);
            copy.close();
        }
        const db = open(`${parent}/db`);
        expectEqual(db, records);
        await expectVerified(db, records.size);
        db.close();
    }));
test('a reader keeps a writer out, and a writer a reader', () => {
    const storage = memoryStorage();
    const writer = open('db', { storage });
    expectCode(() => open('db', { storage, readOnly: true }), 'XENON_LOCKED');
    writer.close();
    const reader = open('db', { storage, readOnly: true });
    expectCode(() => open('db', { storage }), 'XENON_LOCKED');
    reader.close();
});
//# sourceMappingURL=read-only.test.js.map