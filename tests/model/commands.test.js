import fc from 'fast-check';
import { test, vi } from 'vitest';
import { open } from '../../src/index.js';
import { closeQuietly, expectVerified, withMemoryDatabase } from '../support/database.js';
import { readImage, storageOf } from '../support/image.js';
import { expectEqual, firstDifference, sameValue, scan, show } from '../support/model.js';
import { runs, runTimeout } from '../support/random.js';
vi.setConfig({ testTimeout: runTimeout });
const key = fc.oneof({ weight: 5, arbitrary: fc.integer({ min: 0, max: 11 }).map(n => `k${n}`) }, { weight: 2, arbitrary: fc.integer({ min: 0, max: 400 }).map(n => `n${n}`) }, { weight: 1, arbitrary: fc.constantFrom('__proto__', 'constructor', '\0', 'é', '語', 'x'.repeat(1024)) });
const value = fc
    .tuple(fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 0, max: 60 }) }, { weight: 3, arbitrary: fc.integer({ min: 500, max: 1500 }) }, { weight: 2, arbitrary: fc.integer({ min: 3900, max: 4150 }) }, { weight: 1, arbitrary: fc.integer({ min: 4000, max: 60_000 }) }), fc.constantFrom('a', 'b', 'é', '語', '😀'))
    .map(([length, character]) => character.repeat(length));
