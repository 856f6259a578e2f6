import { expect, test } from 'vitest';
import { open } from '../../src/index.js';
import { pause, startChild } from '../support/child.js';
import { closeQuietly, expectVerified } from '../support/database.js';
import { withDirectory } from '../support/directory.js';
import { History } from '../support/history.js';
import { readImage, storageOf } from '../support/image.js';
import { expectEqual, scan } from '../support/model.js';
import { runs, seeded } from '../support/random.js';
import { accounts, asyncWriters, commitOf, groupKeys, groupWriter, MAX_IN_FLIGHT, OPENING_BALANCE, tellers, writers, } from './many-writers.mjs';
const KILLS = 15 * runs;
for (const durability of ['power', 'process']) {
    test(`after ${KILLS} kills amid several writers with durability ${durability}, each writer's commits are there in their order`, () => seeded(random => withDirectory(async (parent) => {
        const campaign = new Campaign(`${parent}/db`, durability, random);
        for (let round = 0; round < KILLS; round++) {
            try {
                await campaign.killOnce();
            }
            catch (error) {
                if (error instanceof Error)
                    error.message = `kill ${round + 1}: ${error.message}`;
                throw error;
            }
        }
        const { seen, next } = campaign;
        expect(seen.recoveries).toBeGreaterThan(KILLS / 4);
        expect(seen.rolledBack, 'transactions that were open at a kill').toBeGreaterThan(0);
        expect(seen.evictions).toBeGreaterThan(KILLS);
        expect(seen.checkpoints).toBeGreaterThan(0);
        expect(seen.recycled, 'segments recycled').toBeGreaterThan(0);
        expect(seen.conflicts, 'locks met').toBeGreaterThan(0);
        for (const writer of writers)
            expect(next.get(writer), writer).toBeGreaterThan(KILLS / 3);
    })), 60_000 + 3000 * KILLS);
}
class Campaign {
    #directory;
    #random;
    #options;
    #records;
    constructor(directory, durability, random) {
        this.#records = new Map();
        this.next = new Map(writers.map(writer => [writer, 0]));
        this.seen = { recoveries: 0, rolledBack: 0, evictions: 0, checkpoints: 0, recycled: 0, conflicts: 0 };
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
            const { recovery } = db.stats();
            if (recovery.needed)
                this.seen.recoveries++;
            this.seen.rolledBack += recovery.transactionsRolledBack;
            const found = scan(db);
            this.#expectInvariants(found);
            for (const writer of [...asyncWriters, groupWriter]) {
                this.next.set(writer, this.#survivors(found, writer, acknowledged.get(writer)));
            }
            for (const teller of tellers)
                this.#expectTeller(found, teller, acknowledged.get(teller));
            expectEqual(db, found);
            await expectVerified(db, found.size);
            this.#records = found;
        }
        finally {
            closeQuietly(db);
        }
    }
    async #runAndKill() {
        const child = startChild('crash/writers.mjs', [
            this.#directory,
            JSON.stringify(this.#options),
            `${this.#random.seed}`,
            JSON.stringify(Object.fromEntries(this.next)),
        ]);
        try {
            if (this.#records.size > 0 && this.#random.chance(0.15))
                await pause(this.#random.between(1, 120));
            else {
                await child.firstLine;
                await Promise.race([said(child, this.#random.between(1, 600)), pause(2000)]);
                await pause(this.#random.below(10));
            }
        }
        finally {
            child.kill();
        }
        const { lines, signal, errors } = await child.ended;
        expect(signal, errors).toBe('SIGKILL');
        const acknowledged = new Map();
        let stats = [];
        for (const line of lines.slice(1)) {
            const [writer = '', ...numbers] = line.split(' ');
            if (writer === 'stats')
                stats = numbers.map(Number);
            else
                acknowledged.set(writer, Math.max(acknowledged.get(writer) ?? -1, Number(numbers[0])));
        }
        const [evictions = 0, checkpoints = 0, recycled = 0, conflicts = 0] = stats;
        this.seen.evictions += evictions;
        this.seen.checkpoints += checkpoints;
        this.seen.recycled += recycled;
        this.seen.conflicts += conflicts;
        return acknowledged;
    }
    #expectInvariants(found) {
        expect(found.has('never'), 'a record that was always rolled back').toBe(false);
        expect(new Set(groupKeys.map(key => found.get(key))), 'generations of the group').toHaveProperty('size', 1);
        const sum = accounts.reduce((total, account) => total + Number(found.get(account)), 0);
        expect(sum, 'the sum of the accounts').toBe(accounts.length * OPENING_BALANCE);
    }
    #survivors(found, writer, acknowledged = -1) {
        const first = this.next.get(writer);
        const history = new History(only(this.#records, writer));
        const last = Math.max(acknowledged, first) + 3 * MAX_IN_FLIGHT;
        for (let generation = first; generation <= last; generation++) {
            history.commit(commitOf(this.#random.seed, writer, generation).changes);
        }
        if (acknowledged >= first)
            history.certain(acknowledged - first + 1);
        try {
            return first + history.expectRecovered(only(found, writer));
        }
        catch (error) {
            if (error instanceof Error)
                error.message = `writer ${writer}: ${error.message}`;
            throw error;
        }
    }
    #expectTeller(found, teller, acknowledged = -1) {
        const text = found.get(`teller/${teller}`);
        const last = text === undefined ? -1 : Number(text);
        expect(last, `the last transfer of ${teller}`).toBeGreaterThanOrEqual(Math.max(acknowledged, this.next.get(teller) - 1));
        if (acknowledged >= 0)
            expect(last).toBeLessThanOrEqual(acknowledged + 1);
        this.next.set(teller, last + 1);
    }
}
function said(child, lines) {
    return new Promise(resolve => {
        let count = 0;
        child.process.stdout?.on('data', (text) => {
            count += text.split('\n').length - 1;
            if (count >= lines)
                resolve();
        });
    });
}
function only(records, writer) {
    return new Map([...records].filter(([key]) => key.startsWith(`${writer}/`)));
}
//# sourceMappingURL=kill-writers.test.js.map