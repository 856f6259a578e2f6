import { describe, expect, test } from 'vitest';
import { copyLive, Overtaken } from '../../src/cli/live-copy.js';
import { memoryStorage, open } from '../../src/index.js';
import { closeQuietly, expectVerified } from '../support/database.js';
import { failureOf } from '../support/errors.js';
import { differences, readImage } from '../support/image.js';
import { expectEqual, scan } from '../support/model.js';
import { runs, seeded } from '../support/random.js';
const OPTIONS = { cacheBytes: 32 * 4096, checkpointBytes: 65536, logSegmentBytes: 131072 };
const BLOCK = 4096;
class Writer {
    #random;
    constructor(random) {
        this.storage = memoryStorage();
        this.#random = random;
        this.db = open('db', { ...OPTIONS, storage: this.storage });
        for (let i = 0; i < 300; i++)
            this.db.put(`key ${i}`, this.text(2_000));
    }
    text(most) {
        return String.fromCharCode(97 + this.#random.below(26)).repeat(this.#random.below(most));
    }
    async step(commits) {
        const { db } = this;
        const random = this.#random;
        for (let i = 0; i < commits; i++) {
            const kind = random.below(10);
            const key = `key ${random.below(400)}`;
            if (kind < 6)
                db.put(key, this.text(2_000));
            else if (kind < 8)
                db.delete(key);
            else if (kind === 8)
                db.put(`large ${random.below(5)}`, this.text(20_000));
            else {
                const tx = db.begin();
                for (let k = 0; k < 5; k++)
                    tx.put(`key ${random.below(400)}`, this.text(500));
                if (random.chance(0.3))
                    tx.rollback();
                else
                    tx.commit();
            }
        }
        if (random.chance(0.3))
            await db.checkpoint();
    }
}
function torn(storage, random, between) {
    return {
        ...storage,
        open(path, options) {
            const file = storage.open(path, options);
            if (options?.readOnly !== true || !path.endsWith('db/data'))
                return file;
            return Object.assign(Object.create(file), {
                path: file.path,
                size: () => file.size(),
                close: () => file.close(),
                read(target, offset, length, position) {
                    const cut = Math.min(length, 512 * random.between(1, Math.max(1, Math.floor(length / 512))));
                    const got = file.read(target, offset, cut, position);
                    if (got < cut || cut === length)
                        return got;
                    between();
                    return got + file.read(target, offset + cut, length - cut, position + cut);
                },
            });
        },
    };
}
async function copyOf(name, source, options) {
    for (let attempt = 1;; attempt++) {
        const copy = `${name}, attempt ${attempt}`;
        const failure = await failureOf(() => copyLive(source, 'db', copy, options));
        if (failure === undefined)
            return copy;
        if (!(failure instanceof Overtaken) || attempt === 40)
            throw failure;
    }
}
async function expectCopy(storage, records, copy = 'copy') {
    const db = open(copy, { ...OPTIONS, storage, createIfMissing: false });
    try {
        expectEqual(db, records);
        await expectVerified(db, records.size);
    }
    finally {
        closeQuietly(db);
    }
}
describe('a copy of a live database', () => {
    const COPIES = 60 * runs;
    test(`is whole, whatever is written between its pieces (${COPIES} copies)`, () => seeded(async (random) => {
        const writer = new Writer(random);
        for (let i = 0; i < COPIES; i++) {
            await writer.step(random.below(20));
            const blocks = random.between(1, 40);
            const share = Math.min(0.4, 0.02 * blocks);
            const copy = await copyOf(`copy ${i}`, writer.storage, {
                pieceBytes: BLOCK * blocks,
                onPiece: () => (random.chance(share) ? writer.step(random.below(8)) : undefined),
            });
            await expectCopy(writer.storage, scan(writer.db), copy);
        }
        await expectVerified(writer.db);
        writer.db.close();
    }));
    test(`is whole when blocks are caught in the middle of their writes (${COPIES} copies)`, () => seeded(async (random) => {
        const writer = new Writer(random);
        let tears = 0;
        for (let i = 0; i < COPIES; i++) {
            await writer.step(random.below(20));
            const storage = torn(writer.storage, random, () => {
                if (!random.chance(0.3))
                    return;
                tears++;
                for (let k = 0; k < 6; k++)
                    writer.db.put(`key ${random.below(400)}`, writer.text(2_000));
            });
            const copy = await copyOf(`copy ${i}`, storage, { pieceBytes: BLOCK * random.between(1, 40) });
            await expectCopy(writer.storage, scan(writer.db), copy);
        }
        expect(tears).toBeGreaterThan(COPIES);
        writer.db.close();
    }));
    test('leaves out what an open transaction has done so far', () => seeded(async (random) => {
        const writer = new Writer(random);
        const records = scan(writer.db);
        const tx = writer.db.begin();
        for (let i = 0; i < 100; i++)
            tx.put(`key ${i}`, 'not committed');
        await writer.db.flush();
        await copyLive(writer.storage, 'db', 'copy');
        await expectCopy(writer.storage, records);
        tx.rollback();
        writer.db.close();
    }));
    test('of a database that is idle, closed or just created is whole, and changes nothing', () => seeded(async (random) => {
        const writer = new Writer(random);
        const records = scan(writer.db);
        for (const name of ['idle', 'checkpointed', 'closed']) {
            if (name === 'checkpointed')
                await writer.db.checkpoint();
            if (name === 'closed')
                writer.db.close();
            const before = readImage('db', writer.storage);
            await copyLive(writer.storage, 'db', name);
            expect(differences(before, readImage('db', writer.storage))).toEqual([]);
            await expectCopy(writer.storage, records, name);
        }
        const storage = memoryStorage();
        const db = open('db', { ...OPTIONS, storage });
        await copyLive(storage, 'db', 'copy');
        await expectCopy(storage, new Map());
        db.close();
    }));
    test('that is overtaken by the recycling of the log says so', () => seeded(async (random) => {
        const writer = new Writer(random);
        const failure = await failureOf(() => copyLive(writer.storage, 'db', 'copy', {
            pieceBytes: BLOCK * 64,
            onPiece: async () => {
                for (let i = 0; i < 6; i++) {
                    await writer.step(150);
                    await writer.db.checkpoint();
                }
            },
        }));
        expect(failure).toBeInstanceOf(Overtaken);
        await expectVerified(writer.db);
        writer.db.close();
    }));
});
//# sourceMappingURL=verify-live-copy.test.js.map