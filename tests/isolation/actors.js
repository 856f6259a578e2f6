import { setImmediate as turn } from 'node:timers/promises';
import { hashOf } from '../hash/keys.js';
export async function isPending(promise) {
    let pending = true;
    const settled = () => {
        pending = false;
    };
    promise.then(settled, settled);
    for (let i = 0; i < 4 && pending; i++)
        await turn();
    return pending;
}
export const settle = async () => {
    for (let i = 0; i < 4; i++)
        await turn();
};
export class Actor {
    constructor(db, options) {
        this.committed = false;
        this.waits = 0;
        this.tail = Promise.resolve();
        this.tx = db.async.beginNow(options);
    }
    async do(step) {
        const result = {};
        this.tail = this.tail.then(async () => {
            if (this.failure !== undefined)
                return;
            try {
                result.value = await step(this.tx);
            }
            catch (error) {
                this.failure = error.code;
                if (!this.tx.ended)
                    await this.tx.rollback();
            }
        });
        if (await isPending(this.tail))
            this.waits++;
        return result;
    }
    get(key) {
        return this.do(tx => tx.get(key));
    }
    put(key, value) {
        return this.do(tx => tx.put(key, value));
    }
    entries(range) {
        return this.do(tx => all(tx.entries(range)));
    }
    count(range) {
        return this.do(tx => tx.count(range));
    }
    commit() {
        return this.do(async (tx) => {
            if (this.committed)
                return;
            await tx.commit();
            this.committed = true;
        });
    }
    rollback() {
        return this.do(tx => tx.rollback());
    }
    async end() {
        await this.tail;
    }
}
export async function all(items) {
    const found = [];
    for await (const item of items)
        found.push(item);
    return found;
}
export class Keys {
    constructor(subject) {
        this.next = 0;
        this.hash = hashOf(subject);
    }
    in(root, prefix = '') {
        for (;;) {
            const key = `${prefix}${String(this.next++).padStart(6, '0')}`;
            if (this.rootOf(key) === root)
                return key;
        }
    }
    rootOf(key) {
        const bytes = Buffer.from(key);
        this.hash.of(bytes, 0, bytes.length);
        return this.hash.root;
    }
}
//# sourceMappingURL=actors.js.map