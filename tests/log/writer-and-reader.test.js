import { describe, expect, test } from 'vitest';
import { GROUP_HEADER_BYTES, SEGMENT_HEADER_BYTES } from '../../src/log/format.js';
import { LogReader } from '../../src/log/reader.js';
import { expectCode } from '../support/errors.js';
import { runs, seeded } from '../support/random.js';
import { BUFFER_BYTES, FIRST_LSN, recordIn, SEGMENT_BYTES, TestLog } from './log.js';
const SECTOR = 512;
const GROUP_OVERHEAD = 64;
describe('what the writer appends, the reader reads', () => {
    test('across groups and segments, whenever it is written and synced', () => seeded(random => {
        for (let run = 0; run < 20 * runs; run++) {
            const log = new TestLog();
            for (let i = 0; i < 150; i++) {
                log.append(text(random, random.below(random.chance(0.1) ? 1500 : 200)));
                if (random.chance(0.2))
                    log.writer.write();
                if (random.chance(0.1))
                    log.writer.sync();
            }
            log.writer.write();
            expect(log.segments.active.length).toBeGreaterThan(1);
            const { records, end } = log.read();
            expect(records).toEqual(log.written);
            expect(end.lsn).toBe(log.writer.endLsn);
            expect(end.tornBytes).toBe(0);
            expect(end.chain.map(segment => segment.name)).toEqual(log.segments.active.map(({ name }) => name));
        }
    }));
    test('from the middle of the log as well as from its beginning', () => seeded(random => {
        const log = new TestLog();
        const groups = [];
        for (let i = 0; i < 120; i++) {
            log.append(text(random, random.below(600)));
            groups.push(log.writer.groupLsn);
            log.writer.write();
            if (random.chance(0.3))
                log.writer.sync();
        }
        expect(log.segments.active.length).toBeGreaterThan(2);
        for (let i = 0; i < groups.length; i += 7) {
            expect(log.read(groups[i]).records).toEqual(log.written.slice(i));
        }
    }));
    test('up to an LSN in front of a segment that begins on the next sector', () => {
        const log = new TestLog();
        while (log.segments.active.length === 1) {
            log.appendGroup('x'.repeat(300));
            log.writer.sync();
        }
        const { startLsn } = log.segments.active[1];
        const reader = new LogReader(log.segments, log.storage);
        for (let until = startLsn - SECTOR; until <= startLsn + 8; until += 4) {
            const { lsn } = reader.walk(FIRST_LSN, until, () => { });
            expect(lsn, `until ${until}, ${startLsn - until} in front of the segment`).toBeGreaterThanOrEqual(until);
        }
    });
    test('nothing is written before somebody asks, or the buffer is full', () => {
        const log = new TestLog();
        log.append('in the buffer');
        expect(log.writer.groups).toBe(0);
        expect(log.read().records).toEqual([]);
        log.writer.write();
        expect(log.read().records).toEqual(log.written);
        while (log.writer.groups === 1)
            log.append('x'.repeat(500));
        expect(log.written.length).toBeLessThan(3 + BUFFER_BYTES / 500);
        expect(log.read().records).toEqual(log.written.slice(0, -1));
    });
    test('no group reaches behind the end of its segment', () => {
        const log = new TestLog();
        for (let i = 0; i < 60; i++)
            log.appendGroup('y'.repeat(3000 + i));
        for (const { file } of log.segments.active)
            expect(file.size()).toBeLessThanOrEqual(SEGMENT_BYTES);
        expect(log.read().records).toEqual(log.written);
    });
});
describe('a group', () => {
    test('begins on a fresh sector if the bytes before it were synced, and right behind them if not', () => {
        const log = new TestLog();
        const begin = () => {
            log.append('z'.repeat(100));
            return log.writer.groupLsn;
        };
        expect(begin()).toBe(FIRST_LSN);
        log.writer.write();
        const unsynced = log.writer.endLsn;
        expect(begin()).toBe(unsynced);
        expect(unsynced % SECTOR).not.toBe(0);
        log.writer.sync();
        const synced = log.writer.endLsn;
        expect(begin()).toBe(Math.ceil(synced / SECTOR) * SECTOR);
        expect(synced % SECTOR).not.toBe(0);
        log.writer.write();
        expect(log.read().records).toEqual(log.written);
    });
    test('syncing twice syncs once', () => {
        const log = new TestLog();
        log.append('once');
        log.writer.sync();
        const { fsyncs } = log.segments;
        log.writer.sync();
        expect(log.segments.fsyncs).toBe(fsyncs);
        expect(log.writer.syncedLsn).toBe(log.writer.endLsn);
    });
});
describe('a torn last group', () => {
    test('is dropped wherever it was cut off, and nothing else is', () => {
        const { log, at, bytes } = withLastGroup();
        for (let cut = 0; cut < bytes; cut++) {
            const torn = copyOf(log);
            torn.damage(FIRST_LSN, file => file.slice(0, at + cut));
            const { records, end } = torn.read();
            expect(records, `cut off after ${cut} bytes`).toEqual(log.written.slice(0, -1));
            expect(end.lsn).toBe(lastGroupLsn(log));
        }
        expect(copyOf(log).read().records).toEqual(log.written);
    });
    test('is dropped whichever of its bytes is wrong', () => {
        const { log, at, bytes } = withLastGroup();
        for (let offset = 0; offset < bytes; offset++) {
            const torn = copyOf(log);
            torn.damage(FIRST_LSN, file => {
                file[at + offset] ^= 1 << (offset & 7);
                return undefined;
            });
            expect(torn.read().records, `byte ${offset}`).toEqual(log.written.slice(0, -1));
        }
    });
    test('takes the unsynced groups behind it with it, and their bytes are counted', () => {
        const log = new TestLog();
        log.appendGroup('synced');
        log.writer.sync();
        log.appendGroup('whole');
        const torn = log.writer.endLsn;
        log.appendGroup('torn');
        const after = log.writer.endLsn;
        log.appendGroup('whole, but behind a hole');
        const bytes = log.writer.endLsn - after;
        log.damage(FIRST_LSN, file => {
            file.fill(0, place(torn), place(after));
            return undefined;
        });
        const { records, end } = log.read();
        expect(records.map(({ payload }) => payload)).toEqual(['synced', 'whole']);
        expect(end.lsn).toBe(torn);
        expect(end.tornBytes).toBe(bytes);
    });
    test('hides an unsynced group behind it that begins on a sector', () => {
        const log = new TestLog();
        log.appendGroup('whole');
        const torn = log.writer.endLsn;
        log.appendGroup('t'.repeat(SECTOR - (torn % SECTOR) - GROUP_OVERHEAD));
        expect(log.writer.endLsn % SECTOR).toBe(0);
        log.appendGroup('whole, but behind a hole');
        expect(log.read().records).toEqual(log.written);
        log.damage(FIRST_LSN, file => {
            file.fill(0, place(torn), place(torn) + 32);
            return undefined;
        });
        const { records, end } = log.read();
        expect(records).toEqual(log.written.slice(0, 1));
        expect(end.lsn).toBe(torn);
    });
    test('leaves a log that recovery may begin to continue again and again', () => {
        const { log } = withLastGroup();
        log.damage(FIRST_LSN, file => file.slice(0, place(lastGroupLsn(log)) + 50));
        const expected = log.written.slice(0, -1);
        for (let attempt = 0; attempt < 6; attempt++) {
            const { records, end } = log.read();
            expect(records).toEqual(expected);
            const begun = log.resume(end);
            begun.appendGroup(`attempt ${attempt}`);
            if (attempt % 3 === 2)
                expected.push(...begun.written);
            else
                begun.damage(begun.segments.current.startLsn, file => file.slice(0, SEGMENT_HEADER_BYTES));
            expect(log.read().records).toEqual(expected);
        }
    });
    test('makes way for the log that goes on in a segment of its own', () => {
        const { log } = withLastGroup();
        const torn = copyOf(log);
        torn.damage(FIRST_LSN, file => file.slice(0, place(lastGroupLsn(log)) + 50));
        const { end } = torn.read();
        const next = torn.resume(end);
        next.appendGroup('after the crash');
        next.appendGroup('and more');
        const { records } = next.read();
        expect(records).toEqual([...log.written.slice(0, -1), ...next.written]);
        expect(next.segments.active.length).toBe(2);
    });
    const withLastGroup = () => {
        const log = new TestLog();
        log.appendGroup('first');
        log.writer.sync();
        log.appendGroup('second');
        const begin = log.writer.endLsn;
        log.appendGroup('the last one, '.repeat(8));
        return { log, at: place(begin), bytes: log.writer.endLsn - begin };
    };
    const lastGroupLsn = (log) => log.written.at(-1).lsn - GROUP_HEADER_BYTES;
});
describe('a damaged group that had been synced is reported', () => {
    test('when groups of the next sync follow it, whichever of its bytes is wrong', () => {
        const log = new TestLog();
        log.appendGroup('first');
        log.writer.sync();
        const begin = log.writer.endLsn;
        log.appendGroup('damaged');
        const group = log.written.at(-1).lsn - GROUP_HEADER_BYTES;
        const end = log.writer.endLsn;
        expect(group).toBeGreaterThan(begin);
        log.writer.sync();
        log.appendGroup('second');
        expectDamage(log, group, end);
    });
    test('in the middle of a sector', () => {
        const log = new TestLog();
        log.appendGroup('first');
        const group = log.writer.endLsn;
        log.appendGroup('damaged');
        const end = log.writer.endLsn;
        log.writer.sync();
        log.appendGroup('second');
        expectDamage(log, group, end);
    });
    test('at the end of a segment, when the next segment follows it', () => {
        const log = new TestLog();
        log.appendGroup('first');
        while (log.segments.active.length === 1 && log.writer.endLsn < FIRST_LSN + SEGMENT_BYTES - 1500)
            log.appendGroup('x'.repeat(300));
        const group = log.writer.endLsn;
        log.appendGroup('damaged');
        const end = log.writer.endLsn;
        expect(group % SECTOR).not.toBe(0);
        log.writer.sync();
        log.appendGroup('y'.repeat(3000));
        expect(log.segments.active.length).toBe(2);
        expectDamage(log, group, end);
    });
    const expectDamage = (log, group, end) => {
        expect(log.read().records).toEqual(log.written);
        for (let offset = 0; offset < end - group; offset++) {
            const damaged = copyOf(log);
            damaged.damage(FIRST_LSN, file => {
                file[place(group) + offset] ^= 1 << (offset & 7);
                return undefined;
            });
            expect(() => damaged.read(), `byte ${offset}`).toThrow(/damaged/);
            expectCode(() => damaged.read(), 'XENON_CORRUPT');
        }
    };
});
describe('a record is located', () => {
    test('in the buffer, in its segment, in an earlier segment', () => seeded(random => {
        const log = new TestLog();
        for (let i = 0; i < 300; i++) {
            log.append(text(random, random.below(500)));
            if (random.chance(0.1))
                log.writer.write();
            if (random.chance(0.05))
                log.writer.sync();
            if (random.chance(0.3))
                expectLocated(log, random.pick(log.written));
        }
        expect(log.segments.active.length).toBeGreaterThan(3);
        for (const record of [...log.written].reverse())
            expectLocated(log, record);
        for (const record of random.shuffle(log.written))
            expectLocated(log, record);
    }));
    const expectLocated = (log, record) => {
        const { arena, position } = log.writer.locate(record.lsn);
        expect(recordIn(arena, position, record.lsn)).toEqual(record);
    };
});
const place = (lsn) => SEGMENT_HEADER_BYTES + lsn - FIRST_LSN;
const text = (random, length) => Buffer.from(random.bytes(length)).toString('latin1');
const copyOf = (log) => log.copy();
//# sourceMappingURL=writer-and-reader.test.js.map