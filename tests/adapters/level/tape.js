import { isDeepStrictEqual } from 'node:util';
import { test } from 'vitest';
export function tape(tally) {
    return (name, body) => {
        test(name, async () => {
            tally.tests++;
            await run(body, tally);
        });
    };
}
async function run(body, tally) {
    const t = new Assertions(tally);
    const result = body(t);
    if (isPromise(result))
        await result;
    if (!isPromise(result) || t.planned !== undefined)
        await t.over;
    await new Promise(resolve => setImmediate(resolve));
    if (t.planned !== undefined && t.count !== t.planned)
        throw new Error(`${t.planned} assertions were planned, ${t.count} made`);
    if (t.failures.length > 0)
        throw t.failures[0];
}
class Assertions {
    constructor(tally) {
        this.count = 0;
        this.failures = [];
        this.finish = () => { };
        this.tally = tally;
        this.over = new Promise(resolve => {
            this.finish = resolve;
        });
    }
    plan(count) {
        this.planned = count;
        if (count === 0)
            this.finish();
    }
    end(error) {
        if (error !== undefined)
            this.check(false, `ended with ${String(error)}`);
        this.finish();
    }
    async test(_name, body) {
        await run(body, this.tally);
        this.check(true, '');
    }
    ok(value, message) {
        this.check(Boolean(value), message ?? `${String(value)} is not true`);
    }
    pass() {
        this.check(true, '');
    }
    fail(message) {
        this.check(false, message instanceof Error ? String(message.stack) : String(message));
    }
    is(actual, expected, message = '') {
        this.check(Object.is(actual, expected), `${message}: ${show(actual)} is not ${show(expected)}`);
    }
    isNot(actual, expected, message = '') {
        this.check(!Object.is(actual, expected), `${message}: ${show(actual)} was not expected`);
    }
    same(actual, expected, message = '') {
        this.check(isDeepStrictEqual(actual, expected), `${message}: ${show(actual)} is not like ${show(expected)}`);
    }
    throws(action, expected, message = '') {
        try {
            action();
        }
        catch (error) {
            const fits = expected === undefined || (expected instanceof RegExp ? expected.test(String(error)) : expected(error) === true);
            this.check(fits, `${message}: threw ${String(error)}`);
            return;
        }
        this.check(false, `${message}: threw nothing`);
    }
    doesNotThrow(action, message = '') {
        try {
            action();
            this.check(true, '');
        }
        catch (error) {
            this.check(false, `${message}: threw ${String(error)}`);
        }
    }
    check(holds, message) {
        this.count++;
        if (holds)
            this.tally.assertions++;
        else
            this.failures.push(new Error(message));
        if (this.count === this.planned)
            this.finish();
    }
}
function isPromise(value) {
    return typeof value?.then === 'function';
}
function show(value) {
    return typeof value === 'string' ? JSON.stringify(value) : String(value);
}
//# sourceMappingURL=tape.js.map