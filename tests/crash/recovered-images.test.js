import { expect, test } from 'vitest';
import { open } from '../../src/index.js';
import { FaultDisk } from '../../src/testing/fault.js';
import { expectVerified } from '../support/database.js';
import { expectEqual } from '../support/model.js';
test('blocks that are written after a recovery are not guarded by images from the middle of it', async () => {
    for (let seed = 1; seed <= 4; seed++) {
        const disk = new FaultDisk({ seed });
        const db = open('db', { storage: disk.storage, durability: 'process', checkpointBytes: 2 ** 23 });
        const records = new Map();
        const put = (to, i, value) => {
            to.put(`key ${i}`, value);
            records.set(`key ${i}`, value);
        };
        for (let i = 0; i < 600; i++)
            put(db, (i * 7919) % 600, `${i}`.repeat(20));
        await db.flush();
        const killed = disk.kill();
        const recovered = open('db', {
            storage: killed.storage,
            durability: 'process',
            cacheBytes: 65536,
            checkpointBytes: 2 ** 23,
        });
        expect(recovered.stats().recovery.needed).toBe(true);
        for (let n = 0; n < 12; n++) {
            put(recovered, (seed * 31 + n * 17) % 600, `changed ${n}`);
            for (let i = 0; i < 600; i += 3)
                recovered.get(`key ${(i * 13 + n) % 600}`);
        }
        await recovered.flush();
        for (const policy of ['sectors', 'garbage', 'prefix']) {
            const after = open('db', { storage: killed.crash(policy).storage });
            expectEqual(after, records);
            await expectVerified(after, records.size);
            after.close();
        }
    }
});
//# sourceMappingURL=recovered-images.test.js.map