const edit = fc.record({ key, value: fc.option(value, { nil: undefined, freq: 3 }) });
const part = fc.oneof({ weight: 6, arbitrary: edit }, { weight: 1, arbitrary: fc.constant('savepoint') }, { weight: 1, arbitrary: fc.constant('rollbackTo') }, { weight: 1, arbitrary: fc.constant('crash') });
const commands = [
    fc.tuple(key, value).map(([k, v]) => command(`put(${show(k)}, ${show(v)})`, (model, { db }) => {
        db.put(k, v);
        model.set(k, v);
        expectSame(db.get(k), v);
    })),
    key.map(k => command(`delete(${show(k)})`, (model, { db }) => {
        expectSame(db.delete(k), model.delete(k));
        expectSame(db.get(k), undefined);
    })),
    key.map(k => command(`get(${show(k)})`, (model, { db }) => {
        expectSame(db.get(k), model.get(k));
        expectSame(db.has(k), model.has(k));
        expectSame(db.getMany([k, k])[1], model.get(k));
    })),
    fc.array(edit, { maxLength: 8 }).map(edits => command(`batch(${edits.map(showEdit)})`, (model, { db }) => {
        db.batch(edits.map(operationOf));
        applyAll(model, edits);
    })),
    fc.tuple(fc.integer({ min: 1, max: 400 }), fc.integer({ min: 0, max: 900 })).map(([count, length]) => command(`fill(${count} records of ${length})`, (model, { db }) => {
        const edits = Array.from({ length: count }, (_, n) => ({ key: `n${n}`, value: 'f'.repeat(length) }));
        db.batch(edits.map(operationOf));
        applyAll(model, edits);
    })),
    fc.tuple(fc.integer({ min: 0, max: 400 }), fc.integer({ min: 1, max: 3 })).map(([from, step]) => command(`drain(from ${from} by ${step})`, (model, { db }) => {
        for (let n = from; n <= 400; n += step)
            expectSame(db.delete(`n${n}`), model.delete(`n${n}`));
    })),
    fc
        .tuple(fc.array(part, { maxLength: 12 }), fc.constantFrom('commit', 'rollback', 'dispose', 'throw'))
        .map(([parts, ending]) => command(`transaction(${parts.map(showPart)}; ${ending})`, (model, real) => {
        const view = ending === 'throw' ? throwing(model, real, parts) : explicit(model, real, parts, ending);
        if (ending !== 'commit')
            return;
        model.clear();
        for (const [k, v] of view)
            model.set(k, v);
    })),
    edit.map(e => command(`async ${showEdit(e)}`, async (model, { db }) => {
        const promise = e.value === undefined ? db.async.delete(e.key) : db.async.put(e.key, e.value);
        const existed = model.has(e.key);
        applyAll(model, [e]);
        expectSame(db.get(e.key), e.value);
        const answer = await promise;
        if (e.value === undefined)
            expectSame(answer, existed);
    })),
    fc.constant(command('reopen', (_, real) => void real.reopen())),
    fc.constant(command('checkpoint', (_, { db }) => db.checkpoint())),
    fc.constant(command('flush', (_, { db }) => db.flush())),
    fc.constant(command('crash', expectRecovery)),
];
test('short sequences of operations agree with a Map', async () => {
    const given = process.env.XENON_SEED;
    await fc.assert(fc.asyncProperty(fc.record({
        blockSize: fc.constantFrom(4096, 8192, 65536),
        frames: fc.constantFrom(16, 64),
        durability: fc.constantFrom('power', 'process', 'none'),
    }), fc.commands(commands, { maxCommands: 60, size: 'max' }), async ({ blockSize, frames, durability }, sequence) => {
        const sizes = { cacheBytes: frames * blockSize, checkpointBytes: 262_144, logSegmentBytes: 131_072 };
        await withMemoryDatabase({ blockSize, durability, ...sizes }, async (subject) => {
            const model = new Map();
            await fc.asyncModelRun(() => ({ model, real: subject }), sequence);
            expectEqual(subject.db, model);
            await expectVerified(subject.db, model.size);
        });
    }), {
        numRuns: 120 * runs,
        ...(given === undefined ? {} : { seed: Number(given) }),
    });
});
function command(name, run) {
    return { check: () => true, run: async (model, real) => run(model, real), toString: () => name };
}
function explicit(model, real, parts, ending) {
    const { db } = real;
    const tx = db.begin();
    const view = playParts(model, real, tx, parts);
    for (const part of parts) {
        if (typeof part === 'string')
            continue;
        expectSame(tx.get(part.key), view.get(part.key));
        expectSame(db.get(part.key), model.get(part.key));
    }
    if (ending === 'commit')
        tx.commit();
    else if (ending === 'rollback')
        tx.rollback();
    else
        tx[Symbol.dispose]();
    for (const part of parts) {
        if (typeof part !== 'string') {
            expectSame(db.get(part.key), (ending === 'commit' ? view : model).get(part.key));
        }
    }
    return view;
}
function throwing(model, real, parts) {
    const { db } = real;
    const failure = new Error('changed my mind');
    try {
        db.transaction(tx => {
            playParts(model, real, tx, parts);
            throw failure;
        });
    }
    catch (error) {
        if (error !== failure)
            throw error;
    }
    for (const part of parts) {
        if (typeof part !== 'string')
            expectSame(db.get(part.key), model.get(part.key));
    }
    return model;
}
function playParts(model, real, tx, parts) {
    let view = new Map(model);
    const savepoints = [];
    for (const part of parts) {
        if (part === 'savepoint') {
            savepoints.push({ savepoint: tx.savepoint(), view: new Map(view) });
        }
        else if (part === 'rollbackTo') {
            const last = savepoints.pop();
            if (last === undefined)
                continue;
            tx.rollbackTo(last.savepoint);
            view = last.view;
        }
        else if (part === 'crash') {
            expectRecovery(model, real);
        }
        else if (part.value === undefined) {
            expectSame(tx.delete(part.key), view.delete(part.key));
        }
        else {
            tx.put(part.key, part.value);
            view.set(part.key, part.value);
            expectSame(tx.get(part.key), part.value);
        }
    }
    return view;
}
function expectRecovery(model, { options, image }) {
    const again = recover(image(), model, options);
    recover(again, model, options);
}
function recover(image, model, options) {
    const storage = storageOf(image);
    const db = open('db', { ...options, storage });
    try {
        const difference = firstDifference(scan(db), model);
        if (difference !== undefined && options.durability !== 'none')
            throw new Error(`recovered: ${difference}`);
        return readImage('db', storage);
    }
    finally {
        closeQuietly(db);
    }
}
function applyAll(model, edits) {
    for (const { key, value } of edits) {
        if (value === undefined)
            model.delete(key);
        else
            model.set(key, value);
    }
}
function operationOf({ key, value }) {
    return value === undefined ? { type: 'delete', key } : { type: 'put', key, value };
}
function showEdit({ key, value }) {
    return value === undefined ? `-${show(key)}` : `${show(key)}=${show(value)}`;
}
function showPart(part) {
    return typeof part === 'string' ? part : showEdit(part);
}
function expectSame(found, expected) {
    if (!sameValue(found, expected))
        throw new Error(`got ${show(found)}, expected ${show(expected)}`);
}
//# sourceMappingURL=commands.test.js.map