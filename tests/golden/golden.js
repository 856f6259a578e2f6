import { readdirSync, readFileSync } from 'node:fs';
import { brotliDecompressSync } from 'node:zlib';
import { nodeStorage } from '../../src/index.js';
import { storageOf } from '../support/image.js';
const root = new URL('./', import.meta.url);
export const goldenNames = () => readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter(path => path.endsWith('.json.br'))
    .map(path => path.replaceAll('\\', '/').slice(0, -'.json.br'.length))
    .sort();
export const readGolden = (name) => {
    const text = brotliDecompressSync(readFileSync(new URL(`${name}.json.br`, root))).toString();
    const { records, files, torn = [], ...rest } = JSON.parse(text);
    return {
        ...rest,
        name,
        torn,
        records: records.map(([key, value, expiresAt]) => ({
            key: typeof key === 'string' ? key : unpacked(key.bytes),
            value,
            expiresAt,
        })),
        files: new Map(Object.entries(files).map(([path, bytes]) => [
            path,
            typeof bytes === 'string' ? unpacked(bytes) : new Uint8Array(bytes).fill(0xa5),
        ])),
    };
};
export const goldenStorage = ({ files }, now) => {
    const { crc32, deflate } = nodeStorage;
    return { ...storageOf(files), crc32, deflate, now: () => now };
};
const unpacked = (text) => new Uint8Array(Buffer.from(text, 'latin1'));
//# sourceMappingURL=golden.js.map