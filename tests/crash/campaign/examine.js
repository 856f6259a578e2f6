import { openOn } from '../../../src/database/open.js';
import { XenonError } from '../../../src/errors.js';
import { crashPolicies } from '../../../src/testing/fault.js';
const NEW_KEY = 'a commit after the crash';
export const openOnDisk = (disk, options, directory = 'db', createIfMissing = true) => {
    const { storage } = disk;
    const db = openOn(directory, { ...options, storage, createIfMissing }, storage);
    db.sweeper.stop();
    return db;
};
export const recover = async (disk, expectation) => {
    const operations = [];
    disk.journal = operations;
    const db = openOnDisk(disk, expectation.options);
    disk.journal = undefined;
    const found = scan(db);
    requireOrder(disk, db, found);
    const commit = match(found, expectation);
    await requireSound(db, found.size);
    return { db, commit, operations };
};
export const requireContinuation = async (disk, state, options, random) => {
    const next = disk.crash('none', random);
    next.journal = [];
    const db = openOnDisk(next, options);
    const changes = next.journal.filter(({ kind }) => !kind.startsWith('sync'));
    if (db.stats().recovery.needed || changes.length > 0)
        throw new Error(`a second recovery did something: ${changes.map(({ kind }) => kind).join(', ')}`);
    next.journal = undefined;
    requireEqual(scan(db), state, 'after the second recovery');
    await requireNewCommit(next, db, state, options, random);
};
export const requireNewCommit = async (disk, db, state, options, random) => {
    const value = `${random.next()}`;
    db.put(NEW_KEY, value);
    if (options.durability !== 'power')
        await db.flush();
    const policy = random.pick(crashPolicies);
    const last = openOnDisk(disk.crash(policy, random), options);
    const found = scan(last);
    if (found.get(NEW_KEY) !== value)
        throw new Error(`a commit after the recovery is lost (policy ${policy})`);
    found.delete(NEW_KEY);
    requireEqual(found, state, 'after a commit after the recovery');
    if (random.chance(0.25))
        await requireSound(last, found.size + 1);
};
export const scan = (db) => {
    const found = new Map();
    for (db.reset(); db.next();) {
        const { key, value } = db.readCurrent();
        if (found.has(key))
            throw new Error(`the cursor gave ${key} twice`);
        found.set(key, value);
    }
    return found;
};
export const requireSound = async (db, records) => {
    const report = await db.verify();
    if (!report.ok)
        throw new Error(`verify: ${report.problems.slice(0, 3).join('; ')}`);
    const stats = db.stats();
    if (report.records !== stats.records || db.count() !== records)
        throw new Error(`verify counts ${report.records} records, stats ${stats.records}, count() ${db.count()}, there are ${records}`);
};
const requireOrder = (disk, db, found) => {
    if (!db.engine.metadata.ordered)
        return;
    const sorted = [...found.keys()].sort();
    let count = 0;
    const requireNext = (key) => {
        const expected = sorted[count++];
        if (key !== expected)
            throw new Error(`the ordered index leads to ${key}, expected ${expected}`);
    };
    if ((disk.signature & 3) === 0) {
        for (const [key, value] of db.entries()) {
            requireNext(key);
            if (found.get(key) !== value)
                throw new Error(`the ordered index leads to ${key} = ${show(value)}`);
        }
    }
    else
        for (const key of db.keys())
            requireNext(key);
    if (count !== found.size)
        throw new Error(`the ordered index leads to ${count} of ${found.size} records`);
};
export const requireCopies = async (disk, recording, index) => {
    for (const { directory, commit, from, done } of recording.copies) {
        if (from > index)
            continue;
        let copy;
        try {
            copy = openOnDisk(disk, recording.options, directory, false);
        }
        catch (error) {
            const isTyped = error instanceof XenonError && (error.code === 'XENON_NOT_FOUND' || error.code === 'XENON_CORRUPT');
            if (isTyped && index < done)
                continue;
            throw new Error(`the backup ${directory}: ${error.message}`, { cause: error });
        }
        const found = scan(copy);
        requireEqual(found, recording.states[commit], `the backup ${directory}`);
        requireOrder(disk, copy, found);
        await requireSound(copy, found.size);
    }
};
export const requireEqual = (found, state, when) => {
    const difference = firstDifference(found, state);
    if (difference !== undefined)
        throw new Error(`${when}: ${difference}`);
};
const match = (found, { states, low, high }) => {
    for (let number = high; number >= low; number--)
        if (firstDifference(found, states[number]) === undefined)
            return number;
    const other = states.findLastIndex(state => firstDifference(found, state) === undefined);
    if (other >= 0 && other < low)
        throw new Error(`lost: commits ${other + 1} to ${low} are gone`);
    if (other > high)
        throw new Error(`commit ${other} is there, but ${high} was the last to begin`);
    throw new Error(`half: what is there is no state after a commit; against commit ${low}: ${firstDifference(found, states[low])}`);
};
const firstDifference = (found, state) => {
    for (const [key, value] of state) {
        const other = found.get(key);
        if (other === undefined)
            return `${key} is missing`;
        if (other !== value)
            return `${key} is ${show(other)}, expected ${show(value)}`;
    }
    if (found.size === state.size)
        return undefined;
    for (const key of found.keys())
        if (!state.has(key))
            return `${key} should not be there`;
    return undefined;
};
const show = (value) => value.length > 30 ? `"${value.slice(0, 24)}…" (${value.length})` : `"${value}"`;
//# sourceMappingURL=examine.js.map