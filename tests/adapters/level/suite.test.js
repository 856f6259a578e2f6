import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { XenonLevel } from '../../../src/adapters/level/index.js';
import { tape } from './tape.js';
const suite = createRequire(import.meta.url)('abstract-level/test');
const parent = mkdtempSync(join(process.env.XENON_TMP ?? tmpdir(), 'xenon-level-'));
afterAll(() => rmSync(parent, { recursive: true, force: true }));
const tally = { tests: 0, assertions: 0 };
let databases = 0;
class FastLevel extends XenonLevel {
    async _open(options) {
        await super._open({ ...options, durability: 'none', cacheBytes: 262144, logSegmentBytes: 65536 });
    }
}
suite({
    test: tape(tally),
    factory: options => new FastLevel(join(parent, String(databases++)), options),
});
test('it made more than 5,000 assertions, and all held', () => {
    expect(tally.assertions).toBeGreaterThan(5_000);
    console.log(`abstract-level: ${tally.tests} tests, ${tally.assertions} assertions, ${databases} databases`);
});
//# sourceMappingURL=suite.test.js.map