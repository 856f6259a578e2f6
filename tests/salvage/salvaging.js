import { expect } from 'vitest';
import { open, salvage } from '../../src/index.js';
import { expectVerified } from '../support/database.js';
import { copyImage, differences, readImage, storageOf } from '../support/image.js';
import { scan, show } from '../support/model.js';
const SMALL_CACHE = 4_194_304;
export async function salvaged(image, options = {}) {
    const before = copyImage(image);
    const storage = storageOf(image);
    const report = await salvage('db', 'new', { storage, cacheBytes: SMALL_CACHE, ...options });
    expect(differences(before, readImage('db', storage))).toEqual([]);
    const db = open('new', { storage, cacheBytes: SMALL_CACHE });
    await expectVerified(db, report.records);
    const records = scan(db);
    db.close();
    return { report, records };
}
export function expectNothingInvented(found, records) {
    for (const [key, value] of found) {
        if (!records.has(key))
            expect.fail(`${show(key)} was invented`);
        if (records.get(key) !== value)
            expect.fail(`${show(key)} is ${show(value)}, but was ${show(records.get(key))}`);
    }
}
export function missing(found, records) {
    return [...records.keys()].filter(key => !found.has(key));
}
export function expectComplete(report) {
    const { gaps, lostKeys, misplaced, newerBlocks, duplicates } = report;
    expect({
        complete: report.complete,
        warnings: report.warnings,
        gaps: gaps.count,
        lostKeys: lostKeys.count,
        misplaced: misplaced.count,
        newer: newerBlocks.count,
        duplicates: duplicates.count,
        log: report.log.state,
    }).toEqual({
        complete: true,
        warnings: [],
        gaps: 0,
        lostKeys: 0,
        misplaced: 0,
        newer: 0,
        duplicates: 0,
        log: 'sound',
    });
}
//# sourceMappingURL=salvaging.js.map