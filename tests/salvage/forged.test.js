import { describe, expect, test, vi } from 'vitest';
import { encodeBatchHeader } from '../../src/buffer/image-format.js';
import { memoryStorage, open, XenonError } from '../../src/index.js';
import { LogOp, RecordFlag, RecordType, UndoKind } from '../../src/log/format.js';
import { groupsOf } from '../files/groups.js';
import { copyImage, readImage, segments, storageOf } from '../support/image.js';
import { seeded } from '../support/random.js';
import { salvaged } from './salvaging.js';
vi.setConfig({ testTimeout: 60_000 });
const crc32 = memoryStorage().crc32;
const GROUP_MAGIC = 0x474c4e58;
const RECORDS = 300;
const killed = () => {
    const storage = memoryStorage();
    const db = open('db', { storage, durability: 'process', cacheBytes: 1 << 20 });
    for (let i = 0; i < RECORDS; i++)
        db.put(`key ${i}`, `value ${i}`);
    const tx = db.begin();
    tx.put('under way', 'x');
    const image = readImage('db', storage);
    tx.rollback();
    db.close();
    return image;
};
const record = (words, type, flags = 0, parts = 1, transaction = 0, previous = 0) => [
    20 + 4 * words.length,
    (type | (flags << 8) | (parts << 16)) >>> 0,
    transaction,
    previous % 2 ** 32,
    Math.floor(previous / 2 ** 32),
    ...words,
];
const withGroup = (given, make, bytes) => {
    const image = copyImage(given);
    const last = groupsOf(image, 0).at(-1);
    const words = make(last.end + 32);
    const size = 32 + 4 * words.length;
    const segment = new Uint8Array(last.to + size);
    segment.set(image.get(last.segment).subarray(0, last.to));
    image.set(last.segment, segment);
    const u32 = new Uint32Array(segment.buffer);
    const at = last.to >>> 2;
    u32[at] = GROUP_MAGIC;
    u32[at + 2] = bytes ?? size;
    u32[at + 3] = u32[3];
    u32[at + 4] = last.end % 2 ** 32;
    u32[at + 5] = Math.floor(last.end / 2 ** 32);
    u32.set(words, at + 8);
    u32[at + 1] = crc32(segment.subarray(last.to + 8, last.to + size), 0);
    return image;
};
const op = (code) => (code << 16) >>> 0;
const formats = (block) => [block, 8, op(LogOp.format), 1];
const many = (count, words) => {
    const all = [];
    for (let i = 0; i < count; i++)
        for (const word of words(i))
            all.push(word);
    return all;
};
const MANY = 20_000;
const forged = {
    'a part count of 65,535': () => record([3, 4, op(LogOp.compact)], RecordType.system, 0, 65_535),
    'many part counts of 65,535': () => many(MANY, () => record([3, 4, op(LogOp.compact)], RecordType.system, 0, 65_535)),
    'parts that are longer than the record': () => record([3, 0xfffffffc, 1, 2], RecordType.system, 0, 2),
    'parts that lead back by overflow': () => record([3, 0xfffffff0, 3, 0xfffffff0], RecordType.system, 0, 60_000),
    'an image of block four billion': () => record([0xfffffff0, 8, 4, 7], RecordType.image),
    'many images of high blocks': () => many(MANY, i => record([0xfffffff0 - i, 8, 4, 7], RecordType.image)),
    'a format of block four billion': () => record(formats(0xfffffff0), RecordType.system),
    'many formats of blocks that are not there': () => many(MANY, i => record(formats(0x1000000 + 5000 * i), RecordType.system)),
    'many formats of blocks behind the end': () => many(MANY, i => record(formats(1000 + i), RecordType.system)),
    'a database of four billion blocks': () => record([0, 16, op(LogOp.blocks), 0xffffffff, op(LogOp.freeHead), 0xfffffff0], RecordType.system),
    'an unknown operation': () => record([3, 8, op(99), 0], RecordType.system),
    'an unknown operation on block 0': () => record([0, 8, op(LogOp.move), 0], RecordType.system),
    'bytes behind the block': () => record([3, 20, (0xfff0 << 16) | 16, 1, 2, 3, 4].map(word => word >>> 0), RecordType.system),
    'a move out of the block': () => record([3, 12, op(LogOp.move), 0xfff0_0000, 0xffffffff], RecordType.system),
    'whole blocks made anew without an end': () => record([3, 4 * 30_000, ...many(30_000, () => [op(LogOp.compact)])], RecordType.system),
    'entries that a tree node has not': () => record([
        103,
        40,
        op(LogOp.removeEntry),
        60_000,
        op(LogOp.keepEntries),
        0x0001_ffff,
        op(LogOp.shortenPrefix),
        0xffff,
        op(LogOp.insertEntry),
        0xfff0,
        0,
        0,
    ].slice(0, 12), RecordType.system),
    'tree changes of a bucket': () => record([3, 16, op(LogOp.keepEntries), 0x7fff_0000, op(LogOp.removeEntry), 1], RecordType.system),
    'an undo section behind the record': () => record([UndoKind.restore | (0xffff << 16), 0xffffffff], RecordType.update, RecordFlag.undo, 0, 77),
    'an undo section that frees a billion blocks': () => record([UndoKind.allocate, 0xfffffffc], RecordType.update, RecordFlag.undo, 0, 77),
    'an insertion whose key lies elsewhere': () => record([UndoKind.insert | (0xffff << 16), 0x7fffffff], RecordType.update, RecordFlag.undo, 0, 77),
    'a transaction that is its own predecessor': lsn => record([UndoKind.insert | (4 << 16), 20], RecordType.update, RecordFlag.undo, 0, 77, lsn),
    'a transaction that goes on in the future': lsn => record([UndoKind.insert | (4 << 16), 20], RecordType.update, RecordFlag.undo, 0, 77, lsn + 2 ** 40),
    'many transactions with one long past': lsn => many(MANY / 2, i => record([UndoKind.insert | (4 << 16), 20], RecordType.update, RecordFlag.undo, 0, 1000 + i, i === 0 ? 0 : lsn + 28 * (i - 1))),
    'a record of no bytes': () => [0, 0, 0, 0, 0, 0],
    'a record of odd bytes': () => [21, 4, 0, 0, 0, 0],
    'a record of four billion bytes': () => [0xfffffffc, 4, 0, 0, 0, 0],
};
describe('a forged group with a right checksum', () => {
    const sound = killed();
    for (const [name, make] of Object.entries(forged))
        test(`${name}: salvage and open are done soon`, async () => {
            const image = withGroup(sound, make);
            const started = process.cpuUsage();
            const { records } = await salvaged(image);
            for (let i = 0; i < RECORDS; i++)
                if (records.has(`key ${i}`))
                    expect(records.get(`key ${i}`)).toBe(`value ${i}`);
            expect(records.has('under way')).toBe(false);
            expect(records.size).toBeGreaterThan(RECORDS / 2);
            opens(image);
            const { user, system } = process.cpuUsage(started);
            expect((user + system) / 1e6).toBeLessThan(20);
        });
    test('of random words does no harm either', () => seeded(async (random) => {
        for (let round = 0; round < 60; round++) {
            const image = withGroup(sound, () => {
                const words = Array.from({ length: 6 + random.below(60) }, () => random.below(3) === 0 ? random.below(2 ** 32) : random.below(300));
                return record(words, 1 + random.below(5), random.below(8), random.below(4), random.below(3));
            });
            const { records } = await salvaged(image);
            expect(records.size).toBeGreaterThan(RECORDS / 2);
            opens(image);
        }
    }));
});
const opens = (image) => {
    try {
        open('db', { storage: storageOf(image), cacheBytes: 1 << 20 }).close();
    }
    catch (error) {
        expect(error).toBeInstanceOf(XenonError);
    }
};
describe('forged files', () => {
    const sound = killed();
    test('a segment full of headers of groups that are not whole is not read for each of them', async () => {
        const image = copyImage(sound);
        const last = groupsOf(image, 0).at(-1);
        const segment = image.get(last.segment);
        const larger = new Uint8Array(8 << 20);
        larger.set(segment);
        image.set(last.segment, larger);
        const u32 = new Uint32Array(larger.buffer);
        const start = last.lsn - last.from;
        for (let at = last.to; at + 32 <= larger.length; at += 32)
            u32.set([GROUP_MAGIC, 1, larger.length - at, u32[3], (start + at) % 2 ** 32, Math.floor((start + at) / 2 ** 32)], at >>> 2);
        const started = performance.now();
        const { report, records } = await salvaged(image);
        expect(records.size).toBe(RECORDS);
        expect(report.warnings.join()).toContain('beginnings of groups');
        opens(image);
        expect(performance.now() - started).toBeLessThan(20_000);
    });
    test('a segment header that claims an LSN beyond all logs is left out', async () => {
        const image = copyImage(sound);
        const name = segments(image)[0];
        for (const lsn of [2n ** 53n, 2n ** 60n, 2n ** 64n - 512n]) {
            const bytes = image.get(name).slice(0, 4096);
            for (const offset of [0, 256]) {
                const view = new DataView(bytes.buffer, offset);
                view.setBigUint64(32, lsn, true);
                view.setUint32(40, 0xffffffff, true);
                view.setUint32(8, crc32(bytes.subarray(offset + 12, offset + 64), 0), true);
            }
            const view = new DataView(bytes.buffer, 512);
            view.setUint32(0, GROUP_MAGIC, true);
            view.setUint32(8, 32, true);
            view.setBigUint64(16, lsn, true);
            view.setUint32(4, crc32(bytes.subarray(520, 544), 0), true);
            image.set(`log/0000099${lsn % 7n}.log`, bytes);
        }
        const { records } = await salvaged(image);
        expect(records.size).toBe(RECORDS);
        opens(image);
    });
    test('images of blocks that cannot be are not restored', async () => {
        const image = copyImage(sound);
        const uuid = image.get('data').slice(16, 32);
        for (const numbers of [
            [0xfffffff0],
            [0, 0xffffffff, 0x7fffffff],
            Array.from({ length: 1023 }, (_, i) => 2 ** 31 + i),
        ]) {
            const last = groupsOf(image, 0).at(-1);
            const header = encodeBatchHeader(memoryStorage(), uuid, 4096, numbers, last.end);
            const file = new Uint8Array(header.length + 4096 * numbers.length);
            file.set(header);
            image.set('log/images-0', file);
            const { records } = await salvaged(image);
            expect(records.size).toBe(RECORDS);
            opens(image);
        }
    });
});
//# sourceMappingURL=forged.test.js.map