import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
export function choosePlace(directory) {
    if (directory === undefined) {
        const temporary = mkdtempSync(join(tmpdir(), 'xenondb-'));
        const leave = () => rmSync(temporary, { recursive: true, force: true });
        return { directory: temporary, kept: false, database: name => join(temporary, name), leave };
    }
    const named = resolve(directory);
    for (const name of ['students', 'cities']) {
        if (existsSync(join(named, name)))
            throw new Error(`${join(named, name)} exists; name a fresh directory`);
    }
    mkdirSync(named, { recursive: true });
    return { directory: named, kept: true, database: name => join(named, name), leave() { } };
}
//# sourceMappingURL=places.js.map