import { memoryStorage, open } from '../../src/index.js';
import { withDirectory } from './directory.js';
import { readImage } from './image.js';
const SMALL = 5_000;
export async function withDatabase(options, body) {
    await withDirectory(async (parent) => {
        const { storage } = options;
        const directory = storage === undefined ? `${parent}/db` : 'db';
        let current = options;
        let db = open(directory, options);
        const subject = {
            get db() {
                return db;
            },
            directory,
            get options() {
                return current;
            },
            reopen(changes = {}) {
                db.close();
                current = { ...current, ...changes };
                db = open(directory, current);
                return db;
            },
            image: () => readImage(directory, storage),
        };
        try {
            await body(subject);
            const ending = { ...current, readOnly: false, errorIfExists: false };
            if (db.closed)
                db = open(directory, ending);
            const sweptBefore = db.stats().expired;
            const report = await expectVerified(db);
            const swept = db.stats().expired - sweptBefore;
            db.close();
            if (report.records <= SMALL) {
                db = open(directory, ending);
                const again = await expectVerified(db);
                const least = report.records - swept - db.stats().expired;
                if (again.records > report.records || again.records < least)
                    throw new Error(`${again.records} records after a reopen, ${report.records} before`);
            }
        }
        finally {
            closeQuietly(db);
        }
    });
}
export async function withMemoryDatabase(options, body) {
    await withDatabase({ storage: memoryStorage(), ...options }, body);
}
export async function expectVerified(db, records) {
    const before = db.stats().records;
    const report = await db.verify();
    if (!report.ok || report.problemCount !== 0 || report.problems.length !== 0) {
        throw new Error(`verify found ${report.problemCount} problems:\n${report.problems.join('\n')}`);
    }
    const { pool, checkpointer } = db.engine;
    await checkpointer.settled();
    const { pinned } = pool;
    if (pinned !== 0)
        throw new Error(`${pinned} pins are held between two operations`);
    const after = db.stats().records;
    const isRight = records === undefined
        ? report.records >= Math.min(before, after) && report.records <= Math.max(before, after)
        : report.records === records;
    if (!isRight)
        throw new Error(`verify counted ${report.records} records where there are ${records ?? after}`);
    return report;
}
export function closeQuietly(db) {
    try {
        db.close();
    }
    catch {
    }
}
//# sourceMappingURL=database.js.map