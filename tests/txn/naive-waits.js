import { isBytes } from '../../src/runtime/bytes.js';
import { Grant } from '../../src/txn/locks.js';
import { isWithin } from '../../src/txn/range-locks.js';
export class NaiveWaits {
    #locks;
    #all = [];
    constructor(locks) {
        this.#locks = locks;
    }
    get waiting() {
        return this.#all.length;
    }
    #queue(lock) {
        return this.#all.filter(({ conflict }) => conflict.lock === lock);
    }
    isQueued(lock, state, exclusive) {
        return this.#queue(lock).some(other => other.state !== state && (exclusive || other.conflict.exclusive));
    }
    waitersFor(lock, except, exclusive) {
        return this.#ahead(this.#queue(lock), except, exclusive);
    }
    waitersForRange(state, what) {
        return this.#queue(undefined)
            .filter(({ state: other, conflict: { key, bounds }, holders }) => {
            if (other === state || holders.includes(state.id))
                return false;
            if (isBytes(what))
                return bounds !== undefined && isWithin(what, bounds);
            return key !== undefined && isWithin(key, what);
        })
            .map(({ state: other }) => other.id);
    }
    wait(state, conflict, _timeout, signal) {
        return new Promise((resolve, reject) => {
            const leave = () => {
                this.#all = this.#all.filter(other => other !== waiter);
            };
            const waiter = {
                state,
                conflict,
                holders: conflict.lock === undefined ? [...new Set(conflict.holders)] : [],
                resolve: () => {
                    leave();
                    resolve();
                },
                reject: error => {
                    leave();
                    reject(error);
                    if (conflict.lock !== undefined)
                        this.#settle(conflict.lock);
                    else
                        for (const other of this.#queue(undefined))
                            if (other.holders.includes(state.id))
                                other.resolve();
                },
            };
            this.#all.push(waiter);
            for (;;) {
                const victim = this.#all.includes(waiter) ? this.#victimOf(waiter) : undefined;
                if (victim === undefined)
                    break;
                victim.reject(new Error('deadlock'));
            }
            signal?.addEventListener('abort', () => {
                if (this.#all.includes(waiter))
                    waiter.reject(signal.reason);
            });
        });
    }
    ended(state) {
        for (const waiter of this.#all) {
            if (waiter.state === state)
                waiter.resolve();
            else if (waiter.holders.includes(state.id)) {
                waiter.holders = waiter.holders.filter(id => id !== state.id);
                if (waiter.holders.length === 0)
                    waiter.resolve();
            }
        }
        for (const lock of new Set(this.#all.map(({ conflict }) => conflict.lock)))
            if (lock !== undefined)
                this.#settle(lock);
    }
    #settle(lock) {
        for (const waiter of this.#queue(lock)) {
            if (this.#holdersOf(waiter).length > 0)
                continue;
            const { state, conflict } = waiter;
            const grant = conflict.exclusive
                ? this.#locks.lockExclusive(lock, state.id)
                : this.#locks.lockShared(lock, state.id);
            if (grant === Grant.fresh)
                state.locks.push(lock);
            waiter.resolve();
        }
    }
    #holdersOf(waiter) {
        const { state, conflict } = waiter;
        const { lock, exclusive } = conflict;
        if (lock === undefined)
            return waiter.holders;
        const holders = this.#locks.holders(lock, state.id, exclusive);
        if (this.#locks.isHeldBy(lock, state.id))
            return holders;
        const queue = this.#queue(lock);
        return [...holders, ...this.#ahead(queue.slice(0, queue.indexOf(waiter)), state, exclusive)];
    }
    #ahead(queue, state, exclusive) {
        const ids = [];
        for (const { state: other, conflict } of queue.toReversed()) {
            if (other === state || !(exclusive || conflict.exclusive))
                continue;
            ids.push(other.id);
            if (conflict.exclusive && !this.#locks.isHeldBy(conflict.lock, other.id))
                break;
        }
        return ids;
    }
    #victimOf(waiter) {
        const { id } = waiter.state;
        const behind = (of) => this.#holdersOf(of).flatMap(holder => this.#all.filter(({ state }) => state.id === holder));
        const seen = new Set([waiter]);
        const search = (path) => {
            const last = path.at(-1);
            if (this.#holdersOf(last).includes(id))
                return path.reduce((one, other) => (other.state.age > one.state.age ? other : one));
            for (const next of behind(last).toReversed()) {
                if (seen.has(next))
                    continue;
                seen.add(next);
                const victim = search([...path, next]);
                if (victim !== undefined)
                    return victim;
            }
            return undefined;
        };
        return search([waiter]);
    }
}
//# sourceMappingURL=naive-waits.js.map