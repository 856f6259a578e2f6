import Keyv from 'keyv';
import { expect, test } from 'vitest';
import { KeyvXenon } from '../../../src/adapters/keyv/index.js';
import { open } from '../../../src/index.js';
import { expectVerified } from '../../support/database.js';
import { withDirectory } from '../../support/directory.js';
import { expectCode, failureOf, wrong } from '../../support/errors.js';
async function withStore(body) {
    await withDirectory(async (parent) => {
        let store;
        await body(() => {
            store?.database.close();
            store = new KeyvXenon(`${parent}/cache`, { cacheBytes: 1048576 });
            return store;
        });
        if (store === undefined)
            return;
        if (!store.database.closed)
            await expectVerified(store.database);
        store.database.close();
    });
}
test('values and their time to live survive closing', async () => {
    await withStore(async (reopen) => {
        const keyv = new Keyv({ store: reopen() });
        await keyv.set('a', { list: [1, 2] });
        await keyv.set('b', 'gone', 60_000);
        await keyv.set('c', 'short', 30);
        const store = reopen();
        const again = new Keyv({ store });
        expect(await again.get('a')).toEqual({ list: [1, 2] });
        expect(await again.get('b')).toBe('gone');
        expect(store.database.ttl('keyv:a')).toBe(Number.POSITIVE_INFINITY);
        expect(store.database.ttl('keyv:b')).toBeLessThanOrEqual(60_000);
        await new Promise(resolve => setTimeout(resolve, 40));
        expect(await again.get('c')).toBeUndefined();
        expect(store.database.has('keyv:c')).toBe(false);
    });
});
test('several values at once', async () => {
    await withStore(async (reopen) => {
        const keyv = new Keyv({ store: reopen() });
        expect(await keyv.setMany([
            { key: 'a', value: 1 },
            { key: 'b', value: 2, ttl: 60_000 },
        ])).toEqual([true, true]);
        expect(await keyv.get(['a', 'b', 'c'])).toEqual([1, 2, undefined]);
        expect(await keyv.has(['a', 'c'])).toEqual([true, false]);
        expect(await keyv.delete(['a', 'c'])).toBe(true);
        expect(await keyv.delete(['a', 'c'])).toBe(false);
    });
});
test('stores over one database keep to their namespaces', async () => {
    await withDirectory(async (parent) => {
        const database = open(`${parent}/db`);
        const users = new Keyv({ store: new KeyvXenon(database), namespace: 'users' });
        const pages = new Keyv({ store: new KeyvXenon(database), namespace: 'pages' });
        await users.set('1', 'Ada');
        await pages.set('1', 'Home');
        const found = [];
        for await (const entry of users.iterator?.(undefined) ?? [])
            found.push(entry);
        expect(found).toEqual([['1', 'Ada']]);
        await users.clear();
        expect(await users.get('1')).toBeUndefined();
        expect(await pages.get('1')).toBe('Home');
        await users.disconnect();
        expect(database.closed).toBe(false);
        await expectVerified(database);
        database.close();
    });
});
test('two namespaces over one store: each Keyv sees and changes its own alone', async () => {
    await withStore(async (reopen) => {
        const store = reopen();
        const users = new Keyv({ store, namespace: 'users' });
        expect(store.namespace).toBe('users');
        const pages = new Keyv({ store, namespace: 'pages' });
        const all = new Keyv({ store, namespace: 'users:old' });
        await users.set('1', 'Ada');
        await users.set('2', 'Bea', 60_000);
        await pages.set('1', 'Home');
        await all.set('1', 'Old');
        const entriesOf = async (keyv) => {
            const found = [];
            for await (const entry of keyv.iterator?.(undefined) ?? [])
                found.push(entry);
            return found;
        };
        expect(await entriesOf(pages)).toEqual([['1', 'Home']]);
        expect(await entriesOf(all)).toEqual([['old:1', 'Old']]);
        expect((await entriesOf(users)).filter(entry => !String(entry).startsWith('old:'))).toEqual([
            ['1', 'Ada'],
            ['2', 'Bea'],
        ]);
        expect(await users.get(['1', '2', '3'])).toEqual(['Ada', 'Bea', undefined]);
        expect(await pages.has('1')).toBe(true);
        expect(await pages.has('2')).toBe(false);
        expect(await pages.delete('2')).toBe(false);
        expect(store.database.ttl('users:2')).toBeLessThanOrEqual(60_000);
        const errors = [];
        for (const keyv of [users, pages])
            keyv.on('error', error => errors.push(error));
        await failureOf(() => pages.clear());
        expect(String(errors[0])).toContain("'users', 'pages'");
        expect(store.database.count()).toBe(4);
        await store.clear('pages');
        expect(await pages.get('1')).toBeUndefined();
        expect(await users.get('1')).toBe('Ada');
        const own = new Keyv({ store: new KeyvXenon(store.database), namespace: 'users' });
        await own.clear();
        expect(store.database.count()).toBe(0);
    });
});
test('a Keyv that changes its namespace clears the new one', async () => {
    await withStore(async (reopen) => {
        const store = reopen();
        const keyv = new Keyv({ store });
        await keyv.set('a', 1);
        keyv.namespace = 'other';
        await keyv.set('b', 2);
        const found = [];
        for await (const entry of keyv.iterator?.(undefined) ?? [])
            found.push(entry);
        expect(found).toEqual([['b', 2]]);
        await keyv.clear();
        expect([...store.database.keys()]).toEqual(['keyv:a']);
    });
});
test('an iterator goes through more records than it reads at once, and may be left early', async () => {
    await withStore(async (reopen) => {
        const store = reopen();
        await store.setMany(Array.from({ length: 250 }, (_, i) => ({ key: `n:${i}`, value: String(i) })));
        await store.set('other', 'x');
        let count = 0;
        for await (const [key] of store.iterator('n')) {
            expect(key.startsWith('n:')).toBe(true);
            count++;
        }
        expect(count).toBe(250);
        for await (const _ of store.iterator())
            break;
        await store.clear();
        expect(store.database.count()).toBe(0);
    });
});
test('every failure reaches the listeners of Keyv once', async () => {
    await withStore(async (reopen) => {
        const store = reopen();
        const keyv = new Keyv({ store });
        const codes = [];
        keyv.on('error', error => codes.push(error.code));
        await keyv.disconnect();
        await failureOf(() => keyv.get('a'));
        expect(codes).toEqual(['XENON_CLOSED']);
        await failureOf(() => keyv.set('a', 1));
        await failureOf(() => keyv.delete('a'));
        await failureOf(() => keyv.clear());
        await failureOf(() => keyv.has('a'));
        expect(codes).toEqual(Array(5).fill('XENON_CLOSED'));
    });
});
test('what it cannot store is refused', async () => {
    await withStore(async (reopen) => {
        const store = reopen();
        expectCode(() => new KeyvXenon(store.database.directory), 'XENON_LOCKED');
        expectCode(() => new KeyvXenon(wrong(1)), 'XENON_INVALID_ARGUMENT');
        expect(await failureOf(() => store.set('a', { value: 1 }))).toMatchObject({
            code: 'XENON_INVALID_ARGUMENT',
        });
        expect(await failureOf(() => store.setMany([{ key: 'x'.repeat(1025), value: '' }]))).toMatchObject({
            code: 'XENON_KEY_TOO_LARGE',
        });
        expect(await failureOf(() => store.deleteMany(['a', 'x'.repeat(1025)]))).toMatchObject({
            code: 'XENON_KEY_TOO_LARGE',
        });
        const listener = () => {
            throw new Error('it was removed');
        };
        store.on('error', listener).off('error', listener);
        expect(await failureOf(() => store.get(''))).toMatchObject({ code: 'XENON_INVALID_ARGUMENT' });
        await store.set('kept', 'x', -5);
        await new Promise(resolve => setTimeout(resolve, 5));
        expect(await store.has('kept')).toBe(false);
    });
});
//# sourceMappingURL=keyv.test.js.map