import { describe, expect, test } from 'vitest';
import { GROUP_HEADER_BYTES, SEGMENT_HEADER_BYTES } from '../../src/log/format.js';
import { SyncPace } from '../../src/log/sync-pace.js';
import { readU64 } from '../../src/runtime/bytes.js';
import { memoryStorage } from '../../src/storage/memory.js';
import { expectCode, failureOf } from '../support/errors.js';
import { Gate, turns } from '../support/gate.js';
import { FIRST_LSN, TestLog } from './log.js';
const SECTOR = 512;
const gated = () => {
    const gate = new Gate();
    return { gate, log: new TestLog(gate.storage) };
};
const recordsOf = (log) => log.read().records.filter(({ transaction }) => transaction !== 0);
const claimOf = (log, recordLsn) => {
    const segment = log.segments.active.findLast(({ startLsn }) => startLsn <= recordLsn);
    const header = new Uint32Array(GROUP_HEADER_BYTES / 4);
    const at = SEGMENT_HEADER_BYTES + recordLsn - GROUP_HEADER_BYTES - segment.startLsn;
    segment.file.read(new Uint8Array(header.buffer), 0, GROUP_HEADER_BYTES, at);
    return readU64(header, 6);
};
describe('a sync aside', () => {
    test('ends when the disk says so, and covers what was appended before it', async () => {
        const { gate, log } = gated();
        log.append('before');
        let ended = false;
        const sync = log.writer.syncAside().then(() => {
            ended = true;
        });
        await turns();
        expect([ended, log.writer.syncedLsn, gate.waiting()]).toEqual([false, FIRST_LSN, 1]);
        const through = log.writer.endLsn;
        log.appendGroup('meanwhile');
        gate.letGo();
        await sync;
        expect(log.writer.syncedLsn).toBe(through);
        expect(recordsOf(log)).toEqual(log.written);
    });
    test('is one at a time: all who call meanwhile share the next one', async () => {
        const { gate, log } = gated();
        log.append('first');
        const first = log.writer.syncAside();
        const others = ['second', 'third'].map(payload => {
            log.append(payload);
            return log.writer.syncAside();
        });
        expect(others[0]).toBe(others[1]);
        gate.letGo();
        await first;
        await turns();
        expect(gate.waiting()).toBe(1);
        expect(log.writer.syncedLsn).toBeLessThan(log.writer.endLsn);
        gate.letGo();
        await Promise.all(others);
        expect(log.writer.syncedLsn).toBe(log.writer.endLsn);
        await log.writer.syncAside();
        expect(gate.waiting()).toBe(0);
    });
    test('lets what is appended meanwhile begin on a fresh sector, and claims nothing that is not synced (L2)', async () => {
        const { gate, log } = gated();
        log.append('synced');
        log.writer.sync();
        const { syncedLsn } = log.writer;
        log.append('x'.repeat(100));
        const sync = log.writer.syncAside();
        const meanwhile = log.appendGroup('meanwhile');
        expect((meanwhile.lsn - GROUP_HEADER_BYTES) % SECTOR).toBe(0);
        expect(claimOf(log, meanwhile.lsn)).toBe(syncedLsn);
        gate.letGo();
        await sync;
        const after = log.appendGroup('after');
        expect(claimOf(log, after.lsn)).toBe(log.writer.syncedLsn);
        expect(log.writer.syncedLsn).toBeLessThan(meanwhile.lsn);
        expect(recordsOf(log)).toEqual(log.written);
    });
    test('ends its sector at whatever offset the log stands, in every segment, with groups written before or not', async () => {
        const { gate, log } = gated();
        for (let i = 0; i < 400; i++) {
            if (i % 3 > 0)
                log.appendGroup('y'.repeat((i * 7) % 160));
            if (i % 3 < 2)
                log.append('x'.repeat((i * 52) % 1900));
            const before = log.writer.endLsn;
            const sync = log.writer.syncAside();
            await turns();
            gate.letGo();
            await sync;
            const start = log.segments.current.startLsn;
            expect((log.writer.endLsn - start) % SECTOR).toBe(0);
            expect(log.writer.syncedLsn).toBe(log.writer.endLsn);
            expect(log.writer.endLsn - before).toBeLessThan(SECTOR + 64);
            if (i % 5 === 0) {
                log.append('in line');
                log.writer.sync();
            }
        }
        expect(log.segments.active.length).toBeGreaterThan(10);
        expect(recordsOf(log)).toEqual(log.written);
        expect(log.read().end.tornBytes).toBe(0);
    });
    test('is overtaken by one in line, and takes nothing back when it ends', async () => {
        const { gate, log } = gated();
        log.append('aside');
        const sync = log.writer.syncAside();
        log.append('in line');
        const before = gate.inLine;
        log.writer.sync();
        expect(gate.inLine).toBe(before + 1);
        const { endLsn } = log.writer;
        expect(log.writer.syncedLsn).toBe(endLsn);
        gate.letGo();
        await sync;
        expect(log.writer.syncedLsn).toBe(endLsn);
    });
    test('leaves what is written meanwhile to the next sync, in each segment', async () => {
        const { gate, log } = gated();
        log.append('aside');
        const sync = log.writer.syncAside();
        while (log.segments.active.length < 3)
            log.appendGroup('x'.repeat(3000));
        gate.letGo();
        await sync;
        const before = gate.inLine;
        log.writer.sync();
        expect(gate.inLine).toBe(before + 3);
        log.writer.sync();
        expect(gate.inLine).toBe(before + 3);
    });
    test('keeps its segment open when that is given up meanwhile', async () => {
        const { gate, log } = gated();
        log.append('aside');
        const sync = log.writer.syncAside();
        while (log.segments.active.length < 3)
            log.appendGroup('x'.repeat(3000));
        log.writer.sync();
        log.segments.release(log.writer.endLsn, 0);
        expect(log.segments.count).toBe(2);
        gate.letGo();
        await sync;
        log.segments.release(log.writer.endLsn, 0);
        expect(log.segments.count).toBe(1);
        expect(log.storage.list('log')).toHaveLength(1);
    });
    test('that fails is final (L3)', async () => {
        const { gate, log } = gated();
        log.append('lost');
        const first = failureOf(() => log.writer.syncAside());
        const next = failureOf(() => log.writer.syncAside());
        gate.letGo(new Error('EIO'));
        expect(await first).toMatchObject({ message: 'EIO' });
        expect(await next).toMatchObject({ message: 'EIO' });
        expect(log.writer.syncedLsn).toBe(FIRST_LSN);
        log.append('refused');
        expectCode(() => log.writer.sync(), 'XENON_FAILED');
        expect(await failureOf(() => log.writer.syncAside())).toMatchObject({ code: 'XENON_FAILED' });
    });
    test('tells block 0 of a new segment only when all of the log is synced', async () => {
        const { gate, log } = gated();
        const told = [];
        log.writer.onSegmentSynced = () => told.push(log.writer.syncedLsn) > 0;
        while (log.segments.active.length < 2)
            log.appendGroup('x'.repeat(3000));
        const first = log.writer.syncAside();
        log.append('meanwhile');
        gate.letGo();
        await first;
        expect(told).toEqual([]);
        const second = log.writer.syncAside();
        gate.letGo();
        await second;
        expect(told).toEqual([log.writer.endLsn]);
    });
});
test('a log that is closed keeps one segment, also of those that are being synced aside', async () => {
    const { gate, log } = gated();
    while (log.segments.active.length < 4)
        log.appendGroup('x'.repeat(3000));
    const sync = log.writer.syncAside();
    await turns();
    expect(log.segments.active.filter(({ isBusy }) => isBusy).length).toBeGreaterThan(2);
    log.writer.sync();
    log.segments.shrink();
    expect(log.storage.list('log')).toEqual([log.segments.current.name]);
    gate.letGo();
    await sync;
});
describe('the pace of syncs', () => {
    const pace = () => new SyncPace(memoryStorage());
    test('is long until one was short', () => {
        const subject = pace();
        expect(subject.isShort).toBe(false);
        subject.inLine(0.1);
        expect(subject.isShort).toBe(true);
    });
    test('forgets a single slow sync, and not several', () => {
        const subject = pace();
        for (let i = 0; i < 5; i++)
            subject.inLine(0.1);
        subject.inLine(6);
        expect(subject.isShort).toBe(true);
        for (let i = 0; i < 5; i++)
            subject.inLine(6);
        expect(subject.isShort).toBe(false);
    });
    test.each([
        [0.9, true, true],
        [1.5, true, false],
        [3, false, false],
    ])('syncs of %d ms stay in line: %s, come back: %s', (milliseconds, stay, comeBack) => {
        const inLine = pace();
        inLine.inLine(0.1);
        for (let i = 0; i < 50; i++)
            inLine.inLine(milliseconds);
        expect(inLine.isShort).toBe(stay);
        const aside = pace();
        for (let i = 0; i < 50; i++)
            aside.aside(milliseconds);
        expect(aside.isShort).toBe(comeBack);
    });
    test('becomes short again by syncs aside, the shortest of a few, whose ends may have waited for the event loop', () => {
        const subject = pace();
        for (let i = 0; i < 8; i++)
            subject.aside(10);
        expect(subject.isShort).toBe(false);
        for (let i = 0; i < 8; i++)
            subject.aside(i === 3 ? 0.2 : 4);
        expect(subject.isShort).toBe(true);
        subject.inLine(20);
        expect(subject.isShort).toBe(false);
    });
});
//# sourceMappingURL=sync-aside.test.js.map