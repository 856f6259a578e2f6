import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { open } from '../../src/index.js';
import { expectVerified } from '../support/database.js';
import { runs } from '../support/random.js';
import { startProcess } from './lock-owner.js';
import { freshDirectory } from './places.js';
const RACES = 400 * runs;
const OPENINGS = 100 * runs;
const COUNTS = 100 * runs;
const timeout = 60_000 * runs;
const top = freshDirectory();
const racers = [];
beforeAll(async () => {
    racers.push(startRacer(), startRacer());
    await Promise.all(racers.map(racer => racer.ask('ready')));
});
afterAll(() => {
    for (const racer of racers)
        racer.kill();
});
test(`of two processes exactly one wins each of ${RACES} races for a free lock and for that of a dead owner`, async () => {
    const stale = await lockOfTheDead();
    let overlaps = 0;
    const wins = new Map(racers.map(({ pid }) => [pid, 0]));
    for (let round = 0; round < RACES; round++) {
        const directory = join(top, `lock${round}`);
        mkdirSync(directory);
        if (round % 2 === 1)
            writeFileSync(join(directory, 'lock'), stale);
        const { winner, overlap } = await race('lock', directory);
        if (overlap)
            overlaps++;
        wins.set(winner.pid, wins.get(winner.pid) + 1);
        expect(JSON.parse(readFileSync(join(directory, 'lock'), 'utf8'))).toMatchObject({ pid: winner.pid });
        expect(readdirSync(directory), 'nothing lies about').toEqual(['lock']);
        expect(await winner.ask('close')).toBe('closed');
        expect(readdirSync(directory)).toEqual([]);
        rmSync(directory, { recursive: true });
    }
    expect(overlaps, 'contenders that met').toBeGreaterThan(RACES / 20);
    expect(Math.min(...wins.values()), 'wins of the less lucky one').toBeGreaterThan(0);
}, timeout);
test(`of two processes that create the same database exactly one wins each of ${OPENINGS} races, and the other opens it afterwards`, async () => {
    for (let round = 0; round < OPENINGS; round++) {
        const directory = join(top, `db${round}`, round % 2 === 0 ? '' : 'below/others');
        const { winner, loser } = await race('open', directory);
        expect(await winner.ask('close')).toBe('closed');
        expect(await loser.ask(`open 0 ${directory}`)).toMatch(/^won /);
        expect(await loser.ask('close')).toBe('closed');
        const db = open(directory);
        expect(db.get('owner')).toBe(`${loser.pid}`);
        await expectVerified(db, 1);
        db.close();
        expect(readdirSync(directory).sort()).toEqual(['data', 'log']);
        rmSync(join(top, `db${round}`), { recursive: true });
    }
}, timeout);
test(`two processes that open, count and close ${COUNTS} times each lose no count`, async () => {
    const directory = join(top, 'counter');
    const answers = await Promise.all(racers.map(racer => racer.ask(`count ${COUNTS} ${directory}`)));
    expect(answers).toEqual(['counted', 'counted']);
    const db = open(directory);
    expect(db.get('counter')).toBe(`${2 * COUNTS}`);
    await expectVerified(db, 1);
    db.close();
}, timeout);
async function race(what, directory) {
    const moment = Number(process.hrtime.bigint() / 1000n) + 1500;
    const answers = await Promise.all(racers.map(async (racer) => {
        const answer = await racer.ask(`${what} ${moment} ${directory}`);
        return { racer, words: answer.split(' '), answer };
    }));
    const won = answers.filter(({ words }) => words[0] === 'won');
    const refused = answers.filter(({ words }) => words[0] === 'refused');
    expect([won.length, refused.length], answers.map(({ answer }) => answer).join(' | ')).toEqual([1, 1]);
    const [winner, loser] = [won[0], refused[0]];
    expect(loser.words[1]).toBe(`${winner.racer.pid}`);
    const [from, to] = [Number(winner.words[1]), Number(winner.words[2])];
    const [begun, ended] = [Number(loser.words[2]), Number(loser.words[3])];
    return { winner: winner.racer, loser: loser.racer, overlap: begun < to && from < ended };
}
async function lockOfTheDead() {
    const directory = join(top, 'dead');
    mkdirSync(directory);
    const owner = startProcess();
    expect(await owner.ask(`lock ${directory}`)).toBe('held');
    await owner.kill();
    return readFileSync(join(directory, 'lock'));
}
function startRacer() {
    const script = fileURLToPath(new URL('lock-race-child.mjs', import.meta.url));
    const child = spawn(process.execPath, [script], { stdio: ['pipe', 'pipe', 'inherit'] });
    const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    return {
        pid: child.pid,
        async ask(command) {
            child.stdin.write(`${command}\n`);
            const { value } = await answers.next();
            return value ?? 'gone';
        },
        kill: () => void child.kill('SIGKILL'),
    };
}
//# sourceMappingURL=lock-race.test.js.map