import { expect, test, vi } from 'vitest';
import { METADATA_BYTES } from '../../src/pager/metadata.js';
import { segments } from '../support/image.js';
import { runs, runTimeout, seeded } from '../support/random.js';
import { Flips } from './flips.js';
import { BLOCK, blockOfEachKind, fastStorage, metadataIn, smallOptions, smallSample } from './small.js';
vi.setConfig({ testTimeout: runTimeout });
const RANDOM_FLIPS = 5_000 * runs;
test('every bit of block 0 is detected', () => seeded(async (random) => {
    const { closed, closedRecords: records } = await smallSample(random);
    const storage = fastStorage(new Map());
    const identity = new Flips(closed);
    for (let bit = 0; bit < 512 * 8; bit++)
        await identity.flip('data', bit >> 3, bit & 7, { records });
    expect(identity.counts).toEqual({ rejected: 4096, reported: 0, harmless: 0, lostTail: 0 });
    const states = new Flips(closed);
    const readOnly = new Flips(closed, { ...smallOptions, readOnly: true });
    const bytes = closed.get('data').slice(0, METADATA_BYTES);
    const metadata = metadataIn(closed);
    for (let bit = 512 * 8; bit < METADATA_BYTES * 8; bit++) {
        bytes[bit >> 3] ^= 1 << (bit & 7);
        expect(metadata.problems(bytes, storage)).toEqual([expect.stringMatching(/copy of the state/)]);
        bytes[bit >> 3] ^= 1 << (bit & 7);
        if (bit % 9 === 0)
            await readOnly.flip('data', bit >> 3, bit & 7, { records });
        if (bit % 41 === 0)
            await states.flip('data', bit >> 3, bit & 7, { records });
    }
    expect(readOnly.counts).toEqual({ rejected: 0, reported: readOnly.total, harmless: 0, lostTail: 0 });
    expect(states.counts).toMatchObject({ rejected: 0, lostTail: 0 });
    console.info('block 0 of a closed database:', identity.counts, readOnly.counts, states.counts);
}));
test('every bit of the header of a block of each kind is detected', () => seeded(async (random) => {
    const { closed, closedRecords: records } = await smallSample(random);
    const flips = new Flips(closed);
    const blocks = Object.values(blockOfEachKind(closed));
    expect(blocks).toHaveLength(6);
    for (const block of blocks)
        for (let bit = 0; bit < 32 * 8; bit++)
            await flips.flip('data', block * BLOCK + (bit >> 3), bit & 7, { records });
    expect(flips.counts).toMatchObject({ harmless: 0, lostTail: 0 });
    expect(flips.total).toBe(256 * blocks.length);
    console.info(`headers of ${blocks.length} blocks of a closed database:`, flips.counts);
}));
test("every bit of a log segment's header is harmless, since it has a copy: reported, and mended by an open that may write", () => seeded(async (random) => {
    const { closed, closedRecords: records } = await smallSample(random);
    const mended = new Flips(closed);
    const readOnly = new Flips(closed, { ...smallOptions, readOnly: true });
    for (const name of segments(closed))
        for (const copy of [0, 256])
            for (let bit = 0; bit < 64 * 8; bit++) {
                await readOnly.flip(name, copy + (bit >> 3), bit & 7, { records });
                if (bit % 3 === 0)
                    await mended.flip(name, copy + (bit >> 3), bit & 7, { records });
            }
    expect(readOnly.counts).toEqual({ rejected: 0, reported: 1024, harmless: 0, lostTail: 0 });
    expect(mended.counts).toEqual({ rejected: 0, reported: 0, harmless: mended.total, lostTail: 0 });
    console.info('the segment header of a closed database:', readOnly.counts, mended.counts);
}));
test(`${RANDOM_FLIPS} random bits of data file and log are detected or harmless`, () => seeded(async (random) => {
    const { closed, closedRecords: records } = await smallSample(random);
    const flips = new Flips(closed);
    const names = [...closed.keys()];
    for (let i = 0; i < RANDOM_FLIPS; i++) {
        const name = i % 8 === 0 ? random.pick(names) : 'data';
        await flips.flip(name, random.below(closed.get(name).length), random.below(8), { records });
    }
    expect(flips.counts.lostTail).toBe(0);
    expect(flips.total).toBe(RANDOM_FLIPS);
    expect(flips.counts.rejected + flips.counts.reported).toBeGreaterThan(RANDOM_FLIPS * 0.85);
    console.info('random bits of a closed database:', flips.counts);
}));
//# sourceMappingURL=flipped-bits-closed.test.js.map