import { mkdtempSync, readdirSync, rmSync, statfsSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repositoryRoot } from './paths.js';
const TMPFS = 0x01021994;
const created = new Set();
let watching = false;
export function makeTemporaryDirectory() {
    removeAtEnd();
    const directory = mkdtempSync(join(base(), '.xenon-bench-'));
    created.add(directory);
    return directory;
}
export function removeTemporaryDirectory(directory) {
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    created.delete(directory);
}
export function allocatedBytes(path) {
    const entry = statSync(path);
    if (!entry.isDirectory())
        return entry.blocks * 512;
    return readdirSync(path).reduce((sum, name) => sum + allocatedBytes(join(path, name)), 0);
}
function base() {
    return statfsSync(repositoryRoot).type === TMPFS ? tmpdir() : repositoryRoot;
}
function removeAtEnd() {
    if (watching)
        return;
    watching = true;
    process.on('exit', () => {
        for (const directory of created)
            removeTemporaryDirectory(directory);
    });
    process.on('SIGINT', () => process.exit(130));
    process.on('SIGTERM', () => process.exit(143));
}
//# sourceMappingURL=temp.js.map