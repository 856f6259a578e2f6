var __addDisposableResource = (this && this.__addDisposableResource) || function (env, value, async) {
    if (value !== null && value !== void 0) {
        if (typeof value !== "object" && typeof value !== "function") throw new TypeError("Object expected.");
        var dispose, inner;
        if (async) {
            if (!Symbol.asyncDispose) throw new TypeError("Symbol.asyncDispose is not defined.");
            dispose = value[Symbol.asyncDispose];
        }
        if (dispose === void 0) {
            if (!Symbol.dispose) throw new TypeError("Symbol.dispose is not defined.");
            dispose = value[Symbol.dispose];
            if (async) inner = dispose;
        }
        if (typeof dispose !== "function") throw new TypeError("Object not disposable.");
        if (inner) dispose = function() { try { inner.call(this); } catch (e) { return Promise.reject(e); } };
        env.stack.push({ value: value, dispose: dispose, async: async });
    }
    else if (async) {
        env.stack.push({ async: true });
    }
    return value;
};
var __disposeResources = (this && this.__disposeResources) || (function (SuppressedError) {
    return function (env) {
        function fail(e) {
            env.error = env.hasError ? new SuppressedError(e, env.error, "An error was suppressed during disposal.") : e;
            env.hasError = true;
        }
        var r, s = 0;
        function next() {
            while (r = env.stack.pop()) {
                try {
                    if (!r.async && s === 1) return s = 0, env.stack.push(r), Promise.resolve().then(next);
                    if (r.dispose) {
                        var result = r.dispose.call(r.value);
                        if (r.async) return s |= 2, Promise.resolve(result).then(next, function(e) { fail(e); return next(); });
                    }
                    else s |= 1;
                }
                catch (e) {
                    fail(e);
                }
            }
            if (s === 1) return env.hasError ? Promise.reject(env.error) : Promise.resolve();
            if (env.hasError) throw env.error;
        }
        return next();
    };
})(typeof SuppressedError === "function" ? SuppressedError : function (error, suppressed, message) {
    var e = new Error(message);
    return e.name = "SuppressedError", e.error = error, e.suppressed = suppressed, e;
});
import { expect, test, vi } from 'vitest';
import { hashOf, keysApart } from '../hash/keys.js';
import { expectVerified, withMemoryDatabase } from '../support/database.js';
import { expectCode, expectCodeAsync, thrownBy } from '../support/errors.js';
import { runs, runTimeout, seeded } from '../support/random.js';
import { steadyStorage, withSteadyTime } from '../support/steady.js';
import { Life } from './life.js';
import { binaryNames, bytesOf, given, isIn, nameOf, randomRange, requireSame, select, showRange, textNames, textOf, } from './sorted.js';
vi.setConfig({ testTimeout: runTimeout });
const sizes = [4096, 8192, 16384, 32768, 65536];
const fill = (random, names, blockSize) => new Map(names.map((name, i) => [name, `${i} `.repeat(random.pick([0, 1, 3, 20, blockSize / 40]))]));
for (const blockSize of sizes) {
    for (const keyEncoding of ['binary', 'utf8']) {
        test(`every form of range gives what a sorted Map gives: ${keyEncoding} keys, blocks of ${blockSize}`, () => seeded(async (random) => {
            const isText = keyEncoding === 'utf8';
            const names = (isText ? textNames : binaryNames)(random, 400);
            const frames = random.pick([16, 16, 400]);
            const options = {
                blockSize,
                keyEncoding,
                cacheBytes: frames * blockSize,
                durability: 'none',
            };
            await withMemoryDatabase(options, async ({ db }) => {
                const all = fill(random, names, blockSize);
                const records = new Map([...all].filter(() => random.chance(0.8)));
                db.batch([...records].map(([name, value]) => ({ type: 'put', key: bytesOf(name), value })));
                const requireRange = (from, range, who) => {
                    const what = `${who} ${showRange(range)}`;
                    const asked = given(range, isText && random.chance(0.5));
                    const expected = select(records, range);
                    const expectedNames = expected.map(([name]) => name);
                    const expectedValues = expected.map(([, value]) => value);
                    requireSame([...from.keys(asked)].map(nameOf), expectedNames, `keys, ${what}`);
                    requireSame([...from.values(asked)], expectedValues, `values, ${what}`);
                    const entries = [...from.entries(asked)];
                    const encoded = entries.every(([key]) => (typeof key === 'string') === isText);
                    if (!encoded)
                        throw new Error(`${what}: keys are not ${keyEncoding}`);
                    requireSame(entries.map(([key]) => nameOf(key)), expectedNames, `entries, ${what}`);
                    requireSame(entries.map(([, value]) => value), expectedValues, `values of entries, ${what}`);
                    const count = from.count(asked);
                    if (count !== expected.length)
                        throw new Error(`count, ${what}: ${count}, expected ${expected.length}`);
                };
                for (let i = 0; i < 40 * runs; i++) {
                    const env_1 = { stack: [], error: void 0, hasError: false };
                    try {
                        const range = i === 0 ? {} : randomRange(random, names, isText);
                        requireRange(db, range, 'db');
                        const snapshot = __addDisposableResource(env_1, db.snapshot(), false);
                        requireRange(snapshot, range, 'snapshot');
                        const tx = __addDisposableResource(env_1, db.begin(), false);
                        requireRange(tx, range, 'transaction');
                    }
                    catch (e_1) {
                        env_1.error = e_1;
                        env_1.hasError = true;
                    }
                    finally {
                        __disposeResources(env_1);
                    }
                }
                const prefix = random.pick(names);
                const key = isText ? textOf(prefix) : bytesOf(prefix);
                const within = select(records, { prefix }).map(([name]) => name);
                requireSame([...db.keys(key)].map(nameOf), within, 'a prefix alone');
                requireSame([...db].map(([k]) => nameOf(k)), select(records, {}).map(([name]) => name), 'all');
                for (let i = 0; i < 15 * runs; i++) {
                    const range = randomRange(random, names, isText);
                    const expected = select(records, range);
                    requireCursor(db.cursor(given(range, false)), random, names, range, expected);
                }
                for (let i = 0; i < 8 * runs; i++) {
                    const { reverse: _, limit, ...range } = randomRange(random, names, isText);
                    const cleared = limit === undefined ? range : { ...range, limit };
                    const gone = select(records, cleared);
                    const rest = new Map(records);
                    for (const [name] of gone)
                        rest.delete(name);
                    const tx = db.begin();
                    tx.clear(given(cleared, false));
                    requireSame([...tx.keys()].map(nameOf), select(rest, {}).map(([name]) => name), 'cleared in a transaction');
                    if (db.count() !== records.size)
                        throw new Error('others see an uncommitted clear()');
                    tx.rollback();
                    requireRange(db, {}, 'after the rollback of a clear()');
                    db.clear(given(cleared, false));
                    for (const [name] of gone)
                        records.delete(name);
                    requireRange(db, {}, `after clear(${showRange(cleared)})`);
                    for (const [name, value] of gone) {
                        db.put(bytesOf(name), value);
                        records.set(name, value);
                    }
                }
                await expectVerified(db, records.size);
                db.clear();
                records.clear();
                requireRange(db, {}, 'after clear()');
                await expectVerified(db, 0);
            });
        }));
    }
}
const requireCursor = (cursor, random, names, range, expected) => {
    const c = cursor;
    const what = `cursor ${showRange(range)}`;
    const unlimited = range.limit === undefined;
    let at = -1;
    for (let step = 0; step < 40; step++) {
        if (random.chance(0.15) && unlimited) {
            const name = random.pick(names);
            c.seek(bytesOf(name));
            const first = expected.findIndex(([other]) => (range.reverse === true ? other <= name : other >= name));
            at = (first < 0 ? expected.length : first) - 1;
        }
        else if (random.chance(0.05)) {
            c.reset();
            at = -1;
        }
        const moved = c.next();
        at = Math.min(at + 1, expected.length);
        if (moved !== at < expected.length)
            throw new Error(`${what}: next() gave ${moved} at ${at}`);
        if (!moved) {
            expectCode(() => c.readCurrent(), 'XENON_INVALID_ARGUMENT');
            if (c.next())
                throw new Error(`${what}: next() goes on behind the end`);
            continue;
        }
        const { key, value } = c.readCurrent();
        requireSame([nameOf(key), value], expected[at], `${what} at ${at}`);
    }
    c.close();
    expectCode(() => c.next(), 'XENON_CLOSED');
};
for (const blockSize of sizes) {
    for (const frames of [16, 1000]) {
        test(`iterators and snapshots keep the moment of their making: blocks of ${blockSize}, ${frames} frames`, () => seeded(async (random) => {
            const keyEncoding = random.pick(['binary', 'utf8']);
            const options = {
                blockSize,
                keyEncoding,
                cacheBytes: frames * blockSize,
                checkpointBytes: 262_144,
                logSegmentBytes: 131_072,
                durability: random.pick(['process', 'none']),
                storage: steadyStorage(random),
            };
            await withSteadyTime(random, () => withMemoryDatabase(options, async (subject) => {
                const names = (keyEncoding === 'utf8' ? textNames : binaryNames)(random, 300);
                const life = new Life(subject, random, names);
                await life.run(350 * runs);
            }));
        }));
    }
}
test('a key longer than any other, and one of a single byte, bound every range', () => withMemoryDatabase({ keyEncoding: 'binary' }, ({ db }) => {
    const names = ['\0', 'a', `a${'\xff'.repeat(1023)}`, 'b', '\xff', '\xff'.repeat(1024)];
    for (const name of names)
        db.put(bytesOf(name), name.slice(0, 1));
    const found = (range) => [...db.keys(range)].map(nameOf);
    expect(found({ gt: bytesOf('\xff'.repeat(1024)) })).toEqual([]);
    expect(found({ gte: bytesOf('\xff'.repeat(1024)) })).toEqual(names.slice(5));
    expect(found({ lt: bytesOf('\0') })).toEqual([]);
    expect(found({ lte: bytesOf('\0') })).toEqual(names.slice(0, 1));
    expect(found({ lt: new Uint8Array(0) })).toEqual([]);
    expect(found({ lte: new Uint8Array(0) })).toEqual([]);
    expect(found({ gt: new Uint8Array(0) })).toEqual(names);
    expect(found({ prefix: bytesOf('\xff') })).toEqual(names.slice(4));
    expect(found({ prefix: bytesOf('a') })).toEqual(names.slice(1, 3));
    expect(found({ gt: bytesOf('b'), lt: bytesOf('a') })).toEqual([]);
    expectCode(() => db.keys({ gt: new Uint8Array(1025) }), 'XENON_INVALID_ARGUMENT');
    expectCode(() => db.keys({ limit: -1 }), 'XENON_INVALID_ARGUMENT');
    expectCode(() => db.keys({ limit: Number.NaN }), 'XENON_INVALID_ARGUMENT');
    expectCode(() => db.count({ more: 1 }), 'XENON_INVALID_ARGUMENT');
    expectCode(() => db.entries(7), 'XENON_INVALID_ARGUMENT');
    expectCode(() => db.values({ prefix: '\ud800' }), 'XENON_INVALID_ARGUMENT');
    expectCode(() => db.clear({ reverse: 1 }), 'XENON_INVALID_ARGUMENT');
}));
test('who reads a range in a transaction meets no phantom, also where the range is empty', () => withMemoryDatabase({}, subject => {
    const { db } = subject;
    const used = ['b1', 'b2', 'b15', 'c1', 'c5', 'c7'];
    const own = keysApart(hashOf(subject), 1, 'b3', used)[0];
    const elsewhere = keysApart(hashOf(subject), 1, 'z', [...used, own])[0];
    db.put('b1', 'one');
    db.put('b2', 'two');
    const reader = db.begin();
    expect(reader.count('b')).toBe(2);
    expect([...reader.keys({ gt: 'c', lt: 'd' })]).toEqual([]);
    expectCode(() => db.put('b15', 'phantom'), 'XENON_LOCK_CONFLICT');
    expectCode(() => db.delete('b1'), 'XENON_LOCK_CONFLICT');
    expectCode(() => db.put('c5', 'phantom'), 'XENON_LOCK_CONFLICT');
    expectCode(() => db.clear('b'), 'XENON_LOCK_CONFLICT');
    expectCode(() => db.batch([{ type: 'put', key: 'c1', value: '' }]), 'XENON_LOCK_CONFLICT');
    const writer = db.begin();
    expectCode(() => writer.put('c7', 'phantom'), 'XENON_LOCK_CONFLICT');
    expectCode(() => writer.delete('b2'), 'XENON_LOCK_CONFLICT');
    expect(thrownBy(() => writer.put(elsewhere, 'elsewhere'))).toBeUndefined();
    expectCode(() => reader.count({ gte: 'z' }), 'XENON_LOCK_CONFLICT');
    reader.put(own, 'of its own');
    expect([...reader.keys('b')]).toEqual(['b1', 'b2', own]);
    expect([...db.keys()]).toEqual(['b1', 'b2']);
    writer.commit();
    reader.commit();
    db.put('b15', 'now it may');
    expect([...db.keys()]).toEqual(['b1', 'b15', 'b2', own, elsewhere]);
}));
test('an unordered database has no ranges, and says how to get them', () => withMemoryDatabase({ ordered: false }, async ({ db }) => {
    for (let i = 0; i < 50; i++)
        db.put(`key ${i}`, 'value');
    for (const action of [
        () => db.keys(),
        () => db.values('a'),
        () => db.entries({ gt: 'a' }),
        () => [...db],
        () => db.count('a'),
        () => db.cursor('a'),
        () => db.clear('a'),
        () => db.snapshot().keys(),
        () => db.begin().count(),
    ])
        expectCode(action, 'XENON_NOT_SUPPORTED');
    await expectCodeAsync(async () => db.begin().clear('a'), 'XENON_NOT_SUPPORTED');
    expect(db.count()).toBe(50);
    expect(db.snapshot().get('key 1')).toBe('value');
    db.clear();
    expect(db.count()).toBe(0);
}));
test('count() of an unordered database, and of its snapshots, leaves out what is not committed', () => withMemoryDatabase({ ordered: false }, ({ db }) => {
    for (let i = 0; i < 50; i++)
        db.put(`key ${i}`, 'value', i < 5 ? { ttl: 1e6 } : {});
    const tx = db.begin();
    tx.put('key 50', 'new');
    tx.delete('key 1');
    expect(db.count()).toBe(50);
    const snapshot = db.snapshot();
    tx.commit();
    expect(snapshot.count()).toBe(50);
    expect(db.count()).toBe(50);
    db.delete('key 50');
    expect(db.count()).toBe(49);
}));
test('isIn and select are what the names say', () => {
    expect(isIn('a', { gt: 'a' })).toBe(false);
    expect(select(new Map([['b', ''], ['a', '']]), { reverse: true, limit: 1 })).toEqual([['b', '']]);
});
//# sourceMappingURL=ranges.test.js.map