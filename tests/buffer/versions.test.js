import { describe, expect, test } from 'vitest';
import { BlockVersions } from '../../src/buffer/versions.js';
const bytes = (byte) => new Uint8Array(8).fill(byte);
describe('what is kept of a block twice (V1)', () => {
    test.each([
        ['was not changed after the first time', 5],
        ['is a free one now, of which the file has what is older', 0],
        ['was changed after the first time', 12],
    ])('because another snapshot has begun, and which %s', (_, from) => {
        const versions = new BlockVersions(1024);
        versions.begin(10, 100);
        versions.keep(1, 5, 11, bytes(1));
        versions.begin(20, 100);
        versions.keep(1, from, 21, bytes(2));
        expect(versions.find(1, 10)).toEqual(bytes(1));
        expect(versions.find(1, 20)).toEqual(bytes(2));
        expect(versions.find(1, 30)).toBeUndefined();
    });
});
//# sourceMappingURL=versions.test.js.map