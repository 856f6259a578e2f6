import { describe, expect, test } from 'vitest';
import { Grant, LockTable } from '../../src/txn/locks.js';
import { RangeLocks } from '../../src/txn/range-locks.js';
import { TransactionState } from '../../src/txn/transaction-state.js';
import { Waits } from '../../src/txn/waits.js';
import { runs, seeded } from '../support/random.js';
import { NaiveWaits } from './naive-waits.js';
const LONG = 2 ** 31;
class House {
    #ranges;
    #waits;
    #open;
    #controllers;
    #wants;
    constructor(make) {
        this.locks = new LockTable();
        this.log = [];
        this.#ranges = new RangeLocks();
        this.#open = new Map();
        this.#controllers = new Map();
        this.#wants = 0;
        this.#waits = make(this.locks);
    }
    get waiting() {
        return this.#waits.waiting;
    }
    begin(id, state = new TransactionState(id, false, true)) {
        this.#open.set(id, { state, changed: new Set() });
    }
    isOpen(id) {
        return this.#open.has(id);
    }
    ask(id, want) {
        void this.#do(id, want, this.#wants++);
    }
    async #do(id, want, number) {
        for (;;) {
            const transaction = this.#open.get(id);
            if (transaction === undefined) {
                this.log.push(`${number} is over`);
                return;
            }
            const conflict = this.#conflict(transaction, want);
            if (conflict === undefined) {
                this.log.push(`${number} has it`);
                return;
            }
            const controller = new AbortController();
            this.#controllers.set(number, controller);
            try {
                await this.#waits.wait(transaction.state, conflict, LONG, controller.signal);
                this.log.push(`${number} goes on`);
            }
            catch (error) {
                this.log.push(`${number}: ${/deadlock/.test(error.message) ? 'deadlock' : 'aborted'}`);
                if (/deadlock/.test(error.message))
                    this.end(id);
                return;
            }
            finally {
                this.#controllers.delete(number);
            }
        }
    }
    #conflict({ state, changed }, want) {
        const waits = this.#waits;
        const { locks } = this;
        if (want.kind === 'change') {
            const holders = [...this.#ranges.holdersOf(want.key, state.id), ...waits.waitersForRange(state, want.key)];
            if (holders.length > 0)
                return { holders, lock: undefined, exclusive: true, key: want.key };
            changed.add(want.key[0]);
            return undefined;
        }
        if (want.kind === 'range') {
            const { lower, upper } = want.bounds;
            const holders = [];
            for (const other of this.#open.values())
                if (other.state !== state && [...other.changed].some(key => key >= lower.key[0] && key <= upper.key[0]))
                    holders.push(other.state.id);
            holders.push(...waits.waitersForRange(state, want.bounds));
            if (holders.length > 0)
                return { holders, lock: undefined, exclusive: false, bounds: want.bounds };
            this.#ranges.add(state.id, want.bounds);
            return undefined;
        }
        const { lock, exclusive } = want;
        if (waits.waiting > 0 && !locks.isHeldBy(lock, state.id) && waits.isQueued(lock, state, exclusive))
            return {
                holders: [...locks.holders(lock, state.id, exclusive), ...waits.waitersFor(lock, state, exclusive)],
                lock,
                exclusive,
            };
        const grant = exclusive ? locks.lockExclusive(lock, state.id) : locks.lockShared(lock, state.id);
        if (grant === Grant.fresh)
            state.locks.push(lock);
        return grant === Grant.refused ? { holders: locks.holders(lock, state.id, exclusive), lock, exclusive } : undefined;
    }
    end(id) {
        const transaction = this.#open.get(id);
        if (transaction === undefined)
            return;
        const { state } = transaction;
        const waits = this.#waits;
        const lines = waits instanceof Waits ? waits.linesBehind(state) : [];
        for (const lock of state.locks)
            this.locks.release(lock, id);
        state.locks.length = 0;
        this.#ranges.release(id);
        this.#open.delete(id);
        waits.ended(state, lines);
    }
    abort(number) {
        this.#controllers.get(number)?.abort(new Error('aborted'));
    }
}
const settled = async () => {
    for (let i = 0; i < 20; i++)
        await Promise.resolve();
};
describe('waits agree with the model', () => {
    for (const ranges of [false, true])
        test(ranges ? 'for ranges and locks' : 'for locks', () => seeded(async (random) => {
            let waited = 0;
            let deadlocks = 0;
            for (let run = 0; run < 60 * runs; run++) {
                const real = new House(locks => new Waits(locks));
                const model = new House(locks => new NaiveWaits(locks));
                let next = 1;
                let wants = 0;
                const open = [];
                for (let step = 0; step < 120; step++) {
                    for (let at = open.length - 1; at >= 0; at--)
                        if (!real.isOpen(open[at]))
                            open.splice(at, 1);
                    const roll = random.below(100);
                    if (open.length < 2 || (open.length < 7 && roll < 15)) {
                        open.push(next);
                        for (const house of [real, model])
                            house.begin(next);
                        next++;
                    }
                    else if (roll < 80) {
                        const id = random.pick(open);
                        const from = random.below(6);
                        const bound = (key) => ({ key: new Uint8Array([key]), inclusive: true });
                        const want = !ranges || random.chance(0.4)
                            ? { kind: 'lock', lock: random.below(2), exclusive: random.chance(0.5) }
                            : random.chance(0.5)
                                ? { kind: 'change', key: new Uint8Array([from]) }
                                : { kind: 'range', bounds: { lower: bound(from), upper: bound(from + random.below(2)) } };
                        for (const house of [real, model])
                            house.ask(id, want);
                        wants++;
                    }
                    else if (roll < 93) {
                        const id = random.pick(open);
                        for (const house of [real, model])
                            house.end(id);
                    }
                    else {
                        const number = random.below(wants + 1);
                        for (const house of [real, model])
                            house.abort(number);
                    }
                    await settled();
                    expect(real.log).toEqual(model.log);
                    expect(real.waiting).toBe(model.waiting);
                    for (const id of [...open, next])
                        for (const lock of [0, 1]) {
                            expect(real.locks.isHeldBy(lock, id)).toBe(model.locks.isHeldBy(lock, id));
                            expect(real.locks.exclusiveOwner(lock)).toBe(model.locks.exclusiveOwner(lock));
                        }
                    waited += real.waiting;
                }
                deadlocks += real.log.filter(line => line.endsWith('deadlock')).length;
                for (const id of open)
                    for (const house of [real, model])
                        house.end(id);
                await settled();
                while (real.waiting > 0 || model.waiting > 0) {
                    for (let id = 1; id < next; id++)
                        for (const house of [real, model])
                            house.end(id);
                    await settled();
                }
                expect(real.log).toEqual(model.log);
                expect([real.locks.size, real.locks.exclusive]).toEqual([0, 0]);
            }
            expect(waited).toBeGreaterThan(500);
            expect(deadlocks).toBeGreaterThan(10);
        }));
});
class Looks {
    constructor() {
        this.count = 0;
    }
    state(id) {
        const state = new TransactionState(id, false, true);
        Object.defineProperty(state, 'id', {
            get: () => {
                this.count++;
                return id;
            },
        });
        return state;
    }
}
const looksAtALine = async (length, want, leave) => {
    const looks = new Looks();
    const house = new House(locks => new Waits(locks));
    house.begin(1, looks.state(1));
    for (let n = 0; n < length; n++)
        house.ask(1, opposite(want(n)));
    for (let n = 0; n < length; n++) {
        house.begin(n + 2, looks.state(n + 2));
        house.ask(n + 2, want(n));
    }
    expect(house.waiting).toBe(length);
    if (leave === 'abort')
        for (let n = 0; n < length; n++)
            house.abort(length + n);
    for (let id = 1; id <= length + 1; id++) {
        house.end(id);
        await settled();
    }
    expect(house.waiting).toBe(0);
    const ends = leave === 'abort' ? 'aborted' : 'has it';
    expect(house.log.filter(line => line.endsWith(ends)).length).toBeGreaterThanOrEqual(length);
    return looks.count;
};
const opposite = (want) => {
    if (want.kind === 'lock')
        return { ...want, exclusive: true };
    const bound = { key: new Uint8Array([7]), inclusive: true };
    return { kind: 'range', bounds: { lower: bound, upper: bound } };
};
describe('a line of 4,000 looks at transactions four times as often as one of 1,000', () => {
    const bytes = new Uint8Array([7]);
    const wants = [
        ['for one lock', () => ({ kind: 'lock', lock: 1, exclusive: true })],
        ['for one lock, shared', () => ({ kind: 'lock', lock: 1, exclusive: false })],
        ['for one lock, shared and exclusive in turn', n => ({ kind: 'lock', lock: 1, exclusive: n % 2 === 0 })],
        ['for a lock each', n => ({ kind: 'lock', lock: n, exclusive: true })],
        ['to change a key of a range', () => ({ kind: 'change', key: bytes })],
    ];
    for (const [name, want] of wants)
        for (const leave of ['in turn', 'abort'])
            test(`${name}, ${leave === 'abort' ? 'given up' : 'served'}`, async () => {
                const few = await looksAtALine(1000, want, leave);
                const many = await looksAtALine(4000, want, leave);
                expect(many).toBeLessThan(4.2 * few);
                expect(many).toBeLessThan(60 * 4000);
            });
});
//# sourceMappingURL=waits.test.js.map