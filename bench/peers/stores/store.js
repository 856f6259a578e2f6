import { createRequire } from 'node:module';
import { join } from 'node:path';
import { peersDirectory } from '../../support/paths.js';
export const NOT_SUPPORTED = 'XENON_NOT_SUPPORTED';
export const requirePeer = createRequire(join(peersDirectory, 'package.json'));
export async function keepInFlight(keys, values, width, put) {
    let next = 0;
    const worker = async () => {
        while (next < keys.length) {
            const at = next;
            next += 1;
            await put(keys[at], values[at]);
        }
    };
    await Promise.all(Array.from({ length: Math.min(width, keys.length) }, worker));
}
export async function inGroups(keys, width, group) {
    for (let from = 0; from < keys.length; from += width)
        await group(from, Math.min(from + width, keys.length));
}
export const IN_FLIGHT = 256;
//# sourceMappingURL=store.js.map