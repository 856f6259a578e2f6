import { expect, test } from 'vitest';
import { open } from '../../src/index.js';
import { FaultDisk } from '../../src/testing/fault.js';
import { expectVerified } from '../support/database.js';
import { expectEqual } from '../support/model.js';
test('a segment with half a header is kept when a full disk leaves no room for the checkpoint', async () => {
    const options = { checkpointBytes: 2 ** 26, durability: 'process' };
    const disk = new FaultDisk({ capacity: 2 ** 28 });
    const db = open('db', { ...options, storage: disk.storage });
    const records = new Map();
    for (let i = 0; i < 3000; i++) {
        db.put(`key ${i}`, 'x'.repeat(100));
        records.set(`key ${i}`, 'x'.repeat(100));
    }
    await db.flush();
    const killed = disk.kill();
    const names = killed.storage.list('db/log').filter(name => name.endsWith('.log'));
    for (const name of names)
        killed.flip(`db/log/${name}`, 8 * 276);
    const taken = ['data', 'lock', ...killed.storage.list('db/log').map(name => `log/${name}`)]
        .filter(name => killed.storage.kind(`db/${name}`) === 'file')
        .reduce((sum, name) => sum + killed.bytes(`db/${name}`).length, 0);
    killed.capacity = taken + 65536;
    killed.storage.remove('db/log/reserve');
    killed.capacity -= 2 ** 20;
    const full = open('db', { ...options, storage: killed.storage });
    expect(full.stats().disk).toMatchObject({ full: true });
    expectEqual(full, records);
    const again = killed.kill();
    again.capacity = 2 ** 28;
    const after = open('db', { storage: again.storage });
    expectEqual(after, records);
    await expectVerified(after, records.size);
    after.close();
});
//# sourceMappingURL=half-header-full-disk.test.js.map