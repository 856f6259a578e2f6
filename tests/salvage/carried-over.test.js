import { describe, expect, test, vi } from 'vitest';
import { open, salvage } from '../../src/index.js';
import { AT_KIND, BlockKind, EXPIRY_ROOT, ORDERED_ROOT } from '../../src/pager/layout.js';
import { nodeChild, nodeCount } from '../../src/pager/node.js';
import { Arena } from '../../src/runtime/bytes.js';
import { nodeStorage } from '../../src/storage/node.js';
import { expectVerified } from '../support/database.js';
import { copyImage, readImage, storageOf } from '../support/image.js';
import { firstDifference } from '../support/model.js';
import { runTimeout, seeded } from '../support/random.js';
import { BLOCK, smash } from './damage.js';
import { expectComplete } from './salvaging.js';
vi.setConfig({ testTimeout: runTimeout });
const START = 1_700_000_000_000;
const clock = { now: START };
const codec = {
    name: 'halves',
    compress: (bytes) => bytes.slice(0, bytes.length / 2),
    decompress: (bytes) => new Uint8Array([...bytes, ...bytes]),
};
const small = { durability: 'process', cacheBytes: 4_194_304 };
function timed(image = new Map(), deflate = true) {
    return {
        ...storageOf(image),
        now: () => clock.now,
        ...(deflate ? { deflate: nodeStorage.deflate } : {}),
    };
}
function fill(db, kind, expected) {
    const twice = (text) => text + text;
    for (const [size, value] of [
        ['short', `${kind} x`],
        ['long', twice(`${kind} inline `.repeat(20))],
        ['large', twice(`${kind} ${Math.E} `.repeat(2000))],
    ])
        for (const [life, ttl] of [
            ['for ever', Number.POSITIVE_INFINITY],
            ['past', 5],
            ['exact', 123_456_789.25],
            ['changed', 77_777],
        ]) {
            const key = `${kind} ${size} ${life}`;
            if (life === 'for ever')
                db.put(key, value);
            else
                db.put(key, value, { ttl: life === 'changed' ? 1000 : ttl });
            if (life === 'changed')
                db.expire(key, ttl);
            expected.set(key, { value, ttl: Math.ceil(ttl) });
        }
}
function mixed() {
    clock.now = START;
    const storage = timed();
    const expected = new Map();
    let db = open('db', { ...small, storage });
    fill(db, 'plain', expected);
    db.close();
    db = open('db', { ...small, storage, compression: 'deflate' });
    fill(db, 'deflated', expected);
    db.close();
    db = open('db', { ...small, storage, compression: codec });
    fill(db, 'encoded', expected);
    const tx = db.begin();
    for (const key of [...expected.keys()].slice(0, 30))
        if (key.includes('short'))
            tx.delete(key);
        else
            tx.put(key, 'never committed', { ttl: 1 });
    void db.flush();
    const crashed = readImage('db', storage);
    tx.rollback();
    db.close();
    return { closed: readImage('db', storage), crashed, expected };
}
describe('flags and times', () => {
    for (const state of ['closed', 'crashed'])
        for (const blockSize of [4096, 65_536])
            test(`are the same in the new database (${state}, to blocks of ${blockSize} bytes)`, async () => {
                const { expected, ...images } = mixed();
                clock.now = START + 10;
                const storage = timed(images[state], false);
                const report = await salvage('db', 'new', { storage, blockSize, cacheBytes: 4_194_304 });
                expectComplete(report);
                expect(report).toMatchObject({ records: 36, expired: 9, ordered: true });
                let db = open('new', { ...small, storage, readOnly: true });
                expect(() => db.get('deflated long for ever')).toThrow('compressed with deflate');
                expect(() => db.get('encoded large exact')).toThrow('a codec of its own');
                await expectVerified(db, 36);
                db.close();
                const able = { ...storage, deflate: nodeStorage.deflate };
                db = open('new', { ...small, storage: able, compression: codec });
                for (const [key, { value, ttl }] of expected) {
                    const left = ttl > 10 ? ttl - 10 : undefined;
                    expect(db.ttl(key), key).toBe(left);
                    expect(db.get(key), key).toBe(left === undefined ? undefined : value);
                }
                expect(db.count()).toBe(27);
                db.close();
            });
    test('of a damaged large value: the key is named, whatever its flags', async () => {
        const { closed, expected } = mixed();
        const data = closed.get('data');
        for (let block = 1; block < data.length / BLOCK; block++)
            if (data[block * BLOCK + AT_KIND] === BlockKind.large)
                data[block * BLOCK + 100] ^= 1;
        const report = await salvage('db', 'new', { storage: timed(closed) });
        expect(report.gaps.count).toBe(0);
        const large = [...expected.keys()].filter(key => /^(plain|encoded) large/.test(key));
        expect(report.lostKeys.first.map(({ key }) => key).sort()).toEqual(large.sort());
        expect(report.lostKeys.count + report.records).toBe(36);
    });
});
describe('the trees', () => {
    function grown(options = {}) {
        const storage = timed();
        const db = open('db', { ...small, ...options, storage });
        const records = new Map();
        for (let i = 0; i < 2500; i++)
            records.set(`${i} `.padEnd(900, `${i % 7}`), `${i}`);
        db.batch([...records].map(([key, value]) => ({ type: 'put', key, value, ttl: 1e9 })));
        db.close();
        return { closed: readImage('db', storage), records };
    }
    function nodes(image, root) {
        const data = image.get('data');
        const arena = new Arena(data.length);
        arena.u8.set(data);
        const found = [];
        for (const pending = [root]; pending.length > 0;) {
            const block = pending.pop();
            found.push(block);
            if (arena.u8[block * BLOCK + AT_KIND] !== BlockKind.inner)
                continue;
            for (let i = 0; i < nodeCount(arena, block * BLOCK); i++)
                pending.push(nodeChild(arena, block * BLOCK, i));
        }
        return found;
    }
    for (const [root, use] of [
        [ORDERED_ROOT, 'ordered index'],
        [EXPIRY_ROOT, 'times of expiry'],
    ])
        test(`over ${use}: a damaged node is named, and nothing is lost`, () => seeded(async (random) => {
            const { closed, records } = grown();
            const blocks = nodes(closed, root);
            expect(blocks.length).toBeGreaterThan(500);
            for (const block of [root, ...random.shuffle(blocks.slice(1)).slice(0, 4)]) {
                const damaged = copyImage(closed);
                smash(damaged, block, random);
                const storage = timed(damaged);
                const report = await salvage('db', 'new', { storage, cacheBytes: 4_194_304 });
                expectComplete(report);
                if (report.blocks.rebuilt === 0)
                    expect(report.damagedBlocks).toMatchObject({ count: 1, first: [{ block, use }] });
                const db = open('new', { ...small, storage });
                expect(firstDifference(new Map(db.entries()), records)).toBeUndefined();
                await expectVerified(db, records.size);
                db.close();
            }
        }));
    test('may be gone altogether', () => seeded(async (random) => {
        const { closed, records } = grown();
        for (const root of [ORDERED_ROOT, EXPIRY_ROOT])
            for (const block of nodes(closed, root))
                smash(closed, block, random);
        const storage = timed(closed);
        const report = await salvage('db', 'new', { storage });
        expectComplete(report);
        const uses = report.damagedBlocks.first.map(({ use }) => use);
        expect(uses).toContain('ordered index');
        expect(uses).toContain('times of expiry');
        const db = open('new', { ...small, storage });
        expect([...db.keys()]).toEqual([...records.keys()].sort());
        db.close();
    }));
    test('are kept or not as they were; without block 0 they are kept', async () => {
        for (const ordered of [true, false])
            for (const lost of [false, true]) {
                const { closed, records } = grown({ ordered });
                if (lost)
                    closed.get('data').fill(0xa5, 512, 1536);
                const storage = timed(closed);
                const report = await salvage('db', 'new', { storage });
                expect(report).toMatchObject({ ordered: ordered || lost, complete: !lost, records: records.size });
                const db = open('new', { ...small, storage, ordered: ordered || lost });
                await expectVerified(db, records.size);
                db.close();
            }
    });
});
//# sourceMappingURL=carried-over.test.js.map