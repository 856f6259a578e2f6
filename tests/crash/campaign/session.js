import { convertOn, openOn } from '../../../src/database/open.js';
import { SEGMENT_MAGIC } from '../../../src/log/format.js';
import { FaultDisk } from '../../../src/testing/fault.js';
import { crc32 } from './checksum.js';
export const FIRST_TIME = 1_700_000_000_000;
export class Session {
    constructor(options, random, { points, nearImages = false, ...disk } = {}) {
        this.journal = [];
        this.states = [new Map()];
        this.begins = [];
        this.promises = [];
        this.inFlight = [];
        this.expiries = [new Map()];
        this.clock = [];
        this.copies = [];
        this.from = 0;
        this.now = FIRST_TIME;
        this.checkpoints = 0;
        this.endedAside = 0;
        this.blockImages = 0;
        this.disk = new FaultDisk({
            seed: random.next(),
            crc32,
            now: () => this.now,
            syncsAside: random.chance(0.7),
            asideTurns: random.pick([0, 0, 4]),
            ...disk,
        });
        this.nearImages = nearImages;
        this.points = points ?? Number.POSITIVE_INFINITY;
        this.disk.journal = this.journal;
        this.random = random;
        this.options = options;
        this.db = this.open();
    }
    begin() {
        this.from = this.journal.length;
    }
    get recording() {
        this.count();
        const { options, from, states, begins, promises, expiries, clock, copies } = this;
        const journal = this.journal.slice();
        const { points, nearImages, checkpoints, endedAside, blockImages } = this;
        return {
            ...{ options, journal, from, states, begins, promises, expiries, clock, copies },
            ...{
                points,
                nearImages,
                checkpoints,
                endedAside,
                blockImages,
                reusedSegments: reusedSegments(journal),
            },
        };
    }
    get state() {
        return this.states[this.states.length - 1];
    }
    get lastWrite() {
        return this.journal.findLast(operation => operation.kind === 'write')?.bytes.length ?? 0;
    }
    open(changes = {}) {
        const { storage } = this.disk;
        this.db = openOn('db', { ...this.options, ...changes, storage }, storage);
        return this.db;
    }
    close() {
        this.db.close();
        this.count();
        this.promise(true);
    }
    abandon() {
        const { health } = this.db.engine;
        health.fail(new Error('the process has ended'));
        this.count();
        this.disk.releaseLocks();
    }
    damage(path, byte) {
        this.disk.flip(path, 8 * byte + this.random.below(8));
    }
    segments() {
        const { storage } = this.disk;
        return storage
            .list('db/log')
            .sort()
            .map(name => storage.join('db', 'log', name));
    }
    count() {
        const { checkpointer, pool } = this.db.engine;
        this.checkpoints += checkpointer.count;
        this.endedAside += checkpointer.endedAside;
        this.blockImages += pool.images.count;
    }
    put(key, value) {
        this.commit([[key, value]], () => this.db.put(key, value));
    }
    expiring(key, value, ttl) {
        this.commit([[key, value]], () => this.db.put(key, value, { ttl }), this.now + ttl);
    }
    pass(milliseconds) {
        this.now += milliseconds;
        this.clock.push({ at: this.journal.length, now: this.now });
    }
    sweep() {
        ;
        this.db.sweeper.run();
    }
    delete(key) {
        if (this.state.has(key))
            this.commit([[key, undefined]], () => this.db.delete(key));
        else
            this.db.delete(key);
    }
    batch(changes) {
        this.commit(changes, () => this.db.batch(changes.map(([key, value]) => (value === undefined ? { type: 'delete', key } : { type: 'put', key, value }))));
    }
    transaction(changes, around) {
        const tx = this.db.begin();
        for (const [key, value] of changes) {
            around?.(tx);
            if (value === undefined)
                tx.delete(key);
            else
                tx.put(key, value);
        }
        around?.(tx);
        this.commit(changes, () => tx.commit());
    }
    rollback(changes) {
        const tx = this.db.begin();
        for (const [key, value] of changes) {
            if (value === undefined)
                tx.delete(key);
            else
                tx.put(key, value);
        }
        tx.rollback();
    }
    async(changes) {
        if (changes.every(([key, value]) => value === undefined && !this.state.has(key)))
            return;
        const number = this.enter(changes);
        const operations = changes.map(([key, value]) => value === undefined ? { type: 'delete', key } : { type: 'put', key, value });
        const [first] = operations;
        const done = operations.length > 1 || first === undefined
            ? this.db.async.batch(operations)
            : first.type === 'put'
                ? this.db.async.put(first.key, first.value)
                : this.db.async.delete(first.key);
        this.inFlight.push(done.then(() => this.acknowledge(number)));
    }
    async settle() {
        await Promise.all(this.inFlight.splice(0));
    }
    async turn(turns = 1) {
        for (; turns > 0; turns--)
            await new Promise(resolve => setImmediate(resolve));
    }
    async flush() {
        await this.db.flush();
        this.promise(true);
    }
    async checkpoint() {
        await this.db.checkpoint();
        this.promise(true);
    }
    async compact() {
        await steadily(() => this.db.compact());
        this.promise(true);
    }
    async backup(directory, meanwhile) {
        const { length } = this.journal;
        const copy = { directory, commit: this.states.length - 1, from: length, done: Number.POSITIVE_INFINITY };
        this.copies.push(copy);
        let running = true;
        const done = steadily(() => this.db.backup(directory)).finally(() => {
            running = false;
        });
        while (running) {
            meanwhile();
            await new Promise(resolve => setImmediate(resolve));
        }
        await done;
        copy.done = this.journal.length;
    }
    async convert(ordered) {
        const { storage } = this.disk;
        this.close();
        const { durability: _, ...options } = this.options;
        await steadily(() => convertOn('db', { ...options, ordered, storage }, storage));
        this.open();
    }
    commit(changes, run, expiresAt) {
        const number = this.enter(changes, expiresAt);
        try {
            run();
        }
        catch (error) {
            for (const list of [this.states, this.begins, this.expiries])
                list.pop();
            throw error;
        }
        this.acknowledge(number);
    }
    enter(changes, expiresAt) {
        const next = new Map(this.state);
        const expiries = new Map(this.expiries[this.expiries.length - 1]);
        for (const [key, value] of changes) {
            expiries.delete(key);
            if (expiresAt !== undefined)
                expiries.set(key, expiresAt);
            if (value === undefined)
                next.delete(key);
            else
                next.set(key, value);
        }
        this.begins.push(this.journal.length);
        this.expiries.push(expiries);
        return this.states.push(next) - 1;
    }
    acknowledge(commit) {
        if (this.options.durability === 'none')
            return;
        this.promises.push({ at: this.journal.length, commit, power: this.options.durability === 'power' });
    }
    promise(power) {
        this.promises.push({ at: this.journal.length, commit: this.states.length - 1, power });
    }
}
export const expected = (recording, index, power) => {
    let low = 0;
    for (const promise of recording.promises)
        if (promise.at <= index && (promise.power || !power) && promise.commit > low)
            low = promise.commit;
    let high = 0;
    while (high < recording.begins.length && recording.begins[high] <= index)
        high++;
    return { low, high };
};
const reusedSegments = (journal) => {
    const seen = new Set();
    let reused = 0;
    for (const operation of journal) {
        if (operation.kind !== 'write' || operation.position !== 0)
            continue;
        if (SEGMENT_MAGIC.some((byte, at) => operation.bytes[at] !== byte))
            continue;
        if (seen.has(operation.node))
            reused++;
        seen.add(operation.node);
    }
    return reused;
};
export const timeAt = ({ clock }, index) => clock.findLast(({ at }) => at <= index)?.now ?? FIRST_TIME;
export const statesAt = (recording, index) => {
    const { states, expiries, clock } = recording;
    if (clock.length === 0)
        return states;
    const now = timeAt(recording, index);
    return states.map((state, number) => new Map([...state].filter(([key]) => (expiries[number].get(key) ?? now + 1) > now)));
};
const steadily = async (run) => {
    const real = performance.now;
    let now = 0;
    performance.now = () => (now += 0.5);
    try {
        return await run();
    }
    finally {
        performance.now = real;
    }
};
//# sourceMappingURL=session.js.map