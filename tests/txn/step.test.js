import { describe, expect, test } from 'vitest';
import { BlockKind } from '../../src/pager/layout.js';
import { Step } from '../../src/txn/step.js';
import { withMemoryDatabase } from '../support/database.js';
const withEngine = (body) => withMemoryDatabase({ durability: 'none', ordered: false }, ({ db }) => body(db.engine));
describe('a step', () => {
    test('marks the blocks of its record (E4), takes what it has taken, and pins nothing any more (E2)', () => withEngine(engine => {
        const { pool, metadata } = engine;
        const step = new Step(engine);
        const { blocks, freeBlocks } = metadata;
        const taken = step.run(() => {
            const place = step.fresh(step.takeOne());
            step.begin(256);
            pool.arena.clear(place.base, place.base + pool.blockSize);
            step.format(place, BlockKind.free, 0);
            step.endPart();
            step.end();
            return place;
        });
        expect(taken.block).toBe(blocks);
        expect(metadata.blocks).toBe(blocks + 1);
        expect(pool.isDirty(taken.block)).toBe(true);
        expect(pool.pinned).toBe(0);
        step.run(() => {
            const place = step.pin(taken.block);
            step.begin(256, [place]);
            step.free(place);
            step.end();
        });
        expect(metadata.freeBlocks).toBe(freeBlocks + 1);
        expect(metadata.freeHead).toBe(taken.block);
        expect(pool.pinned).toBe(0);
    }));
    test('that fails takes nothing, and forgets the blocks that it would have formatted', () => withEngine(engine => {
        const { pool, metadata, log } = engine;
        const step = new Step(engine);
        const { blocks } = metadata;
        const { records } = log;
        let fresh = 0;
        const failing = () => step.run(() => {
            fresh = step.takeOne();
            step.pin(1);
            pool.arena.u8.fill(0xff, step.fresh(fresh).base, step.fresh(fresh).base + pool.blockSize);
            throw new Error('no frame for another one');
        });
        expect(failing).toThrow('no frame for another one');
        expect(pool.isResident(fresh)).toBe(false);
        expect(pool.pinned).toBe(0);
        expect(metadata.blocks).toBe(blocks);
        expect(log.records).toBe(records);
    }));
    test('stops the handle if it fails between begin and end (E1): half a record stands in the buffer of the log', async () => {
        await withMemoryDatabase({ durability: 'none', ordered: false }, async ({ db, reopen }) => {
            db.put('key', 'value');
            await db.checkpoint();
            const { engine } = db;
            const step = new Step(engine);
            const failing = () => step.run(() => {
                step.begin(64);
                throw new Error('out of memory, say');
            });
            expect(failing).toThrow('out of memory');
            expect(engine.pool.pinned).toBe(0);
            expect(() => db.put('key', 'another')).toThrow(expect.objectContaining({ code: 'XENON_FAILED' }));
            expect(reopen().get('key')).toBe('value');
        });
    });
    test('cannot be begun in the midst of another one of the same owner', () => withEngine(engine => {
        const step = new Step(engine);
        const nested = () => step.run(() => {
            step.pin(1);
            step.run(() => { });
        });
        expect(nested).toThrow('in the midst of another one');
        expect(engine.pool.pinned).toBe(0);
    }));
});
//# sourceMappingURL=step.test.js.map