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
import { expect, test } from 'vitest';
import { open } from '../../src/index.js';
import { expectVerified, withDatabase, withMemoryDatabase } from '../support/database.js';
import { expectCode } from '../support/errors.js';
import { expectEqual } from '../support/model.js';
import { seeded } from '../support/random.js';
const runLength = {
    name: 'run-length',
    compress(bytes) {
        const out = [];
        for (let i = 0; i < bytes.length;) {
            let end = i;
            while (end < bytes.length && end - i < 255 && bytes[end] === bytes[i])
                end++;
            out.push(end - i, bytes[i]);
            i = end;
        }
        return Uint8Array.from(out);
    },
    decompress(bytes) {
        const out = [];
        for (let i = 0; i < bytes.length; i += 2)
            for (let n = bytes[i]; n > 0; n--)
                out.push(bytes[i + 1]);
        return Uint8Array.from(out);
    },
};
for (const compression of ['deflate', runLength]) {
    const name = typeof compression === 'string' ? compression : compression.name;
    test(`${name}: values of all sizes come back, by every way of reading`, () => seeded(async (random) => {
        await withDatabase({ compression, durability: 'none' }, async (subject) => {
            const { db } = subject;
            const records = new Map();
            for (let i = 0; i < 400; i++) {
                const length = random.pick([0, 1, 63, 64, 65, 500, 4000, 4096, 9000, 100_000]);
                const value = random.chance(0.6)
                    ? random.pick(['a', 'b', 'c']).repeat(length)
                    : Array.from({ length: Math.min(length, 3000) }, () => String.fromCharCode(32 + random.below(90))).join('');
                db.put(`key ${i % 250}`, value);
                records.set(`key ${i % 250}`, value);
            }
            const check = (from) => {
                const env_1 = { stack: [], error: void 0, hasError: false };
                try {
                    expectEqual(from, records);
                    expect(new Map(from.entries())).toEqual(records);
                    const snapshot = __addDisposableResource(env_1, from.snapshot(), false);
                    const tx = __addDisposableResource(env_1, from.begin(), false);
                    for (const [key, value] of records) {
                        expect(snapshot.get(key)).toBe(value);
                        expect(tx.get(key)).toBe(value);
                    }
                    expect(new Map(tx.entries())).toEqual(records);
                }
                catch (e_1) {
                    env_1.error = e_1;
                    env_1.hasError = true;
                }
                finally {
                    __disposeResources(env_1);
                }
            };
            check(db);
            const tx = db.begin();
            for (const key of [...records.keys()].slice(0, 40))
                tx.put(key, 'z'.repeat(random.below(20_000)));
            expectEqual(db, records);
            tx.rollback();
            await db.compact();
            check(subject.reopen());
            const plain = subject.reopen({ compression: compression === 'deflate' ? 'none' : runLength });
            check(plain);
            await expectVerified(plain, records.size);
        });
    }));
}
test('a database of values that repeat themselves becomes smaller', async () => {
    const bytesOf = async (compression) => {
        let bytes = 0;
        await withDatabase({ compression, durability: 'none' }, async ({ db }) => {
            for (let i = 0; i < 500; i++)
                db.put(`key ${i}`, `{"name":"${i}","text":"abc"}`.repeat(40));
            await db.checkpoint();
            bytes = db.stats().dataBytes;
        });
        return bytes;
    };
    expect(await bytesOf('deflate')).toBeLessThan((await bytesOf('none')) / 2);
});
test('a codec that is missing, throws, or gives nonsense is a typed error, and the record stays', () => withMemoryDatabase({ compression: runLength }, async (subject) => {
    const value = 'x'.repeat(5000);
    subject.db.put('key', value);
    const without = subject.reopen({ compression: 'none' });
    expectCode(() => without.get('key'), 'XENON_INVALID_ARGUMENT');
    expectCode(() => [...without.values()], 'XENON_INVALID_ARGUMENT');
    expect(without.has('key')).toBe(true);
    expect([...without.keys()]).toEqual(['key']);
    const failing = {
        name: 'failing',
        compress: () => {
            throw new Error('no');
        },
        decompress: () => {
            throw new Error('no');
        },
    };
    const broken = subject.reopen({ compression: failing });
    expect(() => broken.put('other', value)).toThrow('no');
    expect(() => broken.get('key')).toThrow('no');
    expect(broken.has('other')).toBe(false);
    const nonsense = subject.reopen({ compression: { ...failing, compress: () => 'text' } });
    expectCode(() => nonsense.put('other', value), 'XENON_INVALID_ARGUMENT');
    nonsense.put('short', 'is not compressed');
    const good = subject.reopen({ compression: runLength });
    expect(good.get('key')).toBe(value);
    await expectVerified(good, 2);
}));
test('a codec may not come back into the database while a value is written', () => withMemoryDatabase({}, subject => {
    let db;
    const intruder = {
        ...runLength,
        compress: bytes => {
            db?.put('intruder', 'value');
            return runLength.compress(bytes);
        },
    };
    db = subject.reopen({ compression: intruder });
    expectCode(() => db.put('key', 'x'.repeat(100)), 'XENON_INVALID_ARGUMENT');
    expect(db.count()).toBe(0);
    db.put('key', 'short');
    expect(db.get('key')).toBe('short');
}));
test('a codec that reads the database while a range is read disturbs nothing, or is refused', () => withMemoryDatabase({ compression: runLength }, subject => {
    for (let i = 0; i < 300; i++)
        subject.db.put(`key ${i}`.padStart(9, '0'), `${i % 10}`.repeat(200 + i));
    const expected = [...subject.db.entries()];
    let db;
    let inside = false;
    const intruder = {
        ...runLength,
        decompress: bytes => {
            if (db !== undefined && !inside) {
                inside = true;
                try {
                    db.get('000key 17');
                    db.keys({ limit: 30 }).take(30);
                    db.count('000');
                }
                catch (error) {
                    expectCode(() => {
                        throw error;
                    }, 'XENON_INVALID_ARGUMENT');
                }
                finally {
                    inside = false;
                }
            }
            return runLength.decompress(bytes);
        },
    };
    db = subject.reopen({ compression: intruder });
    expect([...db.entries()]).toEqual(expected);
    const snapshot = db.snapshot();
    inside = true;
    db.put('000key 17', 'changed');
    inside = false;
    expect([...snapshot.entries()]).toEqual(expected);
    for (const [key, value] of expected)
        expect(snapshot.get(key)).toBe(value);
    snapshot.close();
    expect(db.get('000key 17')).toBe('changed');
}));
test('what cannot be a compression is refused', () => {
    for (const compression of ['zip', 5, {}, { name: 'x' }])
        expectCode(() => open('never', { compression }), 'XENON_INVALID_ARGUMENT');
    return withMemoryDatabase({}, ({ options }) => {
        const storage = { ...options.storage, deflate: undefined };
        expectCode(() => open('other', { storage, compression: 'deflate' }), 'XENON_INVALID_ARGUMENT');
    });
});
//# sourceMappingURL=compression.test.js.map