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
import { XenonError } from '../../src/index.js';
import { FaultDisk, operationKinds } from '../../src/testing/fault.js';
import { Random } from '../../src/testing/random.js';
import { failureOf, thrownBy } from '../support/errors.js';
import { crc32 } from './campaign/checksum.js';
import { openOnDisk, requireEqual, requireSound, scan } from './campaign/examine.js';
import { text } from './campaign/workloads.js';
const INJECTIONS = 10_000;
const READ_STRIDE = 4;
const options = {
    durability: 'power',
    cacheBytes: 65536,
    checkpointBytes: 65536,
    logSegmentBytes: 131072,
};
class Stopped extends Error {
}
class Run {
    constructor(base, seed, injection) {
        this.low = 0;
        this.random = new Random(seed);
        this.injection = injection;
        this.disk = base === undefined ? new FaultDisk({ seed, crc32 }) : base.disk.kill(new Random(seed ^ 0x5eed));
        this.states = [base?.state ?? new Map()];
        this.disk.inject({
            kinds: [injection.kind],
            effect: injection.effect,
            times: injection.times,
            after: injection.after,
        });
    }
    get state() {
        return this.states[this.states.length - 1];
    }
    get db() {
        if (this.handle === undefined)
            throw new Error('the workload has not opened the database');
        return this.handle;
    }
    open() {
        let found;
        for (let attempt = 0; found === undefined; attempt++) {
            if (attempt === 4)
                throw new Stopped();
            this.watch(() => {
                this.handle ??= openOnDisk(this.disk, options);
                found = scan(this.handle);
            }, error => requireCode(error, 'XENON_IO', 'XENON_FULL'));
            if (found === undefined && this.handle !== undefined && this.refuses())
                this.close(false);
        }
        this.states = [this.states[matching(found, this.states, this.low)]];
        this.low = 0;
    }
    close(acknowledges = true) {
        const db = this.db;
        this.unfinished = undefined;
        this.handle = undefined;
        this.watch(() => {
            db.close();
            if (acknowledges)
                this.acknowledge();
        }, error => requireCode(error, 'XENON_IO', 'XENON_FULL', 'XENON_FAILED'));
        if (!db.closed)
            throw new Error('close() left the handle open');
        if (thrownBy(() => db.close()) !== undefined)
            throw new Error('the second close() failed');
    }
    reopen() {
        this.close();
        this.open();
    }
    async put(key, value) {
        await this.commit([[key, value]], () => this.db.put(key, value));
    }
    async delete(key) {
        await this.commit([[key, undefined]], () => void this.db.delete(key));
    }
    async batch(changes) {
        await this.commit(changes, () => this.db.batch(changes.map(operation)));
    }
    async transaction(changes, end, taken = []) {
        if (end === 'work')
            return this.commit(changes, () => this.db.transaction(tx => {
                for (const change of changes)
                    apply(tx, change);
            }));
        const tx = this.db.begin();
        this.unfinished = tx;
        const done = [];
        const step = async (action) => {
            const error = await this.watched(action);
            if (error === undefined)
                return true;
            if (this.isFailed(error))
                throw error;
            return false;
        };
        try {
            for (const change of changes)
                if (await step(() => apply(tx, change)))
                    done.push(change);
            if (taken.length > 0) {
                const savepoint = tx.savepoint();
                for (const change of taken)
                    await step(() => apply(tx, change));
                if (!(await step(() => tx.rollbackTo(savepoint))) && !(await step(() => tx.rollbackTo(savepoint))))
                    end = 'rollback';
            }
        }
        catch (error) {
            await this.failed(error);
            return;
        }
        if (end === 'commit') {
            await this.commit(done, () => tx.commit());
            if (tx.ended || this.unfinished === undefined) {
                this.unfinished = undefined;
                return;
            }
        }
        for (let attempt = 0; attempt < 2 && this.unfinished === tx; attempt++) {
            const error = await this.watched(() => tx.rollback());
            if (error === undefined)
                this.unfinished = undefined;
            else if (this.isFailed(error))
                await this.failed(error);
            else
                await this.requireSame();
        }
        if (this.unfinished === tx)
            throw new Stopped();
        await this.requireSame();
    }
    async async(changes) {
        const before = this.states.length;
        const struck = this.disk.rules.struck;
        const db = this.db;
        const done = changes.map(change => {
            this.enter([change]);
            const [key, value] = change;
            return value === undefined ? db.async.delete(key) : db.async.put(key, value);
        });
        const results = await Promise.allSettled(done);
        const rejected = results.flatMap(result => (result.status === 'rejected' ? [result.reason] : []));
        for (const error of rejected)
            requireCode(error, 'XENON_IO', 'XENON_FULL', 'XENON_FAILED');
        if (rejected.length === 0) {
            this.requireNoticed(struck);
            this.acknowledge();
        }
        else if (this.isFailed(rejected[0])) {
            results.forEach((result, i) => {
                if (result.status === 'fulfilled')
                    this.low = before + i;
            });
            await this.failed(rejected[0]);
        }
        else {
            this.states.length = before;
            results.forEach((result, i) => {
                if (result.status === 'fulfilled')
                    this.enter([changes[i]]);
            });
            this.acknowledge();
            await this.requireSame();
        }
    }
    async putExpiring(key, value) {
        await this.commit([[key, value]], () => this.db.put(key, value, { ttl: 1e9 }));
    }
    async expire(key) {
        await this.neutral(() => {
            this.db.expire(key, 2e9);
            this.db.persist(key);
        }, true);
    }
    async range(prefix) {
        await this.neutral(() => {
            const env_1 = { stack: [], error: void 0, hasError: false };
            try {
                const expected = [...this.state].filter(([key]) => key.startsWith(prefix)).sort();
                const found = [...this.db.entries(prefix)];
                if (`${found}` !== `${expected.sort(([a], [b]) => (a < b ? -1 : 1))}`)
                    throw new Error(`the range ${prefix} gave other records`);
                const reversed = [...this.db.keys({ prefix, reverse: true })].reverse();
                if (`${reversed}` !== `${expected.map(([key]) => key)}`)
                    throw new Error('reverse is wrong');
                const snapshot = __addDisposableResource(env_1, this.db.snapshot(), false);
                if (snapshot.count(prefix) !== expected.length)
                    throw new Error('count() of a snapshot is wrong');
                const tx = __addDisposableResource(env_1, this.db.begin({ readOnly: true }), false);
                if ([...tx.values(prefix)].length !== expected.length)
                    throw new Error('a transaction is wrong');
            }
            catch (e_1) {
                env_1.error = e_1;
                env_1.hasError = true;
            }
            finally {
                __disposeResources(env_1);
            }
        }, false);
    }
    async clear(prefix) {
        const gone = [...this.state.keys()].filter(key => key.startsWith(prefix));
        await this.commit(gone.map(key => [key, undefined]), () => this.db.clear(prefix));
    }
    async compact() {
        await this.neutral(() => this.db.compact(), true);
    }
    async checkpoint() {
        await this.neutral(() => this.db.checkpoint(), true);
    }
    async flush() {
        await this.neutral(() => this.db.flush(), true);
    }
    async get(key) {
        await this.neutral(() => {
            if (this.db.get(key) !== this.state.get(key))
                throw new Error(`get gave a wrong value of ${key}`);
        }, false);
    }
    async finish() {
        const { disk, random } = this;
        disk.rules.clear();
        const db = this.handle;
        if (db !== undefined) {
            const error = thrownBy(() => db.has('any'));
            if (error !== undefined)
                this.requireRefusal(error);
            else {
                this.unfinished?.rollback();
                requireEqual(scan(db), this.state, 'the handle that went on');
                await this.put('afterwards', 'there');
                if (random.chance(0.25))
                    await requireSound(db, this.state.size);
            }
        }
        for (const [name, image] of [
            ['kill', disk.kill(random)],
            ['crash', disk.crash('none', random)],
        ]) {
            try {
                const next = openOnDisk(image, options);
                const found = scan(next);
                matching(found, this.states, this.low);
                await requireSound(next, found.size);
            }
            catch (error) {
                throw new Error(`after ${name}: ${error.message}`, { cause: error });
            }
        }
    }
    async commit(changes, action) {
        this.enter(changes);
        const error = await this.watched(action);
        if (error === undefined)
            this.acknowledge();
        else if (this.isFailed(error))
            await this.failed(error);
        else {
            this.states.pop();
            await this.requireSame();
        }
    }
    async neutral(action, acknowledges) {
        const error = await this.watched(action);
        if (error === undefined) {
            if (acknowledges)
                this.acknowledge();
        }
        else if (this.isFailed(error))
            await this.failed(error);
        else
            await this.requireSame();
    }
    async watched(action) {
        const { struck } = this.disk.rules;
        const error = await failureOf(action);
        if (error === undefined) {
            this.requireNoticed(struck);
            return undefined;
        }
        return requireCode(error, 'XENON_IO', 'XENON_FULL', 'XENON_FAILED');
    }
    watch(action, check) {
        const { struck } = this.disk.rules;
        const error = thrownBy(action);
        if (error === undefined)
            this.requireNoticed(struck);
        else
            check(error);
    }
    requireNoticed(struck) {
        const { kind, effect } = this.injection;
        if (this.disk.rules.struck === struck)
            return;
        if (kind === 'write' && (effect === 'ENOSPC' || effect === 'short'))
            return;
        throw new Error('an error was passed over');
    }
    enter(changes) {
        const next = new Map(this.state);
        for (const [key, value] of changes) {
            if (value === undefined)
                next.delete(key);
            else
                next.set(key, value);
        }
        this.states.push(next);
    }
    acknowledge() {
        this.low = this.states.length - 1;
    }
    isFailed(error) {
        if (this.refuses())
            return true;
        const { kind } = this.injection;
        if (error.code === 'XENON_FULL')
            return false;
        if (kind === 'write' || kind === 'sync' || error.code === 'XENON_FAILED')
            throw new Error(`the handle goes on after: ${error.message}`, { cause: error });
        return false;
    }
    refuses() {
        const error = thrownBy(() => this.db.begin().rollback());
        if (error !== undefined)
            this.requireRefusal(error);
        return error !== undefined;
    }
    requireRefusal(error) {
        requireCode(error, 'XENON_FAILED');
        const db = this.db;
        for (const action of [
            () => db.put('key', 'value'),
            () => db.get('key'),
            () => db.has('key'),
            () => db.delete('key'),
            () => db.batch([{ type: 'put', key: 'key', value: 'value' }]),
            () => db.begin(),
            () => db.reset(),
        ])
            requireCode(thrownBy(action), 'XENON_FAILED');
        if (this.unfinished !== undefined && !this.unfinished.ended) {
            const tx = this.unfinished;
            requireCode(thrownBy(() => tx.put('key', 'value')), 'XENON_FAILED');
            requireCode(thrownBy(() => tx.commit()), 'XENON_FAILED');
        }
    }
    async failed(error) {
        const db = this.db;
        for (const action of [
            () => db.async.put('key', 'value'),
            () => db.async.delete('key'),
            () => db.flush(),
            () => db.checkpoint(),
            () => db.verify(),
        ])
            requireCode(await failureOf(action), 'XENON_FAILED');
        requireCode(error, 'XENON_IO', 'XENON_FULL', 'XENON_FAILED');
        this.close(false);
        this.open();
    }
    async requireSame() {
        if (this.injection.times !== 1)
            return;
        for (let attempt = 0; attempt < 2; attempt++) {
            const error = await this.watched(() => {
                requireEqual(scan(this.db), this.state, 'after an error');
            });
            if (error === undefined)
                return;
            if (this.isFailed(error))
                return this.failed(error);
        }
        throw new Error('an error that was to strike once struck twice');
    }
}
const requireCode = (error, ...codes) => {
    if (error instanceof XenonError && codes.includes(error.code))
        return error;
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
    throw new Error(`expected ${codes.join(' or ')}, got ${error?.code}: ${what}`, {
        cause: error,
    });
};
const matching = (found, states, low) => {
    for (let number = states.length - 1; number >= low; number--)
        if (thrownBy(() => requireEqual(found, states[number], '')) === undefined)
            return number;
    requireEqual(found, states[low], `no state after a commit; against ${low} of ${low}…${states.length - 1}`);
    throw new Error('unreachable');
};
const apply = (tx, [key, value]) => {
    if (value === undefined)
        tx.delete(key);
    else
        tx.put(key, value);
};
const operation = ([key, value]) => value === undefined ? { type: 'delete', key } : { type: 'put', key, value };
const someChanges = (random, count, keys, most) => Array.from({ length: count }, () => {
    const key = `key ${random.below(keys)}`;
    return [key, random.chance(0.3) ? undefined : text(random, most)];
});
const filled = async (random, killed) => {
    const disk = new FaultDisk({ seed: random.next(), crc32 });
    const db = openOnDisk(disk, options);
    const changes = Array.from({ length: 40 }, (_, i) => [`key ${i}`, text(random, 900)]);
    changes.push(['large 0', text(random, 20_000, 9000)]);
    db.batch(changes.map(operation));
    const state = new Map(changes);
    if (killed) {
        await db.checkpoint();
        for (const change of someChanges(random, 12, 40, 600)) {
            db.batch([operation(change)]);
            if (change[1] === undefined)
                state.delete(change[0]);
            else
                state.set(change[0], change[1]);
        }
        const tx = db.begin();
        for (const change of someChanges(random, 24, 60, 600))
            apply(tx, change);
        tx.put('large 1', text(random, 12_000, 9000));
        await db.flush();
    }
    else
        db.close();
    return { disk: disk.kill(random), state };
};
const workloads = [
    {
        name: 'creation',
        async run(run) {
            run.open();
            for (let i = 0; i < 3; i++)
                await run.put(`key ${i}`, text(run.random, 300));
            await run.checkpoint();
            await run.delete('key 1');
            run.reopen();
            await run.get('key 0');
            await run.put('key 3', 'last');
            run.close();
        },
    },
    {
        name: 'all of it',
        base: random => filled(random, false),
        async run(run) {
            const { random } = run;
            run.open();
            await run.put('key 1', text(random, 300));
            await run.delete('key 2');
            await run.batch(someChanges(random, 5, 50, 400));
            await run.transaction(someChanges(random, 4, 50, 400), 'commit', someChanges(random, 4, 50, 400));
            await run.transaction(someChanges(random, 4, 50, 400), 'rollback');
            await run.put('large 0', text(random, 20_000, 9000));
            await run.async(someChanges(random, 5, 50, 200).filter(([, value]) => value !== undefined));
            await run.checkpoint();
            for (let i = 0; i < 6; i++)
                await run.get(`key ${random.below(50)}`);
            await run.get('large 0');
            run.reopen();
            await run.delete('large 0');
            run.close();
        },
    },
    {
        name: 'larger than the pool',
        base: random => filled(random, false),
        async run(run) {
            const { random } = run;
            run.open();
            await run.transaction(someChanges(random, 26, 120, 900), 'commit');
            await run.transaction(someChanges(random, 20, 120, 900), 'work');
            await run.batch([...someChanges(random, 20, 120, 900), ['large 0', text(random, 15_000, 9000)]]);
            await run.transaction([...someChanges(random, 20, 120, 900), ['large 0', text(random, 15_000, 9000)]], 'rollback');
            await run.get('large 0');
            run.reopen();
            await run.get('key 3');
        },
    },
    {
        name: 'recovery',
        base: random => filled(random, true),
        async run(run) {
            const { random } = run;
            run.open();
            await run.get('key 1');
            await run.put('key 1', text(random, 300));
            await run.transaction([['large 0', text(random, 15_000, 9000)], ...someChanges(random, 4, 50, 400)], 'commit');
            await run.flush();
            run.close();
        },
    },
    {
        name: 'log used again',
        base: random => filled(random, false),
        async run(run) {
            const { random } = run;
            run.open();
            for (let i = 0; i < 5; i++) {
                await run.batch(someChanges(random, 6, 30, 1200));
                await run.put(`large ${i % 2}`, text(random, 40_000, 30_000));
                if (i === 3)
                    await run.async(someChanges(random, 3, 30, 900));
            }
            await run.transaction([
                ['large 0', undefined],
                ['large 1', text(random, 9000, 5000)],
            ], 'commit');
            run.reopen();
            await run.get('large 1');
        },
    },
    {
        name: 'ranges, times and compaction',
        stride: 7,
        base: random => filled(random, false),
        async run(run) {
            const { random } = run;
            run.open();
            const long = (i) => `long ${i}`.padEnd(700, '.');
            await run.batch(Array.from({ length: 12 }, (_, i) => [long(i), text(random, 100)]));
            for (let i = 0; i < 4; i++)
                await run.putExpiring(`expires ${i}`, text(random, 400));
            await run.expire('expires 1');
            await run.range('key 1');
            await run.range('l');
            await run.transaction(Array.from({ length: 6 }, (_, i) => [long(i + 9), i < 3 ? undefined : 'new']), 'rollback');
            await run.clear('key 2');
            await run.delete('large 0');
            await run.compact();
            await run.range('');
            await run.clear('long');
            run.reopen();
            await run.put('last', 'value');
            run.close();
        },
    },
];
const effectsOf = (kind) => {
    if (['write', 'create', 'truncate', 'makeDirectory'].includes(kind))
        return ['EIO', 'ENOSPC', 'short'];
    return kind === 'sync' ? ['EIO', 'lose'] : ['EIO'];
};
const sweep = async (workload, seed, tally) => {
    const base = await workload.base?.(new Random(seed));
    const { stride = 1 } = workload;
    for (const kind of operationKinds) {
        for (const effect of effectsOf(kind)) {
            for (const times of [1, Number.POSITIVE_INFINITY]) {
                for (let after = 0, struck = 1; struck > 0; after += kind === 'read' ? READ_STRIDE * stride : stride) {
                    const run = new Run(base, seed, { kind, effect, times, after });
                    try {
                        const error = await failureOf(() => workload.run(run));
                        if (error !== undefined && !(error instanceof Stopped))
                            throw error;
                        struck = run.disk.rules.struck;
                        await run.finish();
                    }
                    catch (error) {
                        throw new Error(`${workload.name}, seed ${seed}: ${kind} ${effect}, times ${times}, N = ${after}: ${error.message}`, { cause: error });
                    }
                    tally.errors += struck;
                    tally.runs++;
                }
            }
        }
    }
};
const seeds = {
    creation: [1],
    'all of it': [2],
    'larger than the pool': [4],
    recovery: [5, 6],
    'log used again': [7],
    'ranges, times and compaction': [8],
};
const total = { runs: 0, errors: 0 };
for (const workload of workloads) {
    test(`an error at any operation: ${workload.name}`, async () => {
        for (const seed of seeds[workload.name]) {
            const tally = { runs: 0, errors: 0 };
            await sweep(workload, seed, tally);
            total.runs += tally.runs;
            total.errors += tally.errors;
        }
    });
}
test(`at least ${INJECTIONS} errors were injected`, () => {
    console.log(`${total.errors} errors injected in ${total.runs} runs`);
    expect(total.errors).toBeGreaterThanOrEqual(INJECTIONS);
});
//# sourceMappingURL=io-errors.test.js.map