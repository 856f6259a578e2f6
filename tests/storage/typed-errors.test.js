import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { convert, open, salvage, XenonError } from '../../src/index.js';
import { runs } from '../support/random.js';
const { CALLS, fault } = vi.hoisted(() => ({
    CALLS: [
        'openSync',
        'closeSync',
        'readSync',
        'writeSync',
        'writevSync',
        'fstatSync',
        'lstatSync',
        'statSync',
        'realpathSync',
        'fdatasync',
        'fdatasyncSync',
        'fsyncSync',
        'ftruncateSync',
        'linkSync',
        'renameSync',
        'unlinkSync',
        'mkdirSync',
        'readdirSync',
    ],
    fault: {
        on: false,
        call: '',
        after: 0,
        code: 'EIO',
        struck: '',
        counts: {},
    },
}));
vi.mock('node:fs', async (importOriginal) => {
    const real = await importOriginal();
    const failing = (name, work) => Object.assign((...args) => {
        if (!fault.on)
            return work(...args);
        const number = fault.counts[name] ?? 0;
        fault.counts[name] = number + 1;
        if (name !== fault.call || number !== fault.after)
            return work(...args);
        fault.struck = String(args[0]);
        const error = Object.assign(new Error(`${fault.code}: i/o error, ${name}`), {
            code: fault.code,
            syscall: name,
        });
        if (name === 'closeSync')
            work(...args);
        const done = args.at(-1);
        if (name !== 'fdatasync' || typeof done !== 'function')
            throw error;
        setImmediate(() => done(error));
        return undefined;
    }, work);
    const mocked = { ...real };
    for (const name of CALLS)
        if (name !== 'realpathSync')
            mocked[name] = failing(name, real[name]);
    const { native } = real.realpathSync;
    mocked.realpathSync = Object.assign(failing('realpathSync', real.realpathSync), {
        native: failing('realpathSync', native),
    });
    return mocked;
});
const VALUE = 'v'.repeat(1500);
const OPTIONS = {
    durability: 'power',
    cacheBytes: 65_536,
    checkpointBytes: 131_072,
    logSegmentBytes: 131_072,
};
const live = async (top) => {
    const directory = join(top, 'deep/db');
    const acknowledged = new Set();
    const errors = [];
    const attempt = async (work) => {
        try {
            await work();
        }
        catch (error) {
            errors.push(error);
        }
    };
    let db;
    const opened = () => {
        if (db === undefined || db.closed)
            db = open(directory, OPTIONS);
        return db;
    };
    const put = async (from, to) => {
        for (let i = from; i < to; i++) {
            opened().put(`key ${i}`, VALUE);
            acknowledged.add(`key ${i}`);
        }
    };
    await attempt(() => put(0, 40));
    await attempt(() => open(directory).close());
    await attempt(() => opened()
        .async.put('aside', VALUE)
        .then(() => acknowledged.add('aside')));
    await attempt(() => opened().checkpoint());
    await attempt(() => put(40, 120));
    await attempt(() => opened().flush());
    await attempt(() => opened().backup(join(top, 'copy')));
    await attempt(() => opened().verify());
    await attempt(() => opened().compact());
    await attempt(() => opened().stats());
    await attempt(() => db?.close());
    await attempt(() => open(directory, { ...OPTIONS, readOnly: true }).close());
    await attempt(() => put(120, 130));
    await attempt(() => db?.close());
    await attempt(() => salvage(directory, join(top, 'rescued')));
    await attempt(() => convert(directory, { ordered: false }));
    return { acknowledged, errors };
};
const descriptors = () => readdirSync('/proc/self/fd').length;
const withFault = async (call, after, code) => {
    const top = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'xenon-typed-'));
    const before = descriptors();
    try {
        Object.assign(fault, { on: true, call, after, code, struck: '', counts: {} });
        const outcome = await live(top);
        fault.on = false;
        const where = `${call} number ${after} (${fault.struck}), ${code}`;
        await vi.waitFor(() => expect(descriptors(), `descriptors after ${where}`).toBeLessThanOrEqual(before));
        for (const error of outcome.errors) {
            const text = error instanceof Error ? `${error.stack}\n${error.cause?.stack}` : String(error);
            expect(error instanceof XenonError, `${where}: ${text}`).toBe(true);
        }
        const db = open(join(top, 'deep/db'), { lockWait: 1000 });
        for (const key of outcome.acknowledged)
            expect(db.get(key), `${key} after ${where}`).toBe(VALUE);
        expect((await db.verify()).problems, where).toEqual([]);
        db.close();
        return { ...outcome, counts: fault.counts };
    }
    finally {
        fault.on = false;
        rmSync(top, { recursive: true, force: true });
    }
};
const MOST = 5 * runs;
test('a life without a fault meets none, and makes every call', async () => {
    const { errors, acknowledged, counts } = await withFault('none', 0, 'EIO');
    expect(errors).toEqual([expect.objectContaining({ code: 'XENON_LOCKED' })]);
    expect(acknowledged.size).toBe(131);
    expect(CALLS.filter(call => !counts[call])).toEqual([]);
    expect(descriptors()).toBeGreaterThan(0);
});
test.each(CALLS)('%s fails once, at each of the places where it is called', async (call) => {
    const { counts } = await withFault('none', 0, 'EIO');
    const total = counts[call];
    const step = Math.max(1, total / MOST);
    let struck = 0;
    for (let at = 0; at < total; at += step) {
        await withFault(call, Math.floor(at), struck % 3 === 2 ? 'EACCES' : 'EIO');
        struck++;
    }
    expect(struck).toBeGreaterThan(0);
});
//# sourceMappingURL=typed-errors.test.js.map