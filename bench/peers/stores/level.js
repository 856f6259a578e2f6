import { IN_FLIGHT, inGroups, keepInFlight, requirePeer } from './store.js';
const { ClassicLevel } = requirePeer('classic-level');
const MIB = 2 ** 20;
export function openStore(options) {
    return openLevel(options, (db, fill, sync) => {
        const batch = db.batch();
        fill(batch);
        return batch.write({ sync });
    });
}
export function openStoreWithArrays(options) {
    return openLevel(options, (db, fill, sync) => {
        const operations = [];
        fill({
            put: (key, value) => operations.push({ type: 'put', key, value }),
            del: key => operations.push({ type: 'del', key }),
        });
        return db.batch(operations, { sync });
    });
}
async function openLevel({ directory, durability, memoryBytes }, write) {
    const db = new ClassicLevel(`${directory}/level`, {
        writeBufferSize: 16 * MIB,
        cacheSize: memoryBytes === undefined ? 512 * MIB : memoryBytes / 4,
        maxOpenFiles: 5000,
    });
    await db.open();
    const sync = durability === 'power';
    const put = (key, value) => db.put(key, value, { sync });
    const putRange = (keys, values, from, to) => write(db, batch => {
        for (let at = from; at < to; at += 1)
            batch.put(keys[at], values[at]);
    }, sync);
    return {
        get: key => db.getSync(key),
        put,
        putAsync: put,
        async putEach(keys, values) {
            for (let at = 0; at < keys.length; at += 1)
                await put(keys[at], values[at]);
        },
        putBatch: (keys, values) => putRange(keys, values, 0, keys.length),
        async transactions(keys, values, size) {
            for (let from = 0; from < keys.length; from += size)
                await putRange(keys, values, from, from + size);
        },
        async entries(from, limit) {
            let characters = 0;
            await drain(db.iterator(rangeOf(from, limit)), limit, ([key, value]) => {
                characters += key.length + value.length;
            });
            return characters;
        },
        async keys(from, limit) {
            let characters = 0;
            await drain(db.keys(rangeOf(from, limit)), limit, key => {
                characters += key.length;
            });
            return characters;
        },
        deleteBatch: keys => write(db, batch => {
            for (const key of keys)
                batch.del(key);
        }, sync),
        inFlight: {
            'put, always 256': (keys, values) => keepInFlight(keys, values, IN_FLIGHT, put),
        },
        grouped: {
            'one batch per 256': (keys, values) => inGroups(keys, IN_FLIGHT, (from, to) => putRange(keys, values, from, to)),
        },
        close: () => db.close(),
    };
}
function rangeOf(gte, limit) {
    return { gte, limit: Number.isFinite(limit) ? limit : -1, highWaterMarkBytes: 4 * MIB };
}
async function drain(reader, limit, visit) {
    const size = Math.min(limit, 1000);
    for (let seen = 0; seen < limit;) {
        const items = await reader.nextv(size);
        if (items.length === 0)
            break;
        for (const item of items)
            visit(item);
        seen += items.length;
    }
    await reader.close();
}
//# sourceMappingURL=level.js.map