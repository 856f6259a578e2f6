import { IN_FLIGHT, inGroups, keepInFlight, requirePeer } from './store.js';
const SYNCHRONOUS_COMMIT = 2;
const { open } = requirePeer('lmdb');
const NOT_FSYNCED = { noSync: true, useWritemap: true, noMemInit: true };
const DURABLE = { overlappingSync: false, noMemInit: true };
export function openStore({ directory, durability, memoryBytes }) {
    const db = open({
        path: `${directory}/lmdb`,
        noSubdir: false,
        encoding: 'string',
        ...(durability === 'power' ? DURABLE : NOT_FSYNCED),
        noReadAhead: memoryBytes !== undefined,
    });
    const putRange = (keys, values, from, to) => {
        for (let at = from; at < to; at += 1)
            db.put(keys[at], values[at]);
    };
    return {
        get: key => db.get(key),
        put: (key, value) => db.putSync(key, value),
        putAsync: (key, value) => db.put(key, value),
        putEach(keys, values) {
            for (let at = 0; at < keys.length; at += 1)
                db.putSync(keys[at], values[at]);
        },
        putBatch(keys, values) {
            db.transactionSync(() => putRange(keys, values, 0, keys.length), SYNCHRONOUS_COMMIT);
        },
        transactions(keys, values, size) {
            for (let from = 0; from < keys.length; from += size) {
                db.transactionSync(() => putRange(keys, values, from, from + size), SYNCHRONOUS_COMMIT);
            }
        },
        entries(from, limit) {
            let characters = 0;
            for (const { key, value } of db.getRange({ start: from, limit }))
                characters += key.length + value.length;
            return characters;
        },
        keys(from, limit) {
            let characters = 0;
            for (const key of db.getKeys({ start: from, limit }))
                characters += key.length;
            return characters;
        },
        deleteBatch(keys) {
            db.transactionSync(() => {
                for (const key of keys)
                    db.remove(key);
            }, SYNCHRONOUS_COMMIT);
        },
        inFlight: {
            'put, groups': (keys, values) => inGroups(keys, IN_FLIGHT, (from, to) => {
                const pending = [];
                for (let at = from; at < to; at += 1)
                    pending.push(db.put(keys[at], values[at]));
                return Promise.all(pending);
            }),
            'put, always 256': (keys, values) => keepInFlight(keys, values, IN_FLIGHT, (key, value) => db.put(key, value)),
        },
        grouped: {
            'one transaction per 256': (keys, values) => inGroups(keys, IN_FLIGHT, async (from, to) => {
                db.transactionSync(() => putRange(keys, values, from, to), SYNCHRONOUS_COMMIT);
            }),
        },
        close: () => db.close(),
    };
}
//# sourceMappingURL=lmdb.js.map