import { expect, test } from 'vitest';
import { FaultDisk } from '../../src/testing/fault.js';
const written = new Uint8Array([1, 2, 3]);
async function syncAside(seed) {
    const disk = new FaultDisk({ seed, syncsAside: true });
    const file = disk.storage.open('file', { create: true });
    file.sync();
    disk.storage.syncDirectory('');
    file.write(written, 0, written.length, 0);
    const size = () => disk.crash('none').bytes('file').length;
    const ended = file.syncAsync();
    const during = size();
    await ended;
    return { during, after: size() };
}
test('a sync aside makes durable by its end what was written before it, perhaps no earlier', async () => {
    const results = await Promise.all(Array.from({ length: 100 }, (_, seed) => syncAside(seed)));
    expect(new Set(results.map(({ after }) => after))).toEqual(new Set([written.length]));
    expect(new Set(results.map(({ during }) => during))).toEqual(new Set([0, written.length]));
});
test('a sync aside of several turns leaves unsynced what is written meanwhile', async () => {
    let between = 0;
    for (let seed = 0; seed < 50; seed++) {
        const disk = new FaultDisk({ seed, syncsAside: true, asideTurns: 3 });
        const file = disk.storage.open('file', { create: true });
        disk.storage.syncDirectory('');
        file.write(written, 0, written.length, 0);
        let over = false;
        const ended = file.syncAsync().then(() => {
            over = true;
        });
        await new Promise(resolve => setImmediate(resolve));
        if (!over)
            between++;
        file.write(written, 0, written.length, 3);
        await ended;
        expect(disk.crash('none').bytes('file').length).toBe(3);
        file.write(written, 0, written.length, 6);
        const later = file.syncAsync();
        file.sync();
        await later;
        expect(disk.settled).toBe(true);
    }
    expect(between).toBeGreaterThan(10);
});
test('closing a file syncs what was being synced aside', async () => {
    const disk = new FaultDisk({ seed: 3, syncsAside: true, asideTurns: 9 });
    const file = disk.storage.open('file', { create: true });
    disk.storage.syncDirectory('');
    file.write(written, 0, written.length, 0);
    const ended = file.syncAsync();
    file.close();
    expect(disk.crash('none').bytes('file').length).toBe(3);
    await ended;
});
//# sourceMappingURL=fault.test.js.map