import { memoryStorage } from '../../src/index.js';
import { eachPart, RecordType, recordTransaction } from '../../src/log/format.js';
import { Health } from '../../src/log/health.js';
import { LogReader } from '../../src/log/reader.js';
import { LogSegments } from '../../src/log/segments.js';
import { LogWriter } from '../../src/log/writer.js';
import { Arena } from '../../src/runtime/bytes.js';
export const SEGMENT_BYTES = 16384;
export const BUFFER_BYTES = 4096;
export const FIRST_LSN = 4096;
const DIRECTORY = 'log';
const UUID = new Uint8Array(16).fill(7);
const PAYLOAD_AT = 0;
const BUFFER_AT = 4096;
export class TestLog {
    constructor(storage = memoryStorage(), endLsn = FIRST_LSN, ahead = false) {
        this.health = new Health();
        this.arena = new Arena(BUFFER_AT + BUFFER_BYTES);
        this.written = [];
        this.storage = storage;
        const isNew = storage.kind(DIRECTORY) === 'none';
        storage.makeDirectory(DIRECTORY);
        this.segments = new LogSegments(storage, DIRECTORY, UUID, SEGMENT_BYTES);
        if (isNew)
            this.segments.startSegment(endLsn);
        else
            this.segments.load(false);
        this.segments.sync();
        this.writer = new LogWriter(this.arena, BUFFER_AT, BUFFER_BYTES, this.segments, storage, this.health, endLsn, ahead);
    }
    append(payload, transaction = this.written.length + 1) {
        const { writer, arena } = this;
        writer.reserve(64 + payload.length);
        writer.begin(RecordType.system, 0, transaction, 0);
        writer.part(5);
        arena.u8.set(Buffer.from(payload, 'latin1'), PAYLOAD_AT);
        if (payload.length > 0)
            writer.set(32, payload.length, PAYLOAD_AT);
        writer.endPart();
        const record = { lsn: writer.end(), transaction, payload };
        this.written.push(record);
        return record;
    }
    appendGroup(payload) {
        const record = this.append(payload);
        this.writer.write();
        return record;
    }
    read(from = FIRST_LSN) {
        return this.readAs(UUID, from);
    }
    readAs(uuid, from = FIRST_LSN) {
        const segments = new LogSegments(readingAtMost(100_000, this.storage), DIRECTORY, uuid, SEGMENT_BYTES);
        segments.load(true);
        try {
            const records = [];
            const end = new LogReader(segments, this.storage).scan(from, (a, position, lsn) => {
                records.push(recordIn(a, position, lsn));
            });
            return { records, end };
        }
        finally {
            segments.close();
        }
    }
    copy() {
        const storage = memoryStorage();
        storage.makeDirectory(DIRECTORY);
        for (const name of this.storage.list(DIRECTORY)) {
            const source = this.storage.open(this.storage.join(DIRECTORY, name), { readOnly: true });
            const bytes = new Uint8Array(source.size());
            source.read(bytes, 0, bytes.length, 0);
            const target = storage.open(storage.join(DIRECTORY, name), { create: true });
            target.write(bytes, 0, bytes.length, 0);
        }
        return new TestLog(storage, this.writer.writtenLsn);
    }
    resume(end) {
        const log = new TestLog(this.storage, end.lsn);
        const names = end.chain.map(({ name }) => name);
        log.writer.continueInFreshSegment(() => {
            const used = log.segments.active.filter(s => names.includes(s.name) && s.startLsn < end.lsn);
            log.segments.keepOnly([...used, log.segments.current]);
        });
        return log;
    }
    damage(startLsn, change) {
        const segment = this.segments.active.findLast(candidate => candidate.startLsn === startLsn);
        const bytes = new Uint8Array(segment.file.size());
        segment.file.read(bytes, 0, bytes.length, 0);
        const changed = change(bytes) ?? bytes;
        segment.file.truncate(changed.length);
        segment.file.write(changed, 0, changed.length, 0);
    }
}
export function recordIn(a, position, lsn) {
    let payload = '';
    eachPart(a, position, (_block, from, to) => {
        if (to > from)
            payload = Buffer.from(a.window(from + 4, a.u16[from >>> 1])).toString('latin1');
    });
    return { lsn, transaction: recordTransaction(a, position), payload };
}
function readingAtMost(reads, storage) {
    let left = reads;
    return {
        ...storage,
        open: (path, options) => {
            const file = storage.open(path, options);
            const read = file.read.bind(file);
            file.read = (...place) => {
                if (left-- === 0)
                    throw new Error(`the log was read ${reads} times, and still no end`);
                return read(...place);
            };
            return file;
        },
    };
}
//# sourceMappingURL=log.js.map