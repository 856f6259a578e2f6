var __rewriteRelativeImportExtension = (this && this.__rewriteRelativeImportExtension) || function (path, preserveJsx) {
    if (typeof path === "string" && /^\.\.?\//.test(path)) {
        return path.replace(/\.(tsx)$|((?:\.d)?)((?:\.[^./]+?)?)\.([cm]?)ts$/i, function (m, tsx, d, ext, cm) {
            return tsx ? preserveJsx ? ".jsx" : ".js" : d && (!ext || !cm) ? m : (d + ext + "." + cm.toLowerCase() + "js");
        });
    }
    return path;
};
import { openSqlite } from './sqlite.js';
const { DatabaseSync } = (await import(__rewriteRelativeImportExtension('node:sqlite')));
export function openStore(options) {
    return openSqlite(openDriver, options);
}
function openDriver(path) {
    const db = new DatabaseSync(path);
    const prepare = (source) => {
        const statement = db.prepare(source);
        statement.setReturnArrays(true);
        return statement;
    };
    return {
        exec: source => db.exec(source),
        run(source) {
            const statement = db.prepare(source);
            return (...parameters) => statement.run(...parameters);
        },
        first(source) {
            const statement = prepare(source);
            return (...parameters) => statement.get(...parameters)?.[0];
        },
        rows(source) {
            const statement = prepare(source);
            return (...parameters) => statement.all(...parameters);
        },
        column(source) {
            const statement = prepare(source);
            return (...parameters) => statement.all(...parameters).map(([key]) => key);
        },
        close: () => db.close(),
    };
}
//# sourceMappingURL=node-sqlite.js.map