import { spawnSync } from 'node:child_process';
let withSqlite;
export function nodeFor(store) {
    return store === 'node-sqlite' ? (withSqlite ?? process.execPath) : process.execPath;
}
export function findSqlite() {
    const named = process.env.XENON_BENCH_NODE;
    if (named !== undefined) {
        withSqlite = named;
        return hasSqlite(named) ? undefined : `XENON_BENCH_NODE: ${named} has no node:sqlite`;
    }
    if (hasSqlite(process.execPath))
        return undefined;
    withSqlite = execPathOf('npx', ['--yes', 'node@24']);
    if (withSqlite !== undefined && hasSqlite(withSqlite))
        return undefined;
    return `Node ${process.version} has no node:sqlite, and npx node@24 gives none; XENON_BENCH_NODE may name another Node`;
}
function hasSqlite(node) {
    return spawnSync(node, ['--eval', "require('node:sqlite')"], { stdio: 'ignore' }).status === 0;
}
function execPathOf(command, parameters) {
    const { status, stdout } = spawnSync(command, [...parameters, '--print', 'process.execPath'], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
        shell: process.platform === 'win32',
    });
    return status === 0 ? stdout.trim() : undefined;
}
//# sourceMappingURL=node.js.map