const both = (a, b) => a.committed && b.committed;
const finish = async (...actors) => {
    for (const actor of actors)
        await actor.commit();
    for (const actor of actors)
        await actor.end();
};
const changeAll = (range, change) => {
    return async (tx) => {
        let changed = 0;
        const found = [];
        for await (const entry of tx.entries(range))
            found.push(entry);
        for (const [key, value] of found) {
            const next = change(value);
            if (next === value)
                continue;
            changed++;
            if (next === undefined)
                await tx.delete(key);
            else
                await tx.put(key, next);
        }
        return changed;
    };
};
export const anomalies = [
    {
        name: 'G0',
        meaning: 'dirty write: two transactions overwrite each other',
        async play({ db, begin, x, y }) {
            const [t1, t2] = [begin(), begin()];
            await t1.put(x, '11');
            await t2.put(x, '12');
            await t1.put(y, '21');
            await t1.commit();
            await t2.put(y, '22');
            await finish(t2);
            return both(t1, t2) && `${db.get(x)} ${db.get(y)}` !== '11 21' && `${db.get(x)} ${db.get(y)}` !== '12 22';
        },
    },
    {
        name: 'G1a',
        meaning: 'aborted read: of what was rolled back',
        async play({ begin, x }) {
            const [t1, t2] = [begin(), begin()];
            await t1.put(x, '101');
            const first = await t2.get(x);
            await t1.rollback();
            const second = await t2.get(x);
            await finish(t2);
            return first.value === '101' || second.value === '101';
        },
    },
    {
        name: 'G1a, predicate',
        meaning: 'a range that shows an insert, or misses a delete, that was rolled back',
        async play({ begin, x, p }) {
            const [t1, t2] = [begin(), begin()];
            await t1.put(p, '30');
            await t1.do(tx => tx.delete(x));
            const removed = await t2.count('a');
            const added = await t2.count('p');
            await t1.rollback();
            await finish(t2);
            return added.value === 1 || removed.value === 0;
        },
    },
    {
        name: 'G1a, delete',
        meaning: 'a delete that finds nothing, because of a delete that was rolled back',
        async play({ db, begin, x }) {
            const [t1, t2] = [begin(), begin()];
            await t1.do(tx => tx.delete(x));
            const found = await t2.do(tx => tx.delete(x));
            await t1.rollback();
            await finish(t2);
            return t2.committed && (found.value === false || db.has(x));
        },
    },
    {
        name: 'G1b',
        meaning: 'intermediate read: of what was changed again before the commit',
        async play({ begin, x }) {
            const [t1, t2] = [begin(), begin()];
            await t1.put(x, '101');
            const first = await t2.get(x);
            await t1.put(x, '11');
            await t1.commit();
            const second = await t2.get(x);
            await finish(t2);
            return first.value === '101' || second.value === '101';
        },
    },
    {
        name: 'G1b, predicate',
        meaning: 'a range that shows what was changed again before the commit',
        async play({ begin, p }) {
            const [t1, t2] = [begin(), begin()];
            await t1.put(p, '101');
            const first = await t2.entries('p');
            await t1.put(p, '11');
            await t1.commit();
            const second = await t2.entries('p');
            await finish(t2);
            return [first, second].some(({ value }) => value?.some(entry => entry[1] === '101'));
        },
    },
    {
        name: 'G1c',
        meaning: 'circular information flow: each reads what the other wrote',
        async play({ begin, x, y }) {
            const [t1, t2] = [begin(), begin()];
            await t1.put(x, '11');
            await t2.put(y, '22');
            const first = await t1.get(y);
            const second = await t2.get(x);
            await finish(t1, t2);
            return both(t1, t2) && first.value === '22' && second.value === '11';
        },
    },
    {
        name: 'OTV',
        meaning: 'observed transaction vanishes: a reader sees a part of it, then what was before',
        async play({ begin, x, y }) {
            const [t1, t2, t3] = [begin(), begin(), begin()];
            await t1.put(x, '11');
            await t1.put(y, '19');
            await t2.put(x, '12');
            await t1.commit();
            const first = await t3.get(x);
            const second = await t3.get(y);
            await t2.put(y, '18');
            await t3.get(y);
            await t2.commit();
            const third = await t3.get(y);
            const fourth = await t3.get(x);
            await finish(t3);
            const sawSecond = first.value === '12';
            return (sawSecond && second.value === '19') || (third.value === '18' && fourth.value === '11');
        },
    },
    {
        name: 'PMP',
        meaning: 'predicate-many-preceders: a range changes while it is read twice',
        async play({ begin, p }) {
            const [t1, t2] = [begin(), begin()];
            const first = await t1.count('p');
            await t2.put(p, '30');
            await t2.commit();
            const second = await t1.count('p');
            await finish(t1, t2);
            return t1.committed && first.value === 0 && second.value === 1;
        },
    },
    {
        name: 'PMP, write',
        meaning: 'a write by predicate misses a record that was committed meanwhile',
        async play({ begin, p }) {
            const [t1, t2] = [begin(), begin()];
            await t1.put(p, '30');
            const changed = await t2.do(changeAll('p', () => undefined));
            await t1.commit();
            const left = await t2.count('p');
            await finish(t2);
            return t2.committed && changed.value === 0 && left.value === 1;
        },
    },
    {
        name: 'P4',
        meaning: 'lost update: a write goes by a value that is not there any more',
        async play({ begin, x }) {
            const [t1, t2] = [begin(), begin()];
            const first = await t1.get(x);
            const second = await t2.get(x);
            await t1.put(x, '11');
            await t2.put(x, '12');
            await finish(t1, t2);
            return both(t1, t2) && first.value === '10' && second.value === '10';
        },
    },
    {
        name: 'P4, write',
        meaning: 'the same with writes by predicate',
        async play({ db, begin, x }) {
            const [t1, t2] = [begin(), begin()];
            const increment = changeAll('a', value => String(Number(value) + 1));
            await Promise.all([t1.do(increment), t2.do(increment)]);
            await finish(t1, t2);
            return both(t1, t2) && db.get(x) === '11';
        },
    },
    {
        name: 'G-single',
        meaning: 'read skew: of one transaction, one part is seen and another not',
        async play({ begin, x, y }) {
            const [t1, t2] = [begin(), begin()];
            const first = await t1.get(x);
            await t2.get(x);
            await t2.get(y);
            await t2.put(x, '12');
            await t2.put(y, '18');
            await t2.commit();
            const second = await t1.get(y);
            await finish(t1, t2);
            return t1.committed && first.value === '10' && second.value === '18';
        },
    },
    {
        name: 'G-single, predicate',
        meaning: 'the same, read by ranges',
        async play({ begin, x, y }) {
            const [t1, t2] = [begin(), begin()];
            const first = await t1.entries('a');
            await t2.put(x, '12');
            await t2.put(y, '18');
            await t2.commit();
            const second = await t1.entries('b');
            await finish(t1, t2);
            return t1.committed && first.value?.[0]?.[1] === '10' && second.value?.[0]?.[1] === '18';
        },
    },
    {
        name: 'G-single, write',
        meaning: 'the same with a write by predicate, which finds what the reads before it deny',
        async play({ begin, x, y }) {
            const [t1, t2] = [begin(), begin()];
            const first = await t1.get(x);
            await t2.put(x, '12');
            await t2.put(y, '18');
            await t2.commit();
            const changed = await t1.do(changeAll('b', value => (value === '20' ? undefined : value)));
            await finish(t1, t2);
            return t1.committed && first.value === '10' && changed.value === 0;
        },
    },
    {
        name: 'G2-item',
        meaning: 'write skew: each writes what the other has read',
        async play({ begin, x, y }) {
            const [t1, t2] = [begin(), begin()];
            for (const t of [t1, t2]) {
                await t.get(x);
                await t.get(y);
            }
            await t1.put(x, '11');
            await t2.put(y, '21');
            await finish(t1, t2);
            return both(t1, t2);
        },
    },
    {
        name: 'G2',
        meaning: 'write skew with ranges: each adds to the range that the other has read',
        async play({ begin, p, q }) {
            const [t1, t2] = [begin(), begin()];
            const first = await t1.count('p');
            const second = await t2.count('p');
            await t1.put(p, '30');
            await t2.put(q, '42');
            await finish(t1, t2);
            return both(t1, t2) && first.value === 0 && second.value === 0;
        },
    },
    {
        name: 'G2, two edges',
        meaning: 'a third transaction that only reads sees an order that the others deny',
        async play({ begin, x, y }) {
            const [t1, t2] = [begin(), begin()];
            const first = [await t1.entries('a'), await t1.entries('b')];
            await t2.do(async (tx) => tx.put(y, String(Number(await tx.get(y)) + 5)));
            await t2.commit();
            const t3 = begin();
            const seen = [await t3.entries('a'), await t3.entries('b')];
            await t3.commit();
            await t1.put(x, '0');
            await finish(t1, t2, t3);
            const isOld = first.map(({ value }) => value?.[0]?.[1]).join() === '10,20';
            const third = seen.map(({ value }) => value?.[0]?.[1]).join();
            return t1.committed && both(t2, t3) && isOld && third === '10,25';
        },
    },
];
//# sourceMappingURL=anomalies.js.map