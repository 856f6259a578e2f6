import { expect, test, vi } from 'vitest';
import { open } from '../../src/index.js';
import { closeQuietly } from '../support/database.js';
import { copyImage, differences, readImage, segments } from '../support/image.js';
import { runTimeout, seeded } from '../support/random.js';
import { expectReported } from './damage.js';
import { judge } from './flips.js';
import { groupsOf } from './groups.js';
import { fastStorage, metadataIn, smallOptions, smallSample } from './small.js';
vi.setConfig({ testTimeout: runTimeout });
const SECTOR = 512;
async function fateOfCut(image, name, size, expected) {
    const cut = copyImage(image);
    cut.set(name, image.get(name).slice(0, size));
    const storage = fastStorage(cut);
    try {
        const db = open('db', { ...smallOptions, storage });
        try {
            return await judge(db, expected);
        }
        finally {
            closeQuietly(db);
        }
    }
    catch (error) {
        if (error instanceof Error)
            error.message = `${name} cut to ${size} bytes: ${error.message}`;
        expectReported(error);
        expect(differences(cut, readImage('db', storage))).toEqual([]);
        return 'rejected';
    }
}
async function cutEverywhere(image, name, expected) {
    const counts = { rejected: 0, reported: 0, harmless: 0, lostTail: 0 };
    const { length } = image.get(name);
    for (let size = 0; size < length; size += SECTOR)
        counts[await fateOfCut(image, name, size, expected)]++;
    for (const size of [1, 7, 511, length - 1])
        counts[await fateOfCut(image, name, size, expected)]++;
    return counts;
}
test('a data file cut at any sector is refused, closed or live', () => seeded(async (random) => {
    const { closed, closedRecords, live, liveRecords } = await smallSample(random);
    const ofClosed = await cutEverywhere(closed, 'data', { records: closedRecords });
    expect(ofClosed).toEqual({
        rejected: closed.get('data').length / SECTOR + 4,
        reported: 0,
        harmless: 0,
        lostTail: 0,
    });
    const ofLive = await cutEverywhere(live, 'data', { records: liveRecords });
    expect(ofLive).toMatchObject({ reported: 0, lostTail: 0 });
    console.info('data file cut at every sector: closed', ofClosed, 'live', ofLive);
}));
test('the log of a closed database, cut at any sector, does no harm or is refused', () => seeded(async (random) => {
    const { closed, closedRecords: records } = await smallSample(random);
    for (const name of segments(closed)) {
        const counts = await cutEverywhere(closed, name, { records });
        expect(counts.lostTail).toBe(0);
        console.info(`${name} of a closed database, cut at every sector:`, counts);
    }
}));
test('the log of a live database, cut at any sector, loses no commit in silence but those behind the cut of its end', () => seeded(async (random) => {
    const { live, liveRecords: records, states } = await smallSample(random);
    const last = groupsOf(live, metadataIn(live).redoLsn).at(-1).segment;
    for (const name of segments(live)) {
        const counts = await cutEverywhere(live, name, {
            records,
            earlier: name === last ? states : [],
        });
        console.info(`${name} of a live database, cut at every sector:`, counts);
        expect(counts.lostTail > 0).toBe(name === last);
    }
}));
//# sourceMappingURL=cut.test.js.map