import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { memoryStorage, open } from '../../src/index.js';
import { nodeStorage } from '../../src/storage/node.js';
import { closeQuietly, expectVerified, withMemoryDatabase } from '../support/database.js';
import { expectCode, thrownBy } from '../support/errors.js';
import { storageOf } from '../support/image.js';
import { scan, show } from '../support/model.js';
import { runs, runTimeout, seeded } from '../support/random.js';
vi.setConfig({ testTimeout: runTimeout });
beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());
const START = 1_700_000_000_000;
const clock = { now: START };
const withClock = (storage) => ({
    ...storage,
    deflate: nodeStorage.deflate,
    now: () => clock.now,
});
const pass = (milliseconds, sweeps = false) => {
    clock.now += milliseconds;
    if (sweeps)
        vi.advanceTimersByTime(70_000);
};
const live = (model) => new Map([...model].filter(([, { at }]) => at > clock.now).map(([key, { value }]) => [key, value]));
const same = (found, expected, what) => {
    if (found !== expected)
        throw new Error(`${what}: ${show(found)}, expected ${show(expected)}`);
};
const sameAll = (found, expected, what) => {
    for (const [key, value] of expected)
        same(found.get(key), value, `${what}, ${key}`);
    for (const key of found.keys())
        if (!expected.has(key))
            throw new Error(`${what}: ${key} should be gone`);
};
class Run {
    #subject;
    #random;
    #model = new Map();
    #ordered;
    #snapshot;
    #number = 0;
    constructor(subject, random) {
        this.#subject = subject;
        this.#random = random;
        this.#ordered = subject.options.ordered !== false;
    }
    get #db() {
        return this.#subject.db;
    }
    async run(steps) {
        const random = this.#random;
        for (let i = 0; i < steps; i++) {
            try {
                await this.#step(random.below(100));
                if (i % 10 === 0)
                    this.#compare();
            }
            catch (error) {
                if (error instanceof Error)
                    error.message = `step ${i}: ${error.message}`;
                throw error;
            }
        }
        this.#compare();
        pass(1e9);
        this.#compare();
        pass(0, true);
        const never = [...this.#model.values()].filter(({ at }) => at === Number.POSITIVE_INFINITY).length;
        this.#snapshot?.snapshot.close();
        this.#snapshot = undefined;
        for (let i = 0; i < 50 && this.#db.stats().records > never; i++)
            pass(0, true);
        same(this.#db.stats().records, never, 'records left after the sweep');
        await expectVerified(this.#db, never);
    }
    async #step(roll) {
        const random = this.#random;
        const db = this.#db;
        if (roll < 30)
            this.#put(random.chance(0.3));
        else if (roll < 38) {
            const key = this.#key();
            same(db.delete(key), this.#held(key) !== undefined, `delete(${key})`);
            this.#model.delete(key);
        }
        else if (roll < 46) {
            const key = this.#key();
            const ttl = this.#ttl();
            const held = this.#held(key);
            same(db.expire(key, ttl), held !== undefined, `expire(${key})`);
            if (held !== undefined)
                this.#model.set(key, { ...held, at: clock.now + ttl });
        }
        else if (roll < 52) {
            const key = this.#key();
            const held = this.#held(key);
            const expires = held !== undefined && held.at !== Number.POSITIVE_INFINITY;
            same(db.persist(key), expires, `persist(${key})`);
            if (expires)
                this.#model.set(key, { ...held, at: Number.POSITIVE_INFINITY });
        }
        else if (roll < 60)
            this.#batch();
        else if (roll < 68)
            this.#transaction();
        else if (roll < 82)
            pass(random.pick([1, 1, 10, 100, 500]));
        else if (roll < 86)
            pass(random.below(50), true);
        else if (roll < 88)
            await db.checkpoint();
        else if (roll < 90)
            this.#openSnapshot();
        else if (roll < 91)
            await db.compact();
        else if (roll < 93)
            this.#recover();
        else if (roll < 95)
            this.#reopen();
        else if (roll < 97)
            await expectVerified(db);
        else
            this.#compare();
    }
    #key() {
        return `key ${this.#random.below(60)}${this.#random.chance(0.1) ? 'x'.repeat(900) : ''}`;
    }
    #ttl() {
        return this.#random.pick([1, 2, 50, 300, 1000, 5000]);
    }
    #value() {
        const roll = this.#random.below(20);
        const length = roll < 14 ? 30 : roll < 18 ? this.#random.between(900, 1100) : 30_000;
        return `${this.#number++} `.padEnd(length, this.#random.chance(0.5) ? 'repeats ' : `${this.#random.next()}`);
    }
    #held(key) {
        const held = this.#model.get(key);
        return held !== undefined && held.at > clock.now ? held : undefined;
    }
    #put(forever) {
        const key = this.#key();
        const value = this.#value();
        const ttl = this.#ttl();
        if (forever)
            this.#db.put(key, value);
        else
            this.#db.put(key, value, { ttl });
        this.#model.set(key, { value, at: forever ? Number.POSITIVE_INFINITY : clock.now + ttl });
        same(this.#db.get(key), value, 'get after put');
    }
    #batch() {
        const operations = [];
        for (let i = this.#random.between(1, 8); i > 0; i--) {
            const key = this.#key();
            const value = this.#value();
            const roll = this.#random.below(3);
            const ttl = this.#ttl();
            if (roll === 0) {
                operations.push({ type: 'delete', key });
                this.#model.delete(key);
            }
            else {
                operations.push({ type: 'put', key, value, ...(roll === 1 ? { ttl } : {}) });
                this.#model.set(key, { value, at: roll === 1 ? clock.now + ttl : Number.POSITIVE_INFINITY });
            }
        }
        this.#db.batch(operations);
    }
    #transaction() {
        const random = this.#random;
        const tx = this.#db.begin();
        const before = new Map(this.#model);
        const view = new Map(this.#model);
        const isLive = (key) => (view.get(key)?.at ?? 0) > clock.now;
        for (let i = random.between(1, 6); i > 0; i--) {
            const key = this.#key();
            const value = this.#value();
            const roll = random.below(5);
            const ttl = this.#ttl();
            if (roll === 0) {
                same(tx.delete(key), isLive(key), 'delete() in a transaction');
                view.delete(key);
            }
            else if (roll === 1) {
                const was = isLive(key);
                same(tx.expire(key, ttl), was, 'expire() in a transaction');
                if (was)
                    view.set(key, { value: view.get(key).value, at: clock.now + ttl });
            }
            else {
                tx.put(key, value, roll === 2 ? {} : { ttl });
                view.set(key, { value, at: roll === 2 ? Number.POSITIVE_INFINITY : clock.now + ttl });
            }
            if (random.chance(0.4))
                pass(random.pick([1, 60, 400]), random.chance(0.4));
            same(tx.has(key), isLive(key), 'has() in a transaction');
            same(tx.get(key), isLive(key) ? view.get(key).value : undefined, 'get() in a transaction');
        }
        this.#compare();
        if (this.#ordered) {
            sameAll(new Map(tx.entries()), live(view), 'entries of a transaction');
            same(tx.count(), live(view).size, 'count() in a transaction');
        }
        const commits = random.chance(0.6);
        if (commits)
            tx.commit();
        else
            tx.rollback();
        this.#model.clear();
        for (const [key, held] of commits ? view : before)
            this.#model.set(key, held);
    }
    #openSnapshot() {
        this.#snapshot?.snapshot.close();
        this.#snapshot = { snapshot: this.#db.snapshot(), model: new Map(this.#model) };
    }
    #reopen() {
        this.#snapshot?.snapshot.close();
        this.#snapshot = undefined;
        this.#subject.reopen();
    }
    #recover() {
        const options = { ...this.#subject.options, storage: withClock(storageOf(this.#subject.image())) };
        const db = open('db', options);
        try {
            sameAll(scan(db), live(this.#model), 'recovered');
        }
        finally {
            closeQuietly(db);
        }
    }
    #compare() {
        const db = this.#db;
        const expected = live(this.#model);
        sameAll(scan(db), expected, 'cursor');
        for (const [key, held] of this.#model) {
            const value = expected.get(key);
            same(db.get(key), value, `get(${key})`);
            same(db.has(key), value !== undefined, `has(${key})`);
            same(db.getMany([key])[0], value, `getMany(${key})`);
            same(db.ttl(key), value === undefined ? undefined : held.at - clock.now, `ttl(${key})`);
        }
        same(db.count(), expected.size, 'count()');
        if (this.#ordered) {
            sameAll(new Map(db.entries()), expected, 'entries');
            const sorted = [...expected.keys()].sort();
            same([...db.keys()].join(), sorted.join(), 'keys');
            same([...db.keys({ reverse: true, limit: 5 })].join(), sorted.reverse().slice(0, 5).join(), 'reverse');
            same([...db.values({ limit: 3 })].length, Math.min(3, expected.size), 'values with a limit');
            const some = [...expected.keys()].filter(key => key.startsWith('key 1'));
            same(db.count('key 1'), some.length, 'count of a range');
            const cursor = db.cursor({ prefix: 'key 2' });
            let n = 0;
            while (cursor.next())
                n++;
            cursor.close();
            same(n, [...expected.keys()].filter(key => key.startsWith('key 2')).length, 'cursor of a range');
        }
        if (this.#snapshot === undefined)
            return;
        const { snapshot, model } = this.#snapshot;
        const then = live(model);
        same(snapshot.count(), then.size, 'count() of a snapshot');
        for (const key of model.keys()) {
            same(snapshot.get(key), then.get(key), `snapshot.get(${key})`);
            same(snapshot.has(key), then.has(key), `snapshot.has(${key})`);
        }
        if (this.#ordered)
            sameAll(new Map(snapshot.entries()), then, 'entries of a snapshot');
    }
}
for (const ordered of [true, false]) {
    for (const compression of ['none', 'deflate']) {
        for (const frames of [16, 500]) {
            test(`what has expired is gone: ordered ${ordered}, compression ${compression}, ${frames} frames`, () => seeded(async (random) => {
                clock.now = START;
                const options = {
                    ordered,
                    compression,
                    cacheBytes: frames * 4096,
                    storage: withClock(memoryStorage()),
                    checkpointBytes: 262_144,
                    logSegmentBytes: 131_072,
                    durability: 'process',
                };
                await withMemoryDatabase(options, subject => new Run(subject, random).run(250 * runs));
            }));
        }
    }
}
const single = (body) => {
    clock.now = START;
    return withMemoryDatabase({ storage: withClock(memoryStorage()) }, body);
};
test('a record is there until its last millisecond, and gone everywhere with it', () => single(({ db }) => {
    db.put('key', 'value', { ttl: 100 });
    db.put('other', 'stays');
    const iterator = db.entries();
    const snapshot = db.snapshot();
    pass(99);
    expect(db.get('key')).toBe('value');
    expect(db.ttl('key')).toBe(1);
    expect(db.count()).toBe(2);
    pass(1);
    expect(db.get('key')).toBeUndefined();
    expect(db.ttl('key')).toBeUndefined();
    expect(db.count()).toBe(1);
    expect([...iterator]).toEqual([['other', 'stays']]);
    expect(snapshot.has('key')).toBe(false);
    expect(db.delete('key')).toBe(false);
    expect(db.expire('key', 5)).toBe(false);
    expect(db.persist('other')).toBe(false);
    expect(db.expire('other', 50)).toBe(true);
    expect(db.persist('other')).toBe(true);
    expect(db.ttl('other')).toBe(Number.POSITIVE_INFINITY);
}));
test('the sweep leaves what an open transaction holds, and comes back for it', () => single(async ({ db }) => {
    for (let i = 0; i < 200; i++)
        db.put(`key ${i}`, 'value', { ttl: 100 });
    const tx = db.begin();
    tx.put('key 7', 'kept for ever');
    tx.delete('key 8');
    const reader = db.begin();
    const free = Array.from({ length: 100 }, (_, i) => `key ${100 + i}`);
    const held = free.find(key => thrownBy(() => reader.get(key)) === undefined);
    expect(reader.get(held)).toBe('value');
    pass(200, true);
    expect(db.count()).toBe(0);
    expect(tx.get('key 7')).toBe('kept for ever');
    tx.rollback();
    reader.rollback();
    expect(db.get('key 7')).toBeUndefined();
    for (let i = 0; i < 20; i++)
        pass(1, true);
    expect(db.stats().records).toBe(0);
    await expectVerified(db, 0);
}));
test('records that expired while nobody had the database open are removed after the next open', () => single(async (subject) => {
    for (let i = 0; i < 500; i++)
        subject.db.put(`key ${i}`, 'value', { ttl: 100 + i });
    subject.db.close();
    pass(300);
    const db = subject.reopen();
    expect(db.count()).toBe(299);
    pass(0, true);
    expect(db.stats().records).toBe(299);
    const reader = subject.reopen({ readOnly: true });
    pass(1e6, true);
    expect(reader.count()).toBe(0);
    expect(reader.stats().records).toBe(299);
    subject.reopen({ readOnly: false });
}));
test('a time that is added to the longest record that lies in its block takes it out of there', () => single(async ({ db }) => {
    for (let length = 900; length < 1100; length++) {
        db.put(`key ${length}`, 'x'.repeat(length));
        expect(db.expire(`key ${length}`, 1000)).toBe(true);
        expect(db.get(`key ${length}`)).toBe('x'.repeat(length));
    }
    for (let length = 2000; length < 4100; length += 1) {
        db.put('key', 'x'.repeat(length));
        expect(db.expire('key', 1000)).toBe(true);
        expect(db.get('key')).toBe('x'.repeat(length));
        expect(db.persist('key')).toBe(true);
        expect(db.get('key')).toBe('x'.repeat(length));
    }
    await expectVerified(db, 201);
}));
test('a ttl is a positive number of milliseconds', () => single(({ db }) => {
    for (const ttl of [0, -1, Number.NaN, Number.NEGATIVE_INFINITY, '5', null, {}]) {
        expectCode(() => db.put('key', 'value', { ttl }), 'XENON_INVALID_ARGUMENT');
        expectCode(() => db.expire('key', ttl), 'XENON_INVALID_ARGUMENT');
        expectCode(() => db.batch([{ type: 'put', key: 'key', value: 'value', ttl }]), 'XENON_INVALID_ARGUMENT');
        expectCode(() => db.transaction(tx => tx.put('key', 'value', { ttl })), 'XENON_INVALID_ARGUMENT');
    }
    expectCode(() => db.put('key', 'value', { tll: 5 }), 'XENON_INVALID_ARGUMENT');
    expectCode(() => db.put('key', 'value', 5), 'XENON_INVALID_ARGUMENT');
    expect(db.count()).toBe(0);
    for (const ttl of [0.25, 1e300, Number.POSITIVE_INFINITY, Number.MAX_SAFE_INTEGER]) {
        db.put('key', 'value', { ttl });
        expect(db.get('key')).toBe('value');
    }
    pass(1e12, true);
    expect(db.get('key')).toBe('value');
}));
//# sourceMappingURL=expiry.test.js.map