import { expect, test } from 'vitest';
import { seeded } from '../../support/random.js';
import { bulk, request, withServer } from '../wire.js';
const KEYS = 20_000;
const keyOf = (n) => n % 50 === 0 ? `long ${n} `.repeat(20) : n % 997 === 1 ? '' : n % 997 === 2 ? 'x'.repeat(1025) : `key ${n}`;
const isAllowed = (key) => key.length > 0 && key.length <= 1024;
const someKeys = (random, most) => Array.from({ length: 1 + random.below(most) }, () => keyOf(random.below(KEYS)));
test('many keys at once agree with a Map', () => seeded(random => withServer({}, async ({ client, server }) => {
    const c = await client();
    const model = new Map();
    for (let round = 0; round < 60; round++) {
        const pairs = someKeys(random, 2000)
            .filter(isAllowed)
            .map((key, i) => [key, `${round} ${i} `.repeat(random.below(40))]);
        for (const [key, value] of pairs)
            model.set(key, value);
        if (pairs.length > 0)
            await c.expect(request('MSET', ...pairs.flat()), '+OK\r\n');
        const wanted = someKeys(random, 200);
        const values = wanted.map(key => (model.has(key) ? bulk(model.get(key)) : '$-1\r\n'));
        await c.expect(request('MGET', ...wanted), `*${wanted.length}\r\n${values.join('')}`);
        const there = someKeys(random, 200);
        await c.expect(request('EXISTS', ...there), `:${there.filter(key => model.has(key)).length}\r\n`);
        const gone = someKeys(random, 400);
        let removed = 0;
        for (const key of gone)
            if (model.delete(key))
                removed++;
        await c.expect(request(random.pick(['DEL', 'UNLINK']), ...gone), `:${removed}\r\n`);
    }
    expect(server.db.stats().cache.bytes, 'large enough to be worth looking ahead').toBeGreaterThan(4 << 20);
    expect(server.keys.count()).toBe(model.size);
})));
test('an MSET with a key that is refused changes nothing, and the next command finds nothing left over', () => withServer({}, async ({ client }) => {
    const c = await client();
    const pairs = Array.from({ length: 100 }, (_, i) => [`key ${i}`, `${i}`]).flat();
    await c.expect(request('MSET', ...pairs, '', 'x'), '-ERR a key has 1 to 1024 bytes\r\n');
    await c.expect(request('EXISTS', ...pairs), ':0\r\n');
    await c.expect(request('MSET', ...pairs), '+OK\r\n');
    await c.expect(request('DEL', ...pairs), ':100\r\n');
}));
test('inside BEGIN many keys are those that the transaction sees', () => withServer({}, async ({ client }) => {
    const [one, other] = [await client(), await client()];
    const keys = Array.from({ length: 100 }, (_, i) => `key ${i}`);
    const pairs = keys.flatMap(key => [key, 'x']);
    await one.expect('BEGIN\r\n', '+OK\r\n');
    await one.expect(request('MSET', ...pairs), '+OK\r\n');
    await one.expect(request('EXISTS', ...keys), ':100\r\n');
    await other.expect(request('EXISTS', ...keys), ':0\r\n');
    await other.expect(request('MGET', ...keys), `*100\r\n${'$-1\r\n'.repeat(100)}`);
    await one.expect('COMMIT\r\n', '+OK\r\n');
    await other.expect(request('MGET', ...keys), `*100\r\n${bulk('x').repeat(100)}`);
}));
//# sourceMappingURL=many-keys.test.js.map