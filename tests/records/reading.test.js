import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { memoryStorage, } from '../../src/index.js';
import { RangeReader } from '../../src/records/range-reader.js';
import { nodeStorage } from '../../src/storage/node.js';
import { resolveRange } from '../../src/values/range.js';
import { hashOf, keysApart } from '../hash/keys.js';
import { withMemoryDatabase } from '../support/database.js';
import { expectCode } from '../support/errors.js';
beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());
const START = 1_700_000_000_000;
const HOUR = 3_600_000;
const KEY = 'key';
const noise = (letter) => {
    let text = '';
    for (let i = letter.charCodeAt(0), n = 0; n < 6000; n++) {
        i = (Math.imul(i, 1_103_515_245) + 12_345) >>> 0;
        text += (i >>> 8).toString(36);
    }
    return text;
};
const kinds = [
    { kind: 'plain', options: {}, value: letter => `value ${letter}` },
    { kind: 'expiring', options: {}, ttl: HOUR, value: letter => `value ${letter}` },
    { kind: 'large', options: {}, value: letter => letter.repeat(20_000) },
    { kind: 'compressed', options: { compression: 'deflate' }, value: letter => letter.repeat(900) },
    { kind: 'large, compressed, expiring', options: { compression: 'deflate' }, ttl: HOUR, value: noise },
];
class Stage {
    constructor(db, kind, clock, tx) {
        this.db = db;
        this.store = storeOf(db);
        this.tx = tx;
        this.kind = kind;
        this.clock = clock;
    }
    put(letter) {
        this.tx.put(KEY, this.kind.value(letter), optionsOf(this.kind));
        return this;
    }
    delete() {
        this.tx.delete(KEY);
        return this;
    }
    andBack(change) {
        const point = this.tx.savepoint();
        change();
        this.tx.rollbackTo(point);
    }
    putOutside(letter) {
        this.db.put(KEY, this.kind.value(letter), optionsOf(this.kind));
    }
    pass(milliseconds) {
        this.clock.now += milliseconds;
        return this;
    }
}
const storeOf = (db) => db.store;
const optionsOf = ({ ttl }) => (ttl === undefined ? {} : { ttl });
const states = [
    { state: 'untouched', first: 'a', change: () => { }, sees: 'a a a a a' },
    { state: 'absent', first: '-', change: () => { }, sees: '- - - - -' },
    { state: 'replaced', first: 'a', change: stage => stage.put('b'), sees: 'a b b a a' },
    { state: 'replaced twice', first: 'a', change: stage => stage.put('b').put('c'), sees: 'a c c a a' },
    { state: 'added', first: '-', change: stage => stage.put('b'), sees: '- b b - -' },
    { state: 'deleted', first: 'a', change: stage => stage.delete(), sees: 'a - - a a' },
    {
        state: 'deleted and added again',
        first: 'a',
        change: stage => stage.delete().put('b'),
        sees: 'a b b a a',
    },
    {
        state: 'replaced, back at a savepoint',
        first: 'a',
        change: stage => stage.andBack(() => stage.put('b')),
        sees: 'a a a a a',
    },
    {
        state: 'replaced, then deleted, back at a savepoint between them',
        first: 'a',
        change: stage => stage.put('b').andBack(() => stage.delete()),
        sees: 'a b b a a',
    },
    {
        state: 'added, back at a savepoint',
        first: '-',
        change: stage => stage.andBack(() => stage.put('b')),
        sees: '- - - - -',
    },
    {
        state: 'replaced, committed',
        first: 'a',
        change: stage => stage.put('b').tx.commit(),
        sees: 'b . b a b',
    },
    { state: 'deleted, committed', first: 'a', change: stage => stage.delete().tx.commit(), sees: '- . - a -' },
    {
        state: 'replaced, taken back',
        first: 'a',
        change: stage => stage.put('b').tx.rollback(),
        sees: 'a . a a a',
    },
    {
        state: 'replaced by somebody else',
        first: 'a',
        change: stage => stage.putOutside('c'),
        sees: 'c c c a c',
    },
    { state: 'expired', first: 'a', expires: true, change: stage => stage.pass(HOUR), sees: '- - - - -' },
    {
        state: 'expired, then added',
        first: 'a',
        expires: true,
        change: stage => stage.pass(HOUR).put('b'),
        sees: '- b b - -',
    },
    {
        state: 'replaced by one that stays longer, then expired',
        first: 'a',
        expires: true,
        change: stage => stage
            .pass(HOUR / 2)
            .put('b')
            .pass(HOUR / 2),
        sees: '- b b - -',
    },
    {
        state: 'kept for ever, then expired',
        first: 'a',
        expires: true,
        change: stage => {
            stage.tx.persist(KEY);
            stage.pass(HOUR);
        },
        sees: '- a a - -',
    },
    {
        state: 'given less time, which has passed',
        first: 'a',
        expires: true,
        change: stage => {
            stage.tx.expire(KEY, 1000);
            stage.pass(1000);
        },
        sees: 'a - - a a',
    },
];
const rows = kinds.flatMap(kind => states.filter(({ expires }) => expires === undefined || kind.ttl !== undefined).map(state => ({ ...state, ...kind })));
const seen = (stage, reading, from) => {
    const { store, kind } = stage;
    const value = store.values.of(reading.find(KEY));
    const found = reading.find(KEY);
    if (found !== undefined) {
        expect(found.expiresAt === 0 ? found.ttl === Number.POSITIVE_INFINITY : found.ttl > 0).toBe(true);
        expect(new TextDecoder().decode(store.values.bytesOf(found))).toBe(value);
    }
    const range = resolveRange({ gte: KEY, lte: KEY });
    for (const wanted of [
        { keys: true, values: true, binaryKeys: false },
        { keys: true, values: false, binaryKeys: false },
        { keys: false, values: true, binaryKeys: true },
    ]) {
        const reader = new RangeReader(store, range, wanted, from);
        reader.loadAll();
        if (wanted.keys)
            expect(reader.keys).toEqual(value === undefined ? [] : [KEY]);
        if (wanted.values)
            expect(reader.values).toEqual(value === undefined ? [] : [value]);
    }
    const letters = ['a', 'b', 'c'];
    return value === undefined ? '-' : letters.find(letter => kind.value(letter) === value);
};
describe('a record is', () => {
    test.each(rows)('$state ($kind)', row => withStage(row, stage => {
        const { db, store, tx } = stage;
        const [committed, own, uncommitted, before, after] = row.sees.split(' ');
        const asOfBefore = store.asOfNow();
        row.change(stage);
        const asOfAfter = store.asOfNow();
        try {
            expect(seen(stage, store.committed, asOfAfter)).toBe(committed);
            expect(store.committed.has(KEY)).toBe(committed !== '-');
            const inside = store.inside(tx.state);
            if (own !== '.')
                expect(seen(stage, inside, inside)).toBe(own);
            const other = db.begin({ isolation: 'read-uncommitted' });
            const dirty = store.inside(other.state);
            expect(seen(stage, dirty, dirty)).toBe(uncommitted);
            other.rollback();
            expect(seen(stage, asOfBefore, asOfBefore)).toBe(before);
            expect(seen(stage, asOfAfter, asOfAfter)).toBe(after);
            const plain = db.get(KEY);
            expect(plain).toBe(committed === '-' ? undefined : stage.kind.value(committed));
            expect(db.has(KEY)).toBe(plain !== undefined);
            expect(db.ttl(KEY) === undefined).toBe(plain === undefined);
            if (!tx.ended)
                tx.commit();
            db.delete(KEY);
            db.put('filler', 'x'.repeat(30_000));
            expect(seen(stage, asOfBefore, asOfBefore)).toBe(before);
            expect(seen(stage, asOfAfter, asOfAfter)).toBe(after);
        }
        finally {
            asOfBefore.end();
            asOfAfter.end();
        }
    }));
    const withStage = (row, body) => {
        const clock = { now: START };
        const storage = { ...memoryStorage(), deflate: nodeStorage.deflate, now: () => clock.now };
        return withMemoryDatabase({ ...row.options, storage }, ({ db }) => {
            if (row.first !== '-')
                db.put(KEY, row.value(row.first), optionsOf(row));
            body(new Stage(db, row, clock, db.begin()));
        });
    };
});
describe('what is found', () => {
    test('is told by one object, which holds until the next operation', () => withMemoryDatabase({}, ({ db }) => {
        db.batch([
            { type: 'put', key: 'a', value: '1' },
            { type: 'put', key: 'b', value: '2' },
        ]);
        const store = storeOf(db);
        const tx = db.begin();
        const view = store.asOfNow();
        expect(store.committed.find('a')).toBe(store.committed.find('b'));
        expect(store.inside(tx.state).find('a')).toBe(view.find('b'));
        view.end();
        tx.rollback();
    }));
    test('inside a transaction is locked, a key that is not there too', () => withMemoryDatabase({}, ({ db }) => {
        db.put('a', '1');
        const tx = db.begin();
        const inside = storeOf(db).inside(tx.state);
        expect(inside.find('a')).toBeDefined();
        expect(inside.find('not there')).toBeUndefined();
        expectCode(() => db.put('a', '2'), 'XENON_LOCK_CONFLICT');
        expectCode(() => db.put('not there', '2'), 'XENON_LOCK_CONFLICT');
        tx.rollback();
        db.put('a', '2');
    }));
    test('of a snapshot that was given up is an error', () => withMemoryDatabase({ snapshotBytes: 65_536 }, ({ db }) => {
        db.put('a', '1');
        const view = storeOf(db).asOfNow();
        for (let i = 0; i < 200; i++)
            db.put(`key ${i}`, 'x'.repeat(500));
        expectCode(() => view.find('a'), 'XENON_SNAPSHOT_LOST');
        expectCode(() => view.read(() => 0), 'XENON_SNAPSHOT_LOST');
        view.end();
    }));
});
describe('a transaction at', () => {
    const conflict = 'XENON_LOCK_CONFLICT';
    const levels = [
        { level: 'read-uncommitted', open: 'changed', later: 'later' },
        { level: 'read-committed', open: 'first', later: 'later' },
        { level: 'repeatable-read', open: conflict, later: 'later' },
        { level: 'snapshot', open: 'first', later: 'first' },
        { level: 'serializable', open: conflict, later: 'later' },
    ];
    test.each(levels)('$level sees of others: $open, later $later; and its own', ({ level, open, later }) => withMemoryDatabase({}, subject => {
        const { db } = subject;
        const [shared, own] = keysApart(hashOf(subject), 2, 'key', []);
        db.put(shared, 'first');
        db.put(own, 'first');
        const tx = db.begin({ isolation: level });
        tx.put(own, 'mine');
        const other = db.begin();
        other.put(shared, 'changed');
        if (open === conflict)
            expectCode(() => tx.get(shared), conflict);
        else
            expect(tx.get(shared)).toBe(open);
        other.rollback();
        db.put(shared, 'later');
        expect(tx.get(shared)).toBe(later);
        expect(tx.get(own)).toBe('mine');
        expect(tx.has(own)).toBe(true);
        tx.delete(own);
        expect(tx.get(own)).toBeUndefined();
        expect(db.get(own)).toBe('first');
        tx.rollback();
    }));
});
//# sourceMappingURL=reading.test.js.map