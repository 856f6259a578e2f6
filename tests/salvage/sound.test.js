import { describe, expect, test } from 'vitest';
import { open, salvage } from '../../src/index.js';
import { sample } from '../files/damage.js';
import { withDatabase, withMemoryDatabase } from '../support/database.js';
import { withDirectory } from '../support/directory.js';
import { differences, readImage, storageOf } from '../support/image.js';
import { expectEqual, firstDifference, scan } from '../support/model.js';
import { runs, seeded } from '../support/random.js';
import { expectComplete, salvaged } from './salvaging.js';
describe('a sound database', () => {
    test('that was closed is rescued whole', () => seeded(async (random) => {
        const { closed, records } = sample(random);
        const { report, records: found } = await salvaged(closed);
        expect(firstDifference(found, records)).toBeUndefined();
        expectComplete(report);
        expect(report).toMatchObject({
            records: records.size,
            expectedRecords: records.size,
            unfinishedTransactions: 0,
            block0: { identity: 'sound', state: 'sound' },
            blocks: { damaged: 0, rebuilt: 0 },
        });
    }));
    test('that was not closed gives what recovery gives', () => seeded(async (random) => {
        const { crashed, records } = sample(random);
        const { report, records: found } = await salvaged(crashed);
        expect(firstDifference(found, records)).toBeUndefined();
        expectComplete(report);
    }));
    test('without records gives one without records', () => withMemoryDatabase({}, async (subject) => {
        const { report, records } = await salvaged(subject.image());
        expect(records.size).toBe(0);
        expectComplete(report);
    }));
    test('keeps its block size, or gets the one that was asked for', () => withMemoryDatabase({ blockSize: 16384 }, async (subject) => {
        subject.db.put('a', 'x'.repeat(100_000));
        subject.db.put('b', 'y');
        subject.db.close();
        const image = subject.image();
        expect((await salvaged(image)).report).toMatchObject({ complete: true, blockSize: 16384 });
        for (const [blockSize, expected] of [
            [undefined, 16384],
            [4096, 4096],
            [65536, 65536],
        ]) {
            const storage = storageOf(image);
            await salvage('db', 'new', { storage, ...(blockSize === undefined ? {} : { blockSize }) });
            const db = open('new', { storage });
            expect(db.stats().blockSize).toBe(expected);
            expect(db.get('a')).toBe('x'.repeat(100_000));
            db.close();
        }
    }));
});
describe('an image of a live database', () => {
    test('gives what recovery gives, without the open transaction', () => seeded(random => withMemoryDatabase({ durability: 'process', cacheBytes: 65536, checkpointBytes: 300_000, logSegmentBytes: 131072 }, async (subject) => {
        const { db } = subject;
        const records = new Map();
        const key = () => `key ${random.below(2000)}`;
        const value = () => 'v'.repeat(random.chance(0.05) ? random.below(20_000) : random.below(200));
        for (let round = 0; round < 10 * runs; round++) {
            for (let i = random.below(800); i > 0; i--) {
                const name = key();
                if (random.chance(0.7)) {
                    const text = value();
                    db.put(name, text);
                    records.set(name, text);
                }
                else {
                    db.delete(name);
                    records.delete(name);
                }
            }
            const tx = db.begin();
            for (let i = random.below(100); i > 0; i--)
                if (random.chance(0.6))
                    tx.put(key(), value());
                else
                    tx.delete(key());
            if (random.chance(0.3)) {
                const savepoint = tx.savepoint();
                for (let i = 0; i < 20; i++)
                    tx.put(key(), value());
                tx.rollbackTo(savepoint);
            }
            if (random.chance(0.5))
                await db.checkpoint();
            await db.flush();
            const image = subject.image();
            const { report, records: found } = await salvaged(image);
            expect(firstDifference(found, records)).toBeUndefined();
            expectComplete(report);
            tx.rollback();
        }
    })));
});
describe('on the disk', () => {
    test('the new database is beside the old one, and nothing else is left', () => withDatabase({}, async (subject) => {
        const records = new Map();
        for (let i = 0; i < 500; i++)
            records.set(`key ${i}`, 'x'.repeat(i * 10));
        subject.db.batch([...records].map(([key, value]) => ({ type: 'put', key, value })));
        subject.db.close();
        await withDirectory(async (parent) => {
            const before = readImage(subject.directory);
            const progress = [];
            const report = await salvage(subject.directory, `${parent}/a/new`, {
                onProgress: ({ phase, done, total }) => {
                    expect(done).toBeLessThanOrEqual(total);
                    if (progress.at(-1) !== phase)
                        progress.push(phase);
                },
            });
            expectComplete(report);
            expect(report.bytes).toBe([...records].reduce((sum, [key, value]) => sum + key.length + value.length, 0));
            expect(progress.at(-1)).toBe('verify');
            expect(differences(before, readImage(subject.directory))).toEqual([]);
            const db = open(`${parent}/a/new`, { createIfMissing: false });
            expectEqual(db, records);
            expect(scan(db).size).toBe(records.size);
            db.close();
            expect([...readImage(`${parent}/a/new`).keys()].filter(name => !/^log\/\d+\.log$/.test(name))).toEqual([
                'data',
                'log/images-0',
                'log/images-1',
                'log/reserve',
            ]);
        });
    }));
});
//# sourceMappingURL=sound.test.js.map