import { expect, test } from 'vitest';
import { open } from '../../src/index.js';
import { FaultDisk } from '../../src/testing/fault.js';
test.each([1, 6, 10])('writes all that was dirty when it was called, seed %i', async (seed) => {
    const { storage } = new FaultDisk({ seed, syncsAside: true, asideTurns: 3 });
    const options = { cacheBytes: 2 ** 23, checkpointBytes: 2 ** 17, logSegmentBytes: 131072 };
    const db = open('db', { ...options, storage, durability: 'process' });
    const { checkpointer, pool, log } = db.engine;
    const it = checkpointer;
    Object.defineProperty(log, 'isSoonSynced', { get: () => false });
    for (let i = 0; i < 1500; i++) {
        db.put(`k${i}`, 'x'.repeat(80));
        if (i % 50 === 0)
            await new Promise(resolve => setImmediate(resolve));
    }
    const isAside = () => it.stepping !== undefined || it.aside !== undefined;
    for (let i = 0; i < 3000 && !isAside(); i++)
        db.put(`k${(i * 7) % 1500}`, `${'y'.repeat(80)}${i}`);
    expect(isAside()).toBe(true);
    const calledAt = log.endLsn;
    const asked = db.checkpoint().then(() => pool.oldestChange());
    const afterwards = () => {
        void (it.stepping ?? it.goingAside)?.then(() => {
            if (isAside())
                afterwards();
            else
                for (let i = 0; i < 4000 && it.stepping === undefined; i++)
                    db.put(`k${(i * 13) % 1500}`, 'z'.repeat(90));
        });
    };
    afterwards();
    expect(await asked).toBeGreaterThanOrEqual(calledAt);
    db.close();
});
//# sourceMappingURL=checkpoint-asked.test.js.map