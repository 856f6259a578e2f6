import { expect, test } from 'vitest';
import { open } from '../../src/index.js';
import { pause, startChild } from '../support/child.js';
import { closeQuietly, expectVerified } from '../support/database.js';
import { withDirectory } from '../support/directory.js';
import { History } from '../support/history.js';
import { readImage, storageOf } from '../support/image.js';
import { expectEqual, scan } from '../support/model.js';
import { runs, seeded } from '../support/random.js';
import { commitOf, groupKeys, MAX_IN_FLIGHT } from './workload.mjs';
const KILLS = { power: 25, process: 25, none: 8 };
for (const durability of ['power', 'process', 'none']) {
    const kills = KILLS[durability] * runs;
    const promise = durability === 'none'
        ? 'no transaction is half there'
        : 'every commit that had returned is there and no transaction is half there';
    test(`after ${kills} kills with durability ${durability}, ${promise}`, () => seeded(random => withDirectory(async (parent) => {
        const campaign = new Campaign(`${parent}/db`, durability, random);
        for (let round = 0; round < kills; round++) {
            try {
                await campaign.killOnce();
            }
            catch (error) {
                if (error instanceof Error)
                    error.message = `kill ${round + 1}: ${error.message}`;
                throw error;
            }
        }
        expect(campaign.recoveries).toBeGreaterThan(kills / 2);
        expect(campaign.generation).toBeGreaterThan(kills * 5);
    })), 60_000 + 1500 * kills);
}
class Campaign {
    #directory;
    #random;
    #options;
    #records;
    constructor(directory, durability, random) {
        this.#records = new Map();
        this.generation = 0;
        this.recoveries = 0;
        this.#directory = directory;
        this.#random = random;
        this.#options = {
            durability,
            cacheBytes: 64 * 4096,
            checkpointBytes: 256 * 1024,
            logSegmentBytes: 128 * 1024,
        };
    }
    async killOnce() {
        const acknowledged = await this.#runAndKill();
        const copied = this.#random.chance(0.5);
        const db = copied
            ? open('db', { ...this.#options, storage: storageOf(readImage(this.#directory)) })
            : open(this.#directory, this.#options);
        try {
            if (db.stats().recovery.needed)
                this.recoveries++;
            const found = scan(db);
            this.#expectWholeGroups(found);
            this.generation += this.#expectSurvivors(found, acknowledged);
            expectEqual(db, found);
            await expectVerified(db, found.size);
            this.#records = found;
            if (copied)
                return;
            db.put('after recovery', `${this.generation}`);
            found.set('after recovery', `${this.generation}`);
        }
        finally {
            closeQuietly(db);
        }
    }
    async #runAndKill() {
        const child = startChild('crash/writer.mjs', [
            this.#directory,
            JSON.stringify(this.#options),
            `${this.#random.seed}`,
            `${this.generation}`,
        ]);
        try {
            await child.firstLine;
            await pause(this.#random.between(5, 400));
        }
        finally {
            child.kill();
        }
        const { lines, signal, errors } = await child.ended;
        expect(signal, errors).toBe('SIGKILL');
        return Math.max(-1, ...lines.map(Number));
    }
    #expectWholeGroups(found) {
        const generations = new Set(groupKeys.map(key => found.get(key)));
        expect([...generations], 'a transaction is half there').toHaveLength(1);
        expect(found.get('never')).toBeUndefined();
    }
    #expectSurvivors(found, acknowledged) {
        const history = new History(this.#records);
        const last = acknowledged + 2 * MAX_IN_FLIGHT;
        for (let generation = this.generation; generation <= last; generation++) {
            history.commit(commitOf(this.#random.seed, generation).changes);
        }
        if (this.#options.durability !== 'none')
            history.certain(acknowledged - this.generation + 1);
        return history.expectRecovered(found);
    }
}
//# sourceMappingURL=kill.test.js.map