import { expect, test } from 'vitest';
import { withMemoryDatabase } from '../support/database.js';
import { expectEqual } from '../support/model.js';
test('who takes of the room for images in the midst of a step aside does not stop the handle', () => withMemoryDatabase({ durability: 'process', cacheBytes: 4 << 20, checkpointBytes: 64 << 10 }, async ({ db }) => {
    const { pool, health, checkpointer } = db.engine;
    checkpointer.afterCommit = () => { };
    const records = new Map();
    const put = (round) => {
        for (let i = 0; i < 600; i++) {
            db.put(`key ${i}`, `${round}`.repeat(200));
            records.set(`key ${i}`, `${round}`.repeat(200));
        }
    };
    put(0);
    await db.checkpoint();
    const images = pool.images;
    const name = 'prepareRoom';
    const prepare = images[name].bind(images);
    let others = 0;
    images[name] = async (wanted) => {
        const prepared = await prepare(wanted);
        const few = pool.dirtyBlocks(Number.POSITIVE_INFINITY).slice(-8);
        pool.writeBack(few);
        others += few.length;
        return prepared;
    };
    for (let round = 1; round < 6; round++) {
        put(round);
        const dirty = pool.dirtyBlocks(Number.POSITIVE_INFINITY);
        for (let at = 0; at + 28 < dirty.length; at += 14)
            await pool.writeBackAside(dirty.slice(at, at + 14), () => true);
        expect(health.failure).toBeUndefined();
    }
    expect(others).toBeGreaterThan(50);
    expectEqual(db, records);
}));
//# sourceMappingURL=write-back.test.js.map