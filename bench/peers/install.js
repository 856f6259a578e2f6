import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { peersDirectory } from '../support/paths.js';
import { findSqlite } from './node.js';
export function installPeers(stores) {
    installPackages();
    const missing = stores.includes('node-sqlite') ? findSqlite() : undefined;
    if (missing === undefined)
        return [...stores];
    console.error(`node-sqlite is SKIPPED: ${missing}`);
    return stores.filter(store => store !== 'node-sqlite');
}
function installPackages() {
    const installed = join(peersDirectory, 'node_modules', '.package-lock.json');
    const wanted = join(peersDirectory, 'package-lock.json');
    if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(wanted).mtimeMs)
        return;
    console.error('peers: running npm ci in bench/peers; SQLite is compiled, which takes a minute or two …');
    const { status } = spawnSync('npm', ['ci', '--no-fund', '--no-audit'], {
        cwd: peersDirectory,
        stdio: ['ignore', 'inherit', 'inherit'],
        shell: process.platform === 'win32',
    });
    if (status !== 0)
        throw new Error('peers: npm ci in bench/peers failed; see above');
}
//# sourceMappingURL=install.js.map