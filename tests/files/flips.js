import { expect } from 'vitest';
import { open } from '../../src/index.js';
import { closeQuietly } from '../support/database.js';
import { differences, readImage } from '../support/image.js';
import { firstDifference, sameValue, show } from '../support/model.js';
import { expectReported } from './damage.js';
import { fastStorage, scanned, smallOptions } from './small.js';
export class Flips {
    #image;
    #options;
    #storage;
    constructor(image, options = smallOptions) {
        this.counts = { rejected: 0, reported: 0, harmless: 0, lostTail: 0 };
        this.#image = image;
        this.#options = options;
    }
    get total() {
        return Object.values(this.counts).reduce((sum, count) => sum + count, 0);
    }
    async flip(file, byte, bit, expected) {
        const bytes = this.#image.get(file);
        bytes[byte] ^= 1 << bit;
        try {
            const fate = await this.#try(file, byte, bit, expected);
            this.counts[fate]++;
            return fate;
        }
        catch (error) {
            const where = file === 'data' ? `, block ${Math.floor(byte / 4096)}, offset ${byte % 4096}` : '';
            if (error instanceof Error)
                error.message = `bit ${bit} of byte ${byte} of ${file}${where}: ${error.message}`;
            throw error;
        }
        finally {
            bytes[byte] ^= 1 << bit;
        }
    }
    async #try(file, byte, bit, expected) {
        const storage = this.#damagedStorage(file, byte);
        let db;
        try {
            db = open('db', { ...this.#options, storage });
        }
        catch (error) {
            expectReported(error);
            const touched = differences(this.#image, readImage('db', storage));
            if (touched.length > 0)
                expect.fail(`it was refused, but these files were changed: ${touched}`);
            this.#keep(storage, file, byte, bit);
            return 'rejected';
        }
        try {
            const fate = await judge(db, expected);
            closeQuietly(db);
            if (differences(this.#image, readImage('db', storage)).length === 0)
                this.#keep(storage, file, byte, bit);
            return fate;
        }
        finally {
            closeQuietly(db);
        }
    }
    #damagedStorage(file, byte) {
        const kept = this.#storage;
        this.#storage = undefined;
        if (kept === undefined)
            return fastStorage(this.#image);
        writeByte(kept, file, byte, this.#image.get(file)[byte]);
        return kept;
    }
    #keep(storage, file, byte, bit) {
        writeByte(storage, file, byte, this.#image.get(file)[byte] ^ (1 << bit));
        this.#storage = storage;
    }
}
export async function judge(db, { records, earlier = [] }) {
    let unreadable = 0;
    let state = records;
    let found;
    try {
        found = scanned(db);
    }
    catch (error) {
        expectReported(error);
        unreadable++;
    }
    if (found !== undefined) {
        const difference = firstDifference(found, records);
        if (difference !== undefined) {
            const known = earlier.find(state => firstDifference(found, state) === undefined);
            if (known === undefined)
                expect.fail(`it was opened, and holds wrong records: ${difference}`);
            state = known;
        }
    }
    for (const [key, value] of state) {
        try {
            const got = db.get(key);
            if (!sameValue(got, value))
                expect.fail(`get(${show(key)}) gave ${show(got)}`);
        }
        catch (error) {
            expectReported(error);
            unreadable++;
        }
    }
    const { ok, problems, problemCount } = await db.verify();
    expect(problemCount === 0).toBe(ok);
    for (const problem of problems)
        if (!/^db\//.test(problem))
            expect.fail(`a problem without its file: ${problem}`);
    if (unreadable > 0 && ok)
        expect.fail('a record cannot be read, but verify finds nothing');
    if (!ok)
        return 'reported';
    return state === records ? 'harmless' : 'lostTail';
}
function writeByte(storage, file, at, value) {
    const handle = storage.open(storage.join('db', ...file.split('/')));
    handle.write(new Uint8Array([value]), 0, 1, at);
    handle.close();
}
//# sourceMappingURL=flips.js.map