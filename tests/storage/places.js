import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
export function freshDirectory() {
    const directory = mkdtempSync(join(tmpdir(), 'xenondb-storage-'));
    afterAll(() => rmSync(directory, { recursive: true, force: true }));
    return directory;
}
export function bytes(text) {
    return new TextEncoder().encode(text);
}
export function text(content) {
    return new TextDecoder().decode(content);
}
export function thrown(action) {
    try {
        action();
    }
    catch (error) {
        return error;
    }
    throw new Error('nothing was thrown');
}
//# sourceMappingURL=places.js.map