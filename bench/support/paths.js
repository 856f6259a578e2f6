import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
export const repositoryRoot = findRoot(dirname(fileURLToPath(import.meta.url)));
export const resultsDirectory = join(repositoryRoot, 'bench', 'results');
export const quickResultsDirectory = join(resultsDirectory, 'tmp');
export const peersDirectory = join(repositoryRoot, 'bench', 'peers');
function findRoot(from) {
    const manifest = join(from, 'package.json');
    if (existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).name === 'xenondb')
        return from;
    const parent = dirname(from);
    if (parent === from)
        throw new Error('bench: the package.json of xenondb was not found above the benchmarks');
    return findRoot(parent);
}
//# sourceMappingURL=paths.js.map