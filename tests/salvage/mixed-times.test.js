import { describe, expect, test } from 'vitest';
import { memoryStorage, open } from '../../src/index.js';
import { bucketNext } from '../../src/pager/bucket.js';
import { DataFile } from '../../src/pager/data-file.js';
import { childOffset, directoryCapacity } from '../../src/pager/directory.js';
import { AT_NEXT } from '../../src/pager/layout.js';
import { Metadata } from '../../src/pager/metadata.js';
import { Arena } from '../../src/runtime/bytes.js';
import { seal } from '../files/small.js';
import { closeQuietly } from '../support/database.js';
import { copyImage, readImage, storageOf } from '../support/image.js';
import { firstDifference } from '../support/model.js';
import { seeded } from '../support/random.js';
import { BLOCK, blocksOf, expectOutcome, layoutOf, rich } from './damage.js';
import { salvaged } from './salvaging.js';
const blockOf = (image, block) => image.get('data').subarray(block * BLOCK, (block + 1) * BLOCK);
const copyBlock = (from, to, block) => blockOf(to, block).set(blockOf(from, block));
async function twoTimes(before, between) {
    const storage = memoryStorage();
    const db = open('db', { storage, cacheBytes: 4_194_304 });
    try {
        before(db);
        await db.checkpoint();
        const earlier = readImage('db', storage);
        between(db);
        await db.checkpoint();
        return [earlier, readImage('db', storage)];
    }
    finally {
        closeQuietly(db);
    }
}
const withoutLog = (image) => new Map([['data', image.get('data').slice()]]);
const blocksWith = (image, key, kind) => [...layoutOf(image).uses].filter(([, use]) => use.kind === kind && use.keys.has(key)).map(([block]) => block);
describe('a large value', () => {
    const size = 3 * (BLOCK - 32);
    const reuse = (db) => {
        db.delete('a');
        db.put('b', 'B'.repeat(size));
    };
    test('whose blocks hold a later value is lost, not mistaken for that', async () => {
        const [earlier, later] = await twoTimes(db => db.put('a', 'A'.repeat(size)), reuse);
        const parts = blocksWith(earlier, 'a', 'large');
        expect(blocksWith(later, 'b', 'large').sort()).toEqual(parts.sort());
        for (const some of [parts, parts.slice(0, 1), parts.slice(1)]) {
            const damaged = copyImage(earlier);
            for (const block of some)
                copyBlock(later, damaged, block);
            const { report, records } = await salvaged(damaged);
            expect(records.size).toBe(0);
            expect(report).toMatchObject({ complete: false, lostKeys: { count: 1, first: [{ key: 'a' }] } });
        }
    });
    test('of a record newer than the log is lost: its blocks may hold an earlier value', async () => {
        const [earlier, later] = await twoTimes(db => db.put('a', 'A'.repeat(size)), reuse);
        const damaged = copyImage(earlier);
        for (const block of blocksWith(later, 'b', 'bucket'))
            copyBlock(later, damaged, block);
        const { report, records } = await salvaged(damaged);
        expect(records.has('b')).toBe(false);
        expect(report.complete).toBe(false);
        expect(report.lostKeys.first).toContainEqual(expect.objectContaining({ key: 'b' }));
        expect(report.newerBlocks).toMatchObject({ count: 1, first: [{ records: 1 }] });
    });
    test('whose record is an old one is lost when the parts are of other lengths', async () => {
        const [earlier, later] = await twoTimes(db => db.put('a', 'A'.repeat(size)), db => {
            db.delete('a');
            db.put('b', 'B'.repeat(size - 100));
        });
        const damaged = withoutLog(later);
        for (const block of blocksWith(earlier, 'a', 'bucket'))
            copyBlock(earlier, damaged, block);
        const { report, records } = await salvaged(damaged);
        expect(records.has('a')).toBe(false);
        expect(report.lostKeys.first).toContainEqual(expect.objectContaining({ key: 'a' }));
    });
});
describe('a bucket of an earlier time', () => {
    const fill = (records, from, to, text) => (db) => {
        for (let i = from; i < to; i++)
            records.set(`key ${i}`, `${text} ${i} `.repeat(20));
        db.batch([...records].map(([key, value]) => ({ type: 'put', key, value })));
    };
    test('that was freed since is left out: its records were deleted', async () => {
        const records = new Map();
        const [earlier, later] = await twoTimes(fill(records, 0, 5000, 'old'), db => {
            for (const key of [...records.keys()].slice(100)) {
                db.delete(key);
                records.delete(key);
            }
        });
        const now = layoutOf(later).uses;
        const freed = [...layoutOf(earlier).uses].filter(([block, { kind }]) => kind === 'bucket' && now.get(block)?.use === 'free');
        expect(freed.length).toBeGreaterThan(10);
        const damaged = withoutLog(later);
        for (const [block] of freed)
            copyBlock(earlier, damaged, block);
        const { report, records: found } = await salvaged(damaged);
        expect(firstDifference(found, records)).toBeUndefined();
        expect(report.warnings.join()).toContain(`${freed.length} sound buckets were left out`);
    });
    test('is brought up to date if the log goes back that far', async () => {
        const records = new Map();
        const [earlier, later] = await twoTimes(fill(records, 0, 300, 'old'), fill(records, 0, 600, 'new'));
        const damaged = copyImage(later);
        for (let block = 1; block < blocksOf(earlier); block++)
            copyBlock(earlier, damaged, block);
        const { report, records: found } = await salvaged(damaged);
        expect(firstDifference(found, records)).toBeUndefined();
        expect(report.complete).toBe(true);
    });
    test('gives no records that belong to other buckets by now (S1)', async () => {
        const records = new Map();
        const [earlier, later] = await twoTimes(fill(records, 0, 3000, 'old'), fill(records, 0, 9000, 'new'));
        const now = layoutOf(later).uses;
        const before = layoutOf(earlier).uses;
        let strays = 0;
        for (const [block, use] of [...before].slice(60, 300)) {
            const current = now.get(block);
            if (use.kind !== 'bucket' || current?.kind !== 'bucket' || current.use === 'index')
                continue;
            const moved = [...use.keys].filter(key => !current.keys.has(key));
            if (moved.length === 0 || strays > 200)
                continue;
            strays += moved.length;
            const damaged = withoutLog(later);
            copyBlock(earlier, damaged, block);
            const { report, records: found } = await salvaged(damaged);
            for (const key of moved)
                expect(found.get(key)).toBe(records.get(key));
            expect(report.misplaced.count).toBe(moved.length);
            expect(report.complete).toBe(false);
        }
        expect(strays).toBeGreaterThan(50);
    });
    test('yields to a later one of the same records, where the index leads to neither (S3)', async () => {
        const records = new Map();
        const [earlier, later] = await twoTimes(fill(records, 0, 3000, 'old'), fill(records, 0, 3000, 'new'));
        const { uses } = layoutOf(later);
        const buckets = [...uses].filter(([, { kind, use }]) => kind === 'bucket' && use !== 'index');
        const directories = [...uses].filter(([, { kind }]) => kind === 'directory').map(([block]) => block);
        let compared = 0;
        for (let i = 0; i < 20; i++) {
            const [block, { keys }] = buckets[i];
            const [place] = buckets[i + 20];
            const damaged = withoutLog(later);
            blockOf(damaged, place).set(blockOf(earlier, block));
            seal(damaged, place);
            for (const directory of directories)
                blockOf(damaged, directory).fill(7);
            const { records: found } = await salvaged(damaged);
            for (const key of keys)
                expect(found.get(key)).toBe(records.get(key));
            compared += keys.size;
        }
        expect(compared).toBeGreaterThan(50);
    });
    test('counts where a directory newer than the log leads past it (S2)', async () => {
        const records = new Map();
        const [earlier, later] = await twoTimes(fill(records, 0, 9000, 'old'), db => {
            for (const key of [...records.keys()].filter((_, i) => i % 10 !== 0))
                db.delete(key);
        });
        const now = layoutOf(later).uses;
        const damaged = copyImage(earlier);
        let directories = 0;
        for (const [block, { kind }] of layoutOf(earlier).uses) {
            if (kind !== 'directory' || now.get(block)?.kind !== 'directory')
                continue;
            copyBlock(later, damaged, block);
            directories++;
        }
        expect(directories).toBeGreaterThan(10);
        const { report, records: found } = await salvaged(damaged);
        expect(firstDifference(found, records)).toBeUndefined();
        expect(report).toMatchObject({ complete: false, log: { state: 'damaged' } });
    });
});
describe('pointers that lead astray', () => {
    const rewrite = (image, block, offset, value) => {
        const storage = storageOf(image);
        const file = storage.open('db/data');
        const metadata = Metadata.decode(image.get('data').slice(0, 4096), 'data', storage);
        const data = new DataFile(file, metadata, storage);
        const arena = new Arena(BLOCK);
        data.readSound(block, arena, 0);
        arena.u32[offset >>> 2] = value;
        data.writeRun(block, [0], arena);
        file.close();
        image.set('data', readImage('db', storage).get('data'));
    };
    test('an overflow chain in a circle ends, and is reported', () => seeded(async (random) => {
        const { closed, records } = rich(random);
        const { uses } = layoutOf(closed);
        const [block] = random.pick([...uses].filter(([, { use }]) => use === 'overflow'));
        const damaged = copyImage(closed);
        rewrite(damaged, block, AT_NEXT, block);
        const { report, records: found } = await salvaged(damaged);
        expect(firstDifference(found, records)).toBeUndefined();
        expect(report).toMatchObject({ complete: false, gaps: { count: 1, first: [{ block }] } });
    }));
    test('a directory that leads to itself, to itself as a bucket, or nowhere, is reported', () => seeded(async (random) => {
        const { closed, records } = rich(random);
        const { uses } = layoutOf(closed);
        const directories = [...uses].filter(([, { kind }]) => kind === 'directory').map(([block]) => block);
        for (const target of ['itself', 'another', 0, 4_000_000_000, blocksOf(closed)]) {
            const block = random.pick(directories);
            const leadsTo = target === 'itself' ? block : target === 'another' ? random.pick(directories) : target;
            const damaged = copyImage(closed);
            rewrite(damaged, block, childOffset(directoryCapacity(BLOCK), 0), leadsTo);
            const { report, records: found } = await salvaged(damaged);
            expectOutcome(found, records, new Set());
            expect(report.complete).toBe(false);
            expect(report.gaps.first).toMatchObject([{ block: leadsTo, indexBlock: block }]);
        }
    }));
    test('a large value whose chain ends early, or goes in a circle, is lost', () => seeded(async (random) => {
        const { closed, records } = rich(random);
        const parts = [...layoutOf(closed).uses].filter(([, { kind }]) => kind === 'large');
        for (const next of ['itself', 0, 1, 4_000_000_000]) {
            const image = new Arena(closed.get('data').length);
            image.u8.set(closed.get('data'));
            const [block, { keys }] = random.pick(parts.filter(([part]) => bucketNext(image, part * BLOCK) !== 0));
            const damaged = copyImage(closed);
            rewrite(damaged, block, AT_NEXT, next === 'itself' ? block : next);
            const { report, records: found } = await salvaged(damaged);
            expectOutcome(found, records, keys);
            expect(report.lostKeys.first.map(({ key }) => key)).toEqual([...keys]);
        }
    }));
});
//# sourceMappingURL=mixed-times.test.js.map