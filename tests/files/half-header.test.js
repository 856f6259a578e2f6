import { expect, test } from 'vitest';
import { open } from '../../src/index.js';
import { readSegmentHeader } from '../../src/log/segments.js';
import { Metadata } from '../../src/pager/metadata.js';
import { copyImage, differences, readImage, segments } from '../support/image.js';
import { expectEqual } from '../support/model.js';
import { seeded } from '../support/random.js';
import { fastStorage, smallOptions, smallSample } from './small.js';
const damages = {
    'a flipped bit in the first copy': header => {
        header[40] ^= 1;
    },
    'a second copy that was never written': header => void header.fill(0, 256),
    'a second copy of which a part was written': header => void header.fill(0, 256 + 20),
    'a second copy of an earlier use': header => {
        header.set(header.slice(0, 64), 256);
        header[256 + 32] ^= 0x40;
        const { crc32 } = fastStorage(new Map());
        header.set(new Uint8Array(new Uint32Array([crc32(header.subarray(256 + 12, 256 + 64), 0)]).buffer), 256 + 8);
    },
};
for (const [name, damage] of Object.entries(damages)) {
    test(`${name} is reported while nothing may be written, and gone after an open that may`, () => seeded(async (random) => {
        const { closed, closedRecords, live, liveRecords } = await smallSample(random);
        for (const [whole, records] of [
            [closed, closedRecords],
            [live, liveRecords],
        ]) {
            for (const segment of segments(whole)) {
                const image = copyImage(whole);
                damage(image.get(segment).subarray(0, 512));
                const storage = fastStorage(image);
                if (whole === closed)
                    expect((await reported(storage)).join()).toMatch(/copy of the segment's header/);
                for (const needed of [whole === live, false]) {
                    const db = open('db', { ...smallOptions, storage });
                    expect(db.stats().recovery.needed).toBe(needed);
                    expect(await db.verify()).toMatchObject({ ok: true, problems: [] });
                    expectEqual(db, records);
                    const left = readImage('db', storage);
                    expect(halves(left, storage)).toEqual([]);
                    const again = fastStorage(copyImage(left));
                    open('db', { ...smallOptions, storage: again });
                    expect(differences(readImage('db', again), left)).toEqual([]);
                    db.close();
                }
                const db = open('db', { ...smallOptions, storage });
                db.put('one more', 'commit');
                db.close();
                expect(await reported(storage)).toEqual([]);
            }
        }
    }));
}
const reported = async (storage) => {
    const db = open('db', { ...smallOptions, storage, readOnly: true });
    const { problems } = await db.verify();
    db.close();
    return problems;
};
const halves = (image, storage) => {
    const { uuid } = Metadata.decode(image.get('data').slice(0, 4096), 'data', storage).identity;
    return segments(image).filter(name => {
        const file = storage.open(storage.join('db', ...name.split('/')), { readOnly: true });
        try {
            return readSegmentHeader(file, storage, uuid)?.copies.includes(false) ?? true;
        }
        finally {
            file.close();
        }
    });
};
//# sourceMappingURL=half-header.test.js.map