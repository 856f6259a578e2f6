import { openSqlite } from './sqlite.js';
import { requirePeer } from './store.js';
const Database = requirePeer('better-sqlite3');
export function openStore(options) {
    return openSqlite(openDriver, options);
}
function openDriver(path) {
    const db = new Database(path);
    return {
        exec: source => db.exec(source),
        run(source) {
            const statement = db.prepare(source);
            return (...parameters) => statement.run(...parameters);
        },
        first(source) {
            const statement = db.prepare(source).pluck();
            return (...parameters) => statement.get(...parameters);
        },
        rows(source) {
            const statement = db.prepare(source).raw();
            return (...parameters) => statement.all(...parameters);
        },
        column(source) {
            const statement = db.prepare(source).pluck();
            return (...parameters) => statement.all(...parameters);
        },
        close: () => db.close(),
    };
}
//# sourceMappingURL=better-sqlite3.js.map