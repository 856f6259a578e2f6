import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
export async function withDirectory(body) {
    const directory = mkdtempSync(join(process.env.XENON_TMP ?? tmpdir(), 'xenon-test-'));
    try {
        return await body(directory);
    }
    finally {
        rmSync(directory, { recursive: true, force: true });
    }
}
//# sourceMappingURL=directory.js.map