import { DeadlockError, LockConflictError, WriteConflictError } from '../../../src/errors.js';
const ACTORS = 5;
const STEPS = 170;
const settle = async () => {
    for (let i = 0; i < 3; i++)
        await new Promise(resolve => setImmediate(resolve));
};
export const interleaved = async (session, keys, text) => {
    const { random } = session;
    const books = session;
    session.batch(keys.slice(0, keys.length >> 1).map(key => [key, text(random, 300)]));
    const actors = Array.from({ length: ACTORS }, () => undefined);
    const begin = () => ({
        tx: session.db.async.beginNow({
            isolation: random.pick(['serializable', 'serializable', 'repeatable-read', 'read-committed', 'snapshot']),
            lockTimeout: Number.POSITIVE_INFINITY,
        }),
        changes: new Map(),
        savepoints: [],
        busy: false,
        over: false,
    });
    const run = (actor, operation) => {
        actor.busy = true;
        void operation()
            .catch(async (error) => {
            actor.over = true;
            if (error instanceof WriteConflictError && !actor.tx.ended)
                await actor.tx.rollback();
            else if (!(error instanceof DeadlockError))
                throw error;
        })
            .finally(() => {
            actor.busy = false;
        });
    };
    const write = async (actor) => {
        const key = random.pick(keys);
        if (random.chance(0.3)) {
            if (await actor.tx.delete(key))
                actor.changes.set(key, undefined);
            return;
        }
        const value = text(random, random.chance(0.1) ? 9000 : 700);
        await actor.tx.put(key, value);
        actor.changes.set(key, value);
    };
    const commit = (actor) => {
        actor.over = true;
        const { tx, changes } = actor;
        if (changes.size === 0) {
            run(actor, () => tx.rollback());
            return;
        }
        const number = books.enter([...changes]);
        const done = tx.commit().then(() => books.acknowledge(number));
        books.inFlight.push(done);
    };
    const step = async (actor) => {
        const roll = random.below(100);
        if (roll < 48)
            run(actor, () => write(actor));
        else if (roll < 53)
            run(actor, async () => void (await actor.tx.get(random.pick(keys))));
        else if (roll < 56)
            run(actor, async () => void (await actor.tx.count({ gte: random.pick(keys), limit: 3 })));
        else if (roll < 64)
            actor.savepoints.push({ savepoint: await actor.tx.savepoint(), changes: new Map(actor.changes) });
        else if (roll < 71) {
            const at = random.below(actor.savepoints.length + 1);
            const back = actor.savepoints[at];
            if (back === undefined)
                return;
            await actor.tx.rollbackTo(back.savepoint);
            actor.changes = new Map(back.changes);
            actor.savepoints.length = at + 1;
        }
        else if (roll < 96)
            commit(actor);
        else {
            actor.over = true;
            await actor.tx.rollback();
        }
    };
    const meanwhile = () => {
        const tx = session.db.begin();
        const key = random.pick(keys);
        const value = text(random, 200);
        try {
            tx.put(key, value);
        }
        catch (error) {
            tx.rollback();
            if (!(error instanceof LockConflictError))
                throw error;
            return;
        }
        const number = books.enter([[key, value]]);
        tx.commit();
        books.acknowledge(number);
    };
    session.begin();
    for (let i = 0; i < STEPS; i++) {
        const at = random.below(ACTORS);
        let actor = actors[at];
        if (actor === undefined || (actor.over && !actor.busy)) {
            actor = begin();
            actors[at] = actor;
        }
        if (!actor.busy && !actor.tx.ended)
            await step(actor);
        await settle();
        const roll = random.below(100);
        if (roll < 6)
            meanwhile();
        else if (roll < 13)
            await session.flush();
        else if (roll < 15)
            await session.checkpoint();
    }
    await session.flush();
};
//# sourceMappingURL=interleaved.js.map