import { LockConflictError } from '../../src/index.js';
import { expectVerified } from '../support/database.js';
import { show } from '../support/model.js';
import { bytesOf, given, isIn, nameOf, randomRange, requireSame, select, showRange, } from './sorted.js';
export class Life {
    #subject;
    #random;
    #names;
    #records;
    #readers;
    #snapshots;
    #open;
    #background;
    #number;
    #weights;
    constructor(subject, random, names) {
        this.#records = new Map();
        this.#readers = [];
        this.#snapshots = [];
        this.#open = [];
        this.#background = [];
        this.#number = 0;
        this.conflicts = 0;
        this.compactions = 0;
        this.#weights = [
            [30, () => this.#write([this.#change()])],
            [14, () => this.#write(this.#changes(12))],
            [5, () => this.#grow()],
            [5, () => this.#shrink()],
            [3, () => this.#clear()],
            [8, () => this.#transaction()],
            [5, () => this.#leaveOpen()],
            [9, () => this.#goOn()],
            [8, () => this.#end()],
            [14, () => this.#read()],
            [10, () => this.#openReader()],
            [22, () => this.#step()],
            [5, () => this.#openSnapshot()],
            [9, () => this.#look()],
            [2, () => this.db.checkpoint()],
            [2, () => this.#compact()],
            [1, () => this.#verify()],
            [10, () => new Promise(resolve => setImmediate(resolve))],
        ];
        this.#subject = subject;
        this.#random = random;
        this.#names = names;
    }
    get db() {
        return this.#subject.db;
    }
    async run(steps) {
        const random = this.#random;
        const total = this.#weights.reduce((sum, [weight]) => sum + weight, 0);
        this.#grow();
        for (let i = 0; i < steps; i++) {
            let roll = random.below(total);
            for (const [weight, step] of this.#weights) {
                roll -= weight;
                if (roll >= 0)
                    continue;
                try {
                    await step();
                }
                catch (error) {
                    if (error instanceof Error)
                        error.message = `step ${i} ${step}: ${error.message}`;
                    throw error;
                }
                break;
            }
        }
        while (this.#open.length > 0)
            this.#end();
        await Promise.all(this.#background);
        while (this.#readers.length > 0)
            this.#drain(this.#readers.pop());
        while (this.#snapshots.length > 0)
            this.#endSnapshot();
        this.#compare();
        await expectVerified(this.db, this.#records.size);
        this.#subject.reopen();
        this.#compare();
    }
    #value() {
        const { random, number } = { random: this.#random, number: this.#number++ };
        const roll = random.below(100);
        const length = roll < 80 ? random.below(60) : roll < 97 ? random.below(1500) : random.between(5000, 70_000);
        return `${number}`.padEnd(length, '.');
    }
    #change() {
        const random = this.#random;
        return [random.pick(this.#names), random.chance(0.6) ? this.#value() : undefined];
    }
    #changes(most) {
        return Array.from({ length: this.#random.between(1, most) }, () => this.#change());
    }
    #attempt(action, must, what) {
        try {
            action();
        }
        catch (error) {
            if (!(error instanceof LockConflictError) || this.#open.length === 0)
                throw error;
            this.conflicts++;
            return false;
        }
        if (must)
            throw new Error(`${what} went through against the lock of an open transaction`);
        return true;
    }
    #isLocked(changes, except) {
        const view = new Map(except === undefined ? this.#records : this.#viewOf(except));
        return changes.some(([name, value]) => {
            const differs = view.has(name) !== (value !== undefined);
            if (value === undefined)
                view.delete(name);
            else
                view.set(name, value);
            return this.#open.some(other => other !== except &&
                ((differs && other.ranges.some(range => isIn(name, range))) ||
                    ((differs || value !== undefined) && other.changes.has(name))));
        });
    }
    #write(changes) {
        const { db } = this;
        const locked = this.#isLocked(changes);
        const [first] = changes;
        const [name, value] = first;
        const done = this.#attempt(() => {
            if (changes.length > 1 || this.#random.chance(0.1))
                db.batch(changes.map(operationOf));
            else if (value !== undefined)
                db.put(bytesOf(name), value);
            else if (db.delete(bytesOf(name)) !== this.#records.has(name))
                throw new Error(`delete(${show(name)}) was wrong`);
        }, locked, `${changes.length} changes`);
        if (done)
            apply(this.#records, changes);
        else
            this.#sample();
    }
    #grow() {
        const random = this.#random;
        const names = random.shuffle([...this.#names]).slice(0, random.between(20, 150));
        const sorted = random.chance(0.5) ? names.sort() : names;
        this.#write(sorted.map(name => [name, this.#value().slice(0, 300)]));
    }
    #shrink() {
        const random = this.#random;
        const names = [...this.#records.keys()].sort();
        const from = random.below(names.length + 1);
        this.#write([['a', undefined], ...names.slice(from, from + 80).map(name => [name, undefined])]);
    }
    #clear() {
        const range = this.#range();
        if (select(this.#records, range).length > 100)
            return;
        const gone = select(this.#records, range).map(([name]) => [name, undefined]);
        const done = this.#attempt(() => this.db.clear(given(range, false)), this.#isLocked(gone), `clear(${showRange(range)})`);
        if (done)
            apply(this.#records, gone);
    }
    #range() {
        return randomRange(this.#random, this.#names, this.#subject.options.keyEncoding === 'utf8');
    }
    #transaction() {
        const open = this.#begin();
        this.#work(open, 8);
        const { tx } = open;
        if (this.#random.chance(0.4)) {
            const savepoint = tx.savepoint();
            const before = new Map(open.changes);
            this.#work(open, 5);
            tx.rollbackTo(savepoint);
            open.changes = before;
            this.#readIn(open);
        }
        this.#finish(open, this.#random.chance(0.6));
    }
    #begin() {
        const open = { tx: this.db.begin(), changes: new Map(), ranges: [] };
        this.#open.push(open);
        return open;
    }
    #work(open, most) {
        for (const change of this.#changes(most)) {
            const [name, value] = change;
            const { tx } = open;
            const had = this.#viewOf(open).has(name);
            const done = this.#attempt(() => {
                if (value !== undefined)
                    tx.put(bytesOf(name), value);
                else if (tx.delete(bytesOf(name)) !== had)
                    throw new Error('delete() in a transaction was wrong');
            }, this.#isLocked([change], open), `${show(name)} in a transaction`);
            if (done && (value !== undefined || had))
                open.changes.set(name, value);
        }
    }
    #viewOf(open) {
        const view = new Map(this.#records);
        apply(view, [...open.changes]);
        return view;
    }
    #readIn(open) {
        const range = this.#range();
        const must = range.limit !== 0 &&
            this.#open.some(other => other !== open && [...other.changes.keys()].some(name => isIn(name, range)));
        const asked = given(range, false);
        const { tx } = open;
        const expected = select(this.#viewOf(open), range);
        const { limit: _, ...bounds } = range;
        this.#attempt(() => {
            const iterator = tx.entries(asked);
            if (!must)
                open.ranges.push(bounds);
            requirePairs([...iterator], expected, `transaction ${showRange(range)}`);
            requireSame([...tx.keys(asked)].map(nameOf), expected.map(first), 'keys in a transaction');
            if (tx.count(asked) !== expected.length)
                throw new Error('count() in a transaction was wrong');
        }, must, `reading ${showRange(range)} in a transaction`);
    }
    #leaveOpen() {
        if (this.#open.length >= 3)
            return;
        const open = this.#begin();
        if (this.#random.chance(0.8))
            this.#work(open, 10);
        if (this.#random.chance(0.4))
            this.#readIn(open);
    }
    #goOn() {
        if (this.#open.length === 0)
            return;
        const open = this.#random.pick(this.#open);
        if (this.#random.chance(0.5))
            this.#readIn(open);
        else
            this.#work(open, 6);
    }
    #end() {
        if (this.#open.length > 0)
            this.#finish(this.#random.pick(this.#open), this.#random.chance(0.6));
    }
    #finish(open, commits) {
        this.#open.splice(this.#open.indexOf(open), 1);
        if (commits) {
            open.tx.commit();
            apply(this.#records, [...open.changes]);
        }
        else
            open.tx.rollback();
        if (this.#random.chance(0.2))
            this.#compare();
    }
    #read() {
        const range = this.#range();
        const asked = given(range, false);
        const expected = select(this.#records, range);
        const what = showRange(range);
        requirePairs([...this.db.entries(asked)], expected, `entries ${what}`);
        requireSame([...this.db.keys(asked)].map(nameOf), expected.map(first), `keys ${what}`);
        const count = this.db.count(asked);
        if (count !== expected.length)
            throw new Error(`count ${what}: ${count}, expected ${expected.length}`);
    }
    #sample() {
        const name = this.#random.pick(this.#names);
        const found = this.db.get(bytesOf(name));
        if (found !== this.#records.get(name))
            throw new Error(`get(${show(name)}) gave ${show(found)}, expected ${show(this.#records.get(name))}`);
    }
    #openReader() {
        if (this.#readers.length >= 8)
            return;
        const range = this.#range();
        const asked = given(range, false);
        const from = this.#random.pick([...this.#snapshots, undefined]);
        const what = `${from === undefined ? 'iterator' : 'iterator of a snapshot'} ${showRange(range)}`;
        const expected = select(from?.records ?? this.#records, range);
        if (from === undefined && this.#random.chance(0.3))
            this.#readers.push({
                what: `cursor ${showRange(range)}`,
                cursor: this.db.cursor(asked),
                expected,
                at: 0,
            });
        else
            this.#readers.push({ what, iterator: (from?.snapshot ?? this.db).entries(asked), expected, at: 0 });
    }
    #step() {
        if (this.#readers.length === 0)
            return;
        const index = this.#random.below(this.#readers.length);
        const reader = this.#readers[index];
        for (let i = this.#random.between(1, 30); i > 0; i--) {
            if (this.#advance(reader))
                continue;
            this.#readers.splice(index, 1);
            return;
        }
        if (this.#random.chance(0.1)) {
            reader.iterator?.return();
            reader.cursor?.close();
            this.#readers.splice(index, 1);
        }
    }
    #advance(reader) {
        const { iterator, cursor, expected, what } = reader;
        const at = reader.at++;
        let pair;
        if (iterator !== undefined)
            pair = iterator.next().value;
        else if (cursor.next()) {
            const { key, value } = cursor.readCurrent();
            pair = [key, value];
        }
        requirePairs(pair === undefined ? [] : [pair], expected.slice(at, at + 1), `${what} at ${at}`);
        if (pair === undefined)
            cursor?.close();
        return pair !== undefined;
    }
    #drain(reader) {
        while (this.#advance(reader)) { }
    }
    #openSnapshot() {
        if (this.#snapshots.length < 4)
            this.#snapshots.push({ snapshot: this.db.snapshot(), records: new Map(this.#records) });
        else
            this.#endSnapshot();
    }
    #endSnapshot() {
        const [ended] = this.#snapshots.splice(this.#random.below(this.#snapshots.length), 1);
        if (ended === undefined)
            return;
        requirePairs([...ended.snapshot], select(ended.records, {}), 'a snapshot at its end');
        for (const reader of this.#readers.filter(({ what }) => what.includes('snapshot')))
            this.#drain(reader);
        this.#remove('snapshot');
        ended.snapshot.close();
    }
    #remove(word) {
        for (let i = this.#readers.length - 1; i >= 0; i--)
            if (this.#readers[i].what.includes(word))
                this.#readers.splice(i, 1);
    }
    #look() {
        if (this.#snapshots.length === 0)
            return;
        const { snapshot, records } = this.#random.pick(this.#snapshots);
        const range = this.#range();
        const asked = given(range, false);
        const expected = select(records, range);
        const what = `snapshot ${showRange(range)}`;
        requireSame([...snapshot.keys(asked)].map(nameOf), expected.map(first), `keys, ${what}`);
        requirePairs([...snapshot.entries(asked)], expected, what);
        if (snapshot.count(asked) !== expected.length)
            throw new Error(`count, ${what}`);
        if (snapshot.count() !== records.size)
            throw new Error(`count() of a snapshot: ${snapshot.count()}, expected ${records.size}`);
        for (let i = 0; i < 10; i++) {
            const name = this.#random.pick(this.#names);
            const key = bytesOf(name);
            if (snapshot.get(key) !== records.get(name) || snapshot.has(key) !== records.has(name))
                throw new Error(`snapshot.get(${show(name)}) gave ${show(snapshot.get(key))}`);
        }
    }
    #compact() {
        if (this.#background.length > this.compactions)
            return;
        const done = this.db.compact().then(() => this.compactions++);
        done.catch(() => { });
        this.#background.push(done);
    }
    async #verify() {
        if (this.#open.length === 0)
            await expectVerified(this.db, this.#records.size);
    }
    #compare() {
        requirePairs([...this.db], select(this.#records, {}), 'all');
        if (this.db.count() !== this.#records.size)
            throw new Error('count() of all is wrong');
        for (let i = 0; i < 5; i++)
            this.#sample();
    }
}
const first = ([name]) => name;
const apply = (records, changes) => {
    for (const [name, value] of changes) {
        if (value === undefined)
            records.delete(name);
        else
            records.set(name, value);
    }
};
const operationOf = ([name, value]) => value === undefined ? { type: 'delete', key: bytesOf(name) } : { type: 'put', key: bytesOf(name), value };
const requirePairs = (found, expected, what) => {
    requireSame(found.map(([key]) => nameOf(key)), expected.map(first), `keys of ${what}`);
    requireSame(found.map(([, value]) => value), expected.map(([, value]) => value), `values of ${what}`);
};
//# sourceMappingURL=life.js.map