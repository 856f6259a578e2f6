import { afterEach, describe, expect, test } from 'vitest';
import { FreeBlocks } from '../../src/freelist/blocks.js';
import { DirectoryChanges } from '../../src/hash/directory-changes.js';
import { HashIndex } from '../../src/hash/hash.js';
import { LargeValues } from '../../src/hash/large.js';
import { BucketMerge } from '../../src/hash/merge.js';
import { BucketRoom } from '../../src/hash/room.js';
import { Structure } from '../../src/hash/structure.js';
import { CorruptionError, memoryStorage, } from '../../src/index.js';
import { Compactor } from '../../src/maintenance/compact.js';
import { BlockLinks } from '../../src/maintenance/links.js';
import { KeyTree } from '../../src/tree/key-tree.js';
import { TreeMerge } from '../../src/tree/merge.js';
import { TreeRoom } from '../../src/tree/room.js';
import { TreeChanges } from '../../src/tree/tree-changes.js';
import { TransactionManager } from '../../src/txn/manager.js';
import { Step } from '../../src/txn/step.js';
import { expectVerified, withMemoryDatabase } from '../support/database.js';
import { expectEqual } from '../support/model.js';
import { Random, runs, runTimeout, seeded } from '../support/random.js';
import { hashOf, keysOfRoot, withBentHash } from './keys.js';
const ROOT = 42;
const TRIES = 8;
const STEPS = [
    ['Structure', Structure.prototype, ['makeRoom', 'shrink', 'pack']],
    ['BucketRoom', BucketRoom.prototype, ['make', 'relieve', 'split', 'share', 'spread', 'spreadOver', 'appendOverflow']],
    ['BucketMerge', BucketMerge.prototype, ['shrink', 'merge', 'unlinkEmpty', 'fill']],
    ['DirectoryChanges', DirectoryChanges.prototype, ['split', 'deepen', 'halve', 'shrink', 'merge', 'flatten']],
    ['KeyTree', KeyTree.prototype, ['prepareInsert', 'prepareRemove', 'shrink', 'pack']],
    ['TreeRoom', TreeRoom.prototype, ['make', 'split', 'halve', 'deepen']],
    ['TreeMerge', TreeMerge.prototype, ['mergePinned', 'moveIntoRoot', 'fill', 'packInner', 'mergeAlong']],
    ['TreeChanges', TreeChanges.prototype, ['prepare', 'shrink']],
    ['HashIndex', HashIndex.prototype, ['put', 'remove', 'moveAlongChain', 'replaceLarge']],
    ['FreeBlocks', FreeBlocks.prototype, ['plan', 'last', 'nextOf']],
    ['LargeValues', LargeValues.prototype, ['write', 'undoAllocate', 'read']],
    ['Compactor', Compactor.prototype, ['move', 'rotate', 'copy', 'cut']],
    ['BlockLinks', BlockLinks.prototype, ['childrenOf', 'to', 'moved']],
    ['TransactionManager', TransactionManager.prototype, ['freeAtCommit', 'commit', 'undoBackTo']],
];
const RARE = [
    'DirectoryChanges.flatten',
    'BucketRoom.spread',
    'BucketRoom.spreadOver',
    'BucketMerge.merge',
    'DirectoryChanges.merge',
    'HashIndex.replaceLarge',
    'TransactionManager.freeAtCommit',
];
const OF_COMPACTION = [
    ...['move', 'rotate', 'copy', 'cut'].map(name => `Compactor.${name}`),
    ...['childrenOf', 'to', 'moved'].map(name => `BlockLinks.${name}`),
    ...['BucketMerge.fill', 'DirectoryChanges.shrink', 'DirectoryChanges.merge'],
    ...['TreeMerge.fill', 'TreeMerge.packInner'],
];
class Fuse {
    constructor(random) {
        this.burnt = new Set();
        this.isLit = false;
        this.hasBurnt = false;
        this.undo = [];
        this.left = 0;
        this.step = '';
        this.turn = 0;
        for (const [owner, prototype, names] of STEPS)
            for (const name of names) {
                const methods = prototype;
                const method = methods[name];
                const fuse = this;
                methods[name] = function (...args) {
                    const isChosen = fuse.only === undefined ? random.chance(0.15) : fuse.only === `${owner}.${name}`;
                    if (!fuse.isLit || !isChosen)
                        return method.apply(this, args);
                    const { left, step } = fuse;
                    fuse.left = random.pick([1, 1, 2, 2, 3, 4, 5, 6]);
                    fuse.step = `${owner}.${name}`;
                    try {
                        return method.apply(this, args);
                    }
                    finally {
                        fuse.left = left;
                        fuse.step = step;
                    }
                };
                this.undo.push(() => {
                    methods[name] = method;
                });
            }
    }
    light(isLit) {
        this.isLit = isLit;
        this.hasBurnt = false;
        this.left = 0;
    }
    burns() {
        if (!this.isLit || this.left === 0 || --this.left > 0)
            return false;
        this.isLit = false;
        this.hasBurnt = true;
        this.burnt.add(this.step);
        return true;
    }
    restore() {
        for (const undo of this.undo)
            undo();
    }
}
class Stumbling {
    constructor() {
        this.failed = new Map();
        this.undo = [];
        const methods = Step.prototype;
        for (const name of ['take', 'pin', 'fresh']) {
            const method = methods[name];
            const stumbling = this;
            methods[name] = function (...given) {
                stumbling.mayFail(name);
                return method.apply(this, given);
            };
            this.undo.push(() => {
                methods[name] = method;
            });
        }
    }
    mayFail(name) {
        if (!fuse.isLit)
            return;
        const { stack = '' } = new Error();
        const frames = stack.split('\n').map(line => /at (\w+\.\w+) .*:(\d+):\d+\)/.exec(line));
        const own = frames.find(frame => frame !== null && !/^(Step|Stumbling|Object|Array|Proxy)\./.test(frame[1]));
        const site = `${own?.[1]} ${name} ${own?.[2]}`;
        const times = this.failed.get(site) ?? 0;
        if (times >= runs)
            return;
        this.failed.set(site, times + 1);
        fuse.isLit = false;
        fuse.hasBurnt = true;
        throw new CorruptionError('data', `${site} meets damage, says the test`, 1);
    }
    get methods() {
        return new Set([...this.failed.keys()].map(site => site.split(' ')[0]));
    }
    restore() {
        for (const undo of this.undo)
            undo();
    }
}
let fuse;
afterEach(() => fuse.restore());
const but = (inner, methods) => new Proxy(inner, {
    get(target, name) {
        const own = methods[name] ?? target[name];
        return typeof own === 'function' ? own.bind(target) : own;
    },
});
const spoiledDisk = () => {
    const inner = memoryStorage();
    return but(inner, {
        open(path, options) {
            const file = inner.open(path, options);
            if (!path.endsWith('data'))
                return file;
            return but(file, {
                read(target, offset, length, position) {
                    const read = file.read(target, offset, length, position);
                    if (position > 0 && fuse.burns())
                        target[offset + 100] = target[offset + 100] ^ 4;
                    return read;
                },
            });
        },
    });
};
const spoilPool = (pool) => {
    const { get } = pool;
    pool.get = function (block) {
        const { pins, table } = pool;
        const frame = table[block >>> 16]?.[block & 0xffff] ?? 0;
        if (pins[frame] === 0 && fuse.burns())
            throw new CorruptionError('data', 'its checksum is wrong, says the test', block);
        return get.call(this, block);
    };
};
const engineOf = (db) => db.engine;
const insist = async (db, change, unchanged = () => { }, rare = RARE) => {
    const { pool } = engineOf(db);
    for (let i = 0;; i++) {
        fuse.light(i < (rare === RARE ? TRIES : 40));
        const turn = fuse.turn++;
        fuse.only = rare === RARE && turn % 2 === 0 ? undefined : rare[(turn >> 1) % rare.length];
        try {
            await change();
            fuse.light(false);
            expect(pool.pinned).toBe(0);
            return;
        }
        catch (error) {
            expect(fuse.hasBurnt, String(error.stack)).toBe(true);
            fuse.light(false);
            expect(error).toBeInstanceOf(CorruptionError);
            expect(pool.pinned).toBe(0);
            unchanged();
        }
    }
};
const life = async (db, keys, random, before = () => { }) => {
    const records = new Map();
    const put = async (key, value) => {
        const options = random.chance(0.1) ? { ttl: 1e9 } : {};
        await insist(db, () => db.put(key, value, options), () => expect(db.get(key)).toBe(records.get(key)));
        records.set(key, value);
    };
    const remove = async (key) => {
        await insist(db, () => expect(db.delete(key)).toBe(records.has(key)), () => expect(db.get(key)).toBe(records.get(key)));
        records.delete(key);
    };
    const large = () => 'L'.repeat(random.between(5000, 60_000));
    const check = async () => {
        expectEqual(db, records);
        await expectVerified(db, records.size);
    };
    for (const [i, key] of keys.entries()) {
        await before();
        await put(key, random.chance(0.02) ? large() : `${key}:`.repeat(200).slice(0, random.between(200, 1000)));
        if (random.chance(0.1))
            await remove(random.pick(keys.slice(0, i + 1)));
        if (records.size > 0 && random.chance(0.1))
            await put(random.pick([...records.keys()]), 'w'.repeat(random.between(1, 1300)));
        if (random.chance(0.02)) {
            const tx = db.begin();
            for (let j = 0; j < 3; j++)
                tx.put(random.pick(keys), random.chance(0.5) ? large() : 'x');
            await insist(db, () => tx.rollback());
        }
        if (random.chance(0.02)) {
            const values = new Map(Array.from({ length: 3 }, () => [random.pick(keys), large()]));
            const operations = Array.from(values, ([key, value]) => ({ type: 'put', key, value }));
            await insist(db, () => db.batch(operations));
            for (const [key, value] of values)
                records.set(key, value);
        }
    }
    await check();
    const order = random.shuffle([...keys]);
    for (const key of order.splice(0, order.length >> 1)) {
        await before();
        await remove(key);
    }
    await insist(db, () => db.compact(), () => { }, OF_COMPACTION);
    await check();
    for (const key of order) {
        await before();
        await remove(key);
    }
    await insist(db, () => db.compact());
    await check();
};
describe('damage in the middle of a change leaves nothing pinned and nothing half done', {
    timeout: runTimeout,
}, () => {
    test('on the disk', () => seeded(async (random) => {
        fuse = new Fuse(new Random(random.below(2 ** 31)));
        const options = { storage: spoiledDisk(), cacheBytes: 1, durability: 'none' };
        await withMemoryDatabase(options, async (subject) => {
            const keys = keysOfRoot(hashOf(subject), ROOT, 300 * runs, random, lengths(random));
            await life(subject.db, keys, random, async () => {
                if (!random.chance(0.3))
                    return;
                await subject.db.checkpoint();
                engineOf(subject.db).pool.discardFrom(0);
            });
        });
        expectBurnt('HashIndex.put HashIndex.remove KeyTree.prepareInsert');
    }));
    test('of any block that is not pinned', () => seeded(async (random) => {
        fuse = new Fuse(new Random(random.below(2 ** 31)));
        await withMemoryDatabase({ durability: 'none', cacheBytes: 2 ** 20 }, async (subject) => {
            spoilPool(engineOf(subject.db).pool);
            const keys = keysOfRoot(hashOf(subject), ROOT, 1800 * runs, random, lengths(random));
            await life(subject.db, keys, random);
        });
        expectBurnt('BucketRoom.split BucketRoom.share BucketMerge.merge FreeBlocks.plan');
    }));
    test('while an index block turns into a directory and back', () => seeded(async (random) => {
        fuse = new Fuse(new Random(random.below(2 ** 31)));
        await withMemoryDatabase({ durability: 'none', cacheBytes: 1 }, async (subject) => {
            const { db } = subject;
            spoilPool(engineOf(db).pool);
            const keys = keysOfRoot(hashOf(subject), ROOT, 12, random);
            for (let cycle = 0; cycle < 120 * runs; cycle++) {
                for (const key of keys)
                    await insist(db, () => db.put(key, 'v'.repeat(1200)));
                for (const key of random.shuffle([...keys]))
                    await insist(db, () => db.delete(key));
                expect(db.count()).toBe(0);
            }
        });
        expectBurnt('Structure.makeRoom BucketMerge.merge BucketRoom.split');
    }));
    test('at every look of every kind of step', () => seeded(async (random) => {
        fuse = new Fuse(new Random(1));
        fuse.burns = () => false;
        const stumbling = new Stumbling();
        try {
            await withMemoryDatabase({ durability: 'none', cacheBytes: 2 ** 20 }, async (subject) => {
                const keys = keysOfRoot(hashOf(subject), ROOT, 1800 * runs, random, lengths(random));
                await life(subject.db, keys, random);
            });
            await withMemoryDatabase({ durability: 'none', cacheBytes: 1 }, async (subject) => {
                const { db } = subject;
                const keys = keysOfRoot(hashOf(subject), ROOT, 12, random);
                for (let cycle = 0; cycle < 20; cycle++) {
                    for (const key of keys)
                        await insist(db, () => db.put(key, 'v'.repeat(1200)));
                    for (const key of random.shuffle([...keys]))
                        await insist(db, () => db.delete(key));
                }
            });
            await withBentHash(ROOT, () => 3, async () => {
                await withMemoryDatabase({ durability: 'none' }, async ({ db }) => {
                    const keys = Array.from({ length: 60 }, (_, i) => `${i}`.padEnd(200, '.'));
                    for (const key of keys)
                        await insist(db, () => db.put(key, 'v'));
                    for (const key of keys)
                        await insist(db, () => db.delete(key));
                });
            });
            await withMemoryDatabase({ durability: 'none' }, async ({ db }) => {
                for (const key of ['a', 'b', 'c'])
                    db.put(key, 'L'.repeat(20_000));
                db.delete('a');
                db.delete('c');
                const { metadata } = engineOf(db);
                const { blocks } = metadata;
                const compactor = new Compactor(engineOf(db), {});
                await insist(db, () => compactor.cut());
                expect(metadata.blocks).toBeLessThan(blocks);
            });
            await withMemoryDatabase({ durability: 'none' }, async ({ db }) => {
                for (const key of ['a', 'b', 'c'])
                    db.put(key, 'L'.repeat(20_000));
                const removeAll = () => db.transaction(tx => {
                    for (const key of ['a', 'b', 'c'])
                        tx.delete(key);
                });
                await insist(db, removeAll);
                expect(db.count()).toBe(0);
            });
            const few = { durability: 'none', ordered: false };
            await withMemoryDatabase(few, async (subject) => {
                const { db } = subject;
                for (let i = 0; i < 300; i++)
                    db.put(`key ${i}`, 'x');
                await insist(db, () => db.convert(true, {}));
                await insist(db, () => db.convert(false, {}));
                expect(db.count()).toBe(300);
            });
        }
        finally {
            stumbling.restore();
        }
        expect(KINDS.filter(kind => !stumbling.methods.has(kind))).toEqual([]);
    }));
    test('in a chain of equal positions', () => seeded(random => withBentHash(ROOT, position => (position & 0x100 ? 3 : position & 7) * 0x2000_0000, async () => {
        fuse = new Fuse(new Random(random.below(2 ** 31)));
        await withMemoryDatabase({ durability: 'none', cacheBytes: 1 }, async (subject) => {
            spoilPool(engineOf(subject.db).pool);
            const keys = Array.from({ length: 250 }, (_, i) => `${i}`.padEnd(random.between(3, 300), '.'));
            await life(subject.db, keys, random);
        });
    })));
});
const KINDS = [
    ...['appendOverflow', 'relieve', 'split', 'share', 'spread', 'spreadOver'].map(name => `BucketRoom.${name}`),
    ...['merge', 'unlinkEmpty', 'fill'].map(name => `BucketMerge.${name}`),
    ...['flatten'].map(name => `DirectoryChanges.${name}`),
    ...['split', 'halve', 'deepen'].map(name => `TreeRoom.${name}`),
    ...['mergePinned', 'moveIntoRoot', 'fill', 'dropLast'].map(name => `TreeMerge.${name}`),
    ...['allocate', 'writePart', 'undoAllocate'].map(name => `LargeValues.${name}`),
    ...['rotate', 'copyPinned', 'cut'].map(name => `Compactor.${name}`),
    ...['link', 'logCommitOfChains'].map(name => `TransactionManager.${name}`),
    'KeyTree.add',
];
const expectBurnt = (steps) => expect(steps.split(' ').filter(step => !fuse.burnt.has(step))).toEqual([]);
const lengths = (random) => () => random.chance(0.4) ? random.between(900, 1024) : random.between(8, 60);
//# sourceMappingURL=pins.test.js.map