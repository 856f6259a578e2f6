import { nodeStorage } from '../../../src/storage/node.js';
const BLOCK = 4092;
const MOST = 2048;
const known = new Map();
export const crc32 = (bytes, seed) => {
    if (bytes.length !== BLOCK)
        return nodeStorage.crc32(bytes, seed);
    const last = known.get(seed);
    if (last !== undefined && Buffer.compare(last.bytes, bytes) === 0)
        return last.checksum;
    const checksum = nodeStorage.crc32(bytes, seed);
    if (last !== undefined) {
        last.bytes.set(bytes);
        last.checksum = checksum;
    }
    else {
        if (known.size === MOST)
            known.clear();
        known.set(seed, { bytes: new Uint8Array(bytes), checksum });
    }
    return checksum;
};
//# sourceMappingURL=checksum.js.map