import { segments } from '../support/image.js';
const SEGMENT_HEADER = 512;
const GROUP_HEADER = 32;
const GROUP_MAGIC = 0x474c4e58;
const SECTOR = 512;
export function groupsOf(image, redoLsn) {
    const groups = [];
    for (const name of segments(image)) {
        const bytes = image.get(name);
        const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
        const u64 = (at) => Number(view.getBigUint64(at, true));
        const salt = view.getUint32(12, true);
        const start = u64(32);
        for (let at = SEGMENT_HEADER; at + GROUP_HEADER <= bytes.length;) {
            const lsn = start + at - SEGMENT_HEADER;
            const whole = view.getUint32(at, true) === GROUP_MAGIC && view.getUint32(at + 12, true) === salt && u64(at + 16) === lsn;
            if (!whole) {
                if (at % SECTOR === 0)
                    break;
                at += SECTOR - (at % SECTOR);
                continue;
            }
            const to = at + view.getUint32(at + 8, true);
            const end = lsn + to - at;
            if (lsn >= redoLsn)
                groups.push({ segment: name, from: at, to, lsn, end, synced: u64(at + 24) });
            at = to;
        }
    }
    return groups.sort((a, b) => a.lsn - b.lsn);
}
export function unwitnessed(groups, redoLsn, logLsn) {
    return new Set(groups.filter((_, i) => {
        const end = i === 0 ? redoLsn : groups[i - 1].end;
        return logLsn <= end && groups.slice(i + 1).every(later => later.synced <= end);
    }));
}
//# sourceMappingURL=groups.js.map