import { open } from '../../support/xenondb.js';
import { IN_FLIGHT, inGroups, keepInFlight, NOT_SUPPORTED } from './store.js';
export function openStore(options) {
    return openWith(options, true);
}
export function openUnordered(options) {
    return openWith(options, false);
}
function openWith({ directory, durability, memoryBytes }, ordered) {
    const pool = memoryBytes === undefined ? {} : { cacheBytes: memoryBytes / 2 };
    const db = open(directory, { durability, ordered, ...pool });
    const ranges = db;
    return {
        get: key => db.get(key),
        put: (key, value) => db.put(key, value),
        putAsync: (key, value) => db.async.put(key, value),
        putEach(keys, values) {
            for (let at = 0; at < keys.length; at += 1)
                db.put(keys[at], values[at]);
        },
        putBatch(keys, values) {
            db.batch(keys.map((key, at) => ({ type: 'put', key, value: values[at] })));
        },
        transactions(keys, values, size) {
            for (let from = 0; from < keys.length; from += size) {
                db.transaction(tx => {
                    for (let at = from; at < from + size; at += 1)
                        tx.put(keys[at], values[at]);
                });
            }
        },
        entries(from, limit) {
            if (ranges.entries === undefined)
                throw notSupported('entries');
            let characters = 0;
            for (const [key, value] of ranges.entries(rangeOf(from, limit)))
                characters += key.length + value.length;
            return characters;
        },
        keys(from, limit) {
            if (ranges.keys === undefined)
                throw notSupported('keys');
            let characters = 0;
            for (const key of ranges.keys(rangeOf(from, limit)))
                characters += key.length;
            return characters;
        },
        async compact() {
            if (ranges.compact === undefined)
                throw notSupported('compact');
            await ranges.compact();
        },
        deleteBatch(keys) {
            db.batch(keys.map(key => ({ type: 'delete', key })));
        },
        inFlight: {
            'putAsync, groups': (keys, values) => inGroups(keys, IN_FLIGHT, (from, to) => {
                const pending = [];
                for (let at = from; at < to; at += 1)
                    pending.push(db.async.put(keys[at], values[at]));
                return Promise.all(pending);
            }),
            'putAsync, always 256': (keys, values) => keepInFlight(keys, values, IN_FLIGHT, (key, value) => db.async.put(key, value)),
        },
        grouped: {},
        async close() {
            db.close();
        },
    };
}
function rangeOf(gte, limit) {
    return Number.isFinite(limit) ? { gte, limit } : { gte };
}
function notSupported(member) {
    return Object.assign(new Error(`this build of xenondb has no ${member}() yet`), { code: NOT_SUPPORTED });
}
//# sourceMappingURL=xenondb.js.map