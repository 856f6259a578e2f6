import { expect } from 'vitest';
import { open, XenonError } from '../../src/index.js';
import { closeQuietly } from '../support/database.js';
import { History } from '../support/history.js';
import { copyImage, differences, readImage, storageOf } from '../support/image.js';
import { firstDifference, sameValue, show } from '../support/model.js';
export const BLOCK = 4096;
export const options = {
    durability: 'power',
    cacheBytes: 1024 * BLOCK,
    logSegmentBytes: 128 * 1024,
};
export function sample(random) {
    const storage = storageOf(new Map());
    const db = open('db', { ...options, storage });
    const history = new History();
    const put = (key, value) => {
        db.put(key, value);
        history.commit([[key, value]]);
    };
    const remove = (key) => {
        db.delete(key);
        history.commit([[key, undefined]]);
    };
    for (let i = 0; i < 400; i++)
        put(`large ${i % 5} ${i}`, 'L'.repeat(random.below(1000)));
    for (let i = 0; i < 600; i++)
        put(`key ${i}`, `${i} `.repeat(random.between(1, 400)));
    for (let i = 0; i < 6; i++)
        put(`large ${i}`, `${i}`.repeat(random.between(5_000, 30_000)));
    for (let i = 0; i < 200; i++)
        remove(`large ${i % 5} ${i}`);
    remove('large 5');
    const earlier = [];
    for (let i = 0; i < 10; i++) {
        put(`last ${i}`, `${i}`);
        earlier.unshift(recordsOf(db));
    }
    const records = earlier.shift();
    const crashed = readImage('db', storage);
    db.close();
    return { closed: readImage('db', storage), crashed, records, earlier, history };
}
export function recordsOf(db) {
    const records = new Map();
    db.reset();
    while (db.next()) {
        const { key, value } = db.readCurrent();
        records.set(key, value);
    }
    return records;
}
export async function tryDamaged(image, allowed, extra = {}) {
    const before = copyImage(image);
    const storage = storageOf(image);
    let db;
    try {
        db = open('db', { ...options, ...extra, storage });
    }
    catch (error) {
        expectReported(error);
        const touched = differences(before, readImage('db', storage));
        if (touched.length > 0)
            expect.fail(`it was rejected, but these files were changed: ${touched}`);
        return 'rejected';
    }
    try {
        const states = allowed instanceof History ? stateOf(db, allowed) : allowed;
        const expected = states.find(records => mayBe(db, records));
        if (expected === undefined) {
            expect.fail(`it was opened, and holds wrong records: ${wrongness(db, states[0])}`);
        }
        const readable = readAll(db, expected);
        const { ok, problems, problemCount } = await db.verify();
        expect(problemCount === 0).toBe(ok);
        if (!readable && ok)
            expect.fail('a record cannot be read, but verify finds nothing');
        for (const problem of problems)
            expect(problem).not.toBe('');
        return ok ? 'harmless' : 'reported';
    }
    finally {
        closeQuietly(db);
    }
}
function stateOf(db, history) {
    const found = attempt(() => recordsOf(db));
    if (found === REPORTED)
        return [new Map()];
    history.expectRecovered(found);
    return [found];
}
function mayBe(db, records) {
    for (const [key, value] of records) {
        const found = attempt(() => db.get(key));
        if (found !== REPORTED && !sameValue(found, value))
            return false;
        const there = attempt(() => db.has(key));
        if (there !== REPORTED && there !== true)
            return false;
    }
    const scanned = attempt(() => recordsOf(db));
    return scanned === REPORTED || firstDifference(scanned, records) === undefined;
}
function readAll(db, records) {
    let readable = true;
    for (const [key, value] of records) {
        const found = attempt(() => db.getMany([key])[0]);
        if (found === REPORTED)
            readable = false;
        else if (!sameValue(found, value))
            expect.fail(`getMany(${show(key)}) gave ${show(found)}`);
    }
    const absent = attempt(() => [db.get('absent'), db.has('absent')]);
    if (absent !== REPORTED)
        expect(absent).toEqual([undefined, false]);
    return readable;
}
function wrongness(db, records) {
    for (const [key, value] of records) {
        const found = attempt(() => db.get(key));
        if (found !== REPORTED && !sameValue(found, value))
            return `get(${show(key)}) gave ${show(found)}`;
    }
    const scanned = attempt(() => recordsOf(db));
    return scanned === REPORTED ? 'has() is wrong' : `scan: ${firstDifference(scanned, records)}`;
}
const REPORTED = Symbol('reported');
function attempt(action) {
    try {
        return action();
    }
    catch (error) {
        expectReported(error);
        return REPORTED;
    }
}
export function expectReported(error) {
    const codes = ['XENON_CORRUPT', 'XENON_FORMAT_VERSION', 'XENON_FAILED'];
    if (error instanceof XenonError && codes.includes(error.code)) {
        expect(error.message.length).toBeGreaterThan(10);
        return;
    }
    throw error;
}
//# sourceMappingURL=damage.js.map