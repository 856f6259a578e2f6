import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { withDirectory } from '../support/directory.js';
test('after a value of 12 MiB was written or read, by whichever way, nothing is left of it', { timeout: 120_000 }, () => withDirectory(directory => {
    const script = fileURLToPath(new URL('./large-value-kept.mjs', import.meta.url));
    const child = spawnSync(process.execPath, ['--expose-gc', script, directory], { encoding: 'utf8' });
    expect(child.stderr).toBe('');
    const left = JSON.parse(child.stdout);
    expect(Object.keys(left).length).toBeGreaterThan(10);
    expect(Object.entries(left).filter(([, megabytes]) => megabytes > 6)).toEqual([]);
}));
//# sourceMappingURL=large-value-kept.test.js.map