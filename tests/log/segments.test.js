import { describe, expect, test } from 'vitest';
import { SEGMENT_HEADER_BYTES } from '../../src/log/format.js';
import { memoryStorage } from '../../src/storage/memory.js';
import { FaultDisk } from '../../src/testing/fault.js';
import { expectCode } from '../support/errors.js';
import { FIRST_LSN, SEGMENT_BYTES, TestLog } from './log.js';
describe('a recycled segment', () => {
    test('is not read for what an earlier use has left in it', () => {
        const log = new TestLog();
        const sameSize = (i) => `${i}:`.padEnd(1000, 'x');
        for (let i = 0; i < 40; i++)
            log.appendGroup(sameSize(i));
        log.writer.sync();
        const before = log.segments.active.length;
        expect(before).toBeGreaterThan(2);
        log.segments.release(log.writer.endLsn, 10 * SEGMENT_BYTES);
        const from = log.segments.active[0].startLsn;
        const kept = log.written.filter(({ lsn }) => lsn >= from);
        while (log.segments.active.length === 1)
            kept.push(log.appendGroup(sameSize(log.written.length)));
        log.writer.sync();
        expect(log.segments.count).toBe(before);
        const { records, end } = log.read(from);
        expect(records).toEqual(kept);
        expect(end.lsn).toBe(log.writer.endLsn);
        expect(end.tornBytes).toBe(0);
    });
    test('has another salt at each use', () => {
        const log = new TestLog();
        const salts = new Set();
        for (let use = 0; use < 20; use++) {
            salts.add(log.segments.current.salt);
            const { length } = log.segments.active;
            while (log.segments.active.length === length)
                log.appendGroup('x'.repeat(3000));
            log.segments.release(log.writer.endLsn, 2 * SEGMENT_BYTES);
        }
        expect(log.segments.count).toBe(2);
        expect(salts.size).toBe(20);
    });
    test('that waits for its next use with its old header is no part of the log', () => {
        const log = new TestLog();
        while (log.segments.active.length < 4)
            log.appendGroup('x'.repeat(2000));
        log.writer.sync();
        const from = log.segments.current.startLsn;
        log.segments.release(log.writer.endLsn, 10 * SEGMENT_BYTES);
        const { records, end } = log.read(from);
        expect(records).toEqual(log.written.filter(({ lsn }) => lsn >= from));
        expect(end.chain.length).toBe(1);
        expectCode(() => log.copy().read(FIRST_LSN - 512), 'XENON_CORRUPT');
    });
});
describe('release', () => {
    test('gives up a segment only when the log from the LSN on does not need it', () => {
        const log = new TestLog();
        while (log.segments.active.length < 5)
            log.appendGroup('x'.repeat(2000));
        const third = log.segments.active[2].startLsn;
        const last = log.written.filter(({ lsn }) => lsn < third).at(-1);
        log.segments.release(last.lsn, 0);
        expect(log.segments.active.length).toBe(4);
        expect(log.segments.count).toBe(4);
        log.segments.release(third, 0);
        expect(log.segments.active[0].startLsn).toBe(third);
        expect(log.storage.list('log').length).toBe(3);
        expect(log.read(third).records).toEqual(log.written.filter(({ lsn }) => lsn >= third));
    });
    test('keeps the segment that is being written', () => {
        const log = new TestLog();
        log.appendGroup('x');
        log.segments.release(Number.MAX_SAFE_INTEGER, 0);
        expect(log.segments.active.length).toBe(1);
        expect(log.read().records).toEqual(log.written);
    });
});
test('what was given up before does not reappear after a crash once the segments that wait are dropped', () => {
    const disk = new FaultDisk({ seed: 1 });
    const log = new TestLog(disk.storage);
    while (log.segments.active.length < 5)
        log.appendGroup('x'.repeat(2000));
    log.writer.sync();
    for (const directory of ['', 'log'])
        disk.storage.syncDirectory(directory);
    const names = () => disk.crash('none').storage.list('log');
    expect(names().length).toBe(5);
    log.segments.release(log.writer.endLsn, 0);
    expect(names().length).toBe(5);
    log.segments.dropSpares();
    expect(names()).toEqual([log.segments.current.name]);
});
describe('the header of a segment', () => {
    test('stands twice: a flipped bit in one copy is survived', () => {
        const log = new TestLog();
        while (log.segments.active.length < 2)
            log.appendGroup('x'.repeat(1000));
        for (let byte = 0; byte < SEGMENT_HEADER_BYTES; byte++) {
            const flipped = log.copy();
            flipped.damage(FIRST_LSN, file => {
                file[byte] ^= 1 << (byte & 7);
                return undefined;
            });
            expect(flipped.read().records, `byte ${byte}`).toEqual(log.written);
        }
    });
    test('that is wrong in both copies makes the log before it missing, not shorter', () => {
        const log = new TestLog();
        while (log.segments.active.length < 3)
            log.appendGroup('x'.repeat(1000));
        log.writer.sync();
        log.appendGroup('later');
        for (const [first, second] of [
            [0, 256],
            [8, 264],
            [16, 16 + 256],
            [33, 47 + 256],
        ]) {
            for (const segment of [0, 1]) {
                const damaged = log.copy();
                damaged.damage(log.segments.active[segment].startLsn, file => {
                    file[first] ^= 1;
                    file[second] ^= 1;
                    return undefined;
                });
                expectCode(() => damaged.read(), 'XENON_CORRUPT');
            }
        }
    });
    test('of another database is refused', () => {
        const log = new TestLog();
        log.appendGroup('x');
        expectCode(() => log.readAs(new Uint8Array(16).fill(8)), 'XENON_CORRUPT');
    });
});
describe('writing ahead', () => {
    test('a sync finds the file at its size: zeros stand behind the log, not beyond the segment', () => {
        const log = new TestLog(memoryStorage(), FIRST_LSN, true);
        log.appendGroup('x');
        const { file } = log.segments.current;
        expect(file.size()).toBe(SEGMENT_BYTES);
        while (log.segments.active.length < 3)
            log.appendGroup('x'.repeat(900));
        for (const segment of log.segments.active)
            expect(segment.file.size()).toBe(SEGMENT_BYTES);
        expect(log.read().records).toEqual(log.written);
    });
});
//# sourceMappingURL=segments.test.js.map