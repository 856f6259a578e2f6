import { describe, expect, test } from 'vitest';
import { open } from '../../src/index.js';
import { FaultDisk } from '../../src/testing/fault.js';
const options = { cacheBytes: 65536, checkpointBytes: 2 ** 19, logSegmentBytes: 131072 };
describe('a sync that finds the disk full stops the handle, as any failed sync does', () => {
    const syncs = [
        ['of images', 'sync', /images-/],
        ['of the name of their file', 'syncDirectory', /log$/],
        ['of the data file', 'sync', /data$/],
        ['of the log', 'sync', /\.log$/],
    ];
    for (const [what, kind, path] of syncs)
        test(what, async () => {
            const disk = new FaultDisk();
            const db = open('db', { ...options, storage: disk.storage, durability: 'process' });
            disk.inject({ effect: 'ENOSPC', kinds: [kind], path, after: 0 });
            const put = () => {
                for (let i = 0; i < 4000; i++)
                    db.put(`key ${(i * 7919) % 600}`, `${i}`.repeat(20));
            };
            expect(put).toThrow();
            expect(disk.rules.struck).toBe(1);
            expect(() => db.put('more', 'x')).toThrow(expect.objectContaining({ code: 'XENON_FAILED' }));
            await expect(db.checkpoint()).rejects.toMatchObject({ code: 'XENON_FAILED' });
            db.close();
            open('db', { storage: disk.storage }).close();
        });
});
//# sourceMappingURL=sync-finds-disk-full.test.js.map