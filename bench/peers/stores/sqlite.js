import { IN_FLIGHT, inGroups } from './store.js';
const PRAGMAS = [
    'page_size = 4096',
    'locking_mode = EXCLUSIVE',
    'journal_mode = WAL',
    'wal_autocheckpoint = 16384',
    'mmap_size = 4294967296',
    'temp_store = MEMORY',
];
export function openSqlite(openDriver, { directory, durability, memoryBytes }) {
    const db = openDriver(`${directory}/sqlite.db`);
    for (const pragma of PRAGMAS)
        db.exec(`PRAGMA ${pragma}`);
    db.exec(`PRAGMA cache_size = -${memoryBytes === undefined ? 1_048_576 : Math.floor(memoryBytes / 4096)}`);
    db.exec(`PRAGMA synchronous = ${durability === 'power' ? 'FULL' : 'OFF'}`);
    db.exec('CREATE TABLE IF NOT EXISTS kv (k TEXT PRIMARY KEY, v TEXT NOT NULL) WITHOUT ROWID');
    const put = db.run('REPLACE INTO kv VALUES (?, ?)');
    const remove = db.run('DELETE FROM kv WHERE k = ?');
    const range = (columns, comparison) => `SELECT ${columns} FROM kv WHERE k ${comparison} ? ORDER BY k LIMIT ?`;
    const entries = { from: db.rows(range('k, v', '>=')), after: db.rows(range('k, v', '>')) };
    const keysOnly = { from: db.column(range('k', '>=')), after: db.column(range('k', '>')) };
    const begin = db.run('BEGIN IMMEDIATE');
    const commit = db.run('COMMIT');
    const putRange = (keys, values, from, to) => {
        begin();
        for (let at = from; at < to; at += 1)
            put(keys[at], values[at]);
        commit();
    };
    return {
        get: db.first('SELECT v FROM kv WHERE k = ?'),
        put(key, value) {
            put(key, value);
        },
        putEach(keys, values) {
            for (let at = 0; at < keys.length; at += 1)
                put(keys[at], values[at]);
        },
        putBatch: (keys, values) => putRange(keys, values, 0, keys.length),
        transactions(keys, values, size) {
            for (let from = 0; from < keys.length; from += size)
                putRange(keys, values, from, from + size);
        },
        entries(from, limit) {
            let characters = 0;
            readPieces(entries, from, limit, ([key, value]) => {
                characters += key.length + value.length;
                return key;
            });
            return characters;
        },
        keys(from, limit) {
            let characters = 0;
            readPieces(keysOnly, from, limit, key => {
                characters += key.length;
                return key;
            });
            return characters;
        },
        deleteBatch(keys) {
            begin();
            for (const key of keys)
                remove(key);
            commit();
        },
        inFlight: {},
        grouped: {
            'one transaction per 256': (keys, values) => inGroups(keys, IN_FLIGHT, async (from, to) => putRange(keys, values, from, to)),
        },
        async close() {
            db.close();
        },
    };
}
const PIECE = 1000;
function readPieces(read, from, limit, visit) {
    let last = from;
    let next = read.from;
    for (let rest = limit; rest > 0; rest -= PIECE) {
        const rows = next(last, Math.min(rest, PIECE));
        for (const row of rows)
            last = visit(row);
        if (rows.length < PIECE)
            break;
        next = read.after;
    }
}
//# sourceMappingURL=sqlite.js.map