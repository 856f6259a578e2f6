import pc from 'picocolors';
import { CorruptionError, open } from 'xenondb';
import { FaultDisk, Random, SimulatedCrash, withMutant } from 'xenondb/testing';
import { chapter, check, say, step, title } from './support/lesson.js';
import { compareBlocks, countStates, stateLegend, stateMap } from './support/tearing.js';
const RECORDS = 60;
const SEED = 7;
const keyOf = (number) => `account ${String(number).padStart(2, '0')}`;
const keys = Array.from({ length: RECORDS }, (_, i) => keyOf(i + 1));
const textOf = (key, balance) => `${key}: balance ${balance}; `.repeat(30);
title('One torn write, without the log and with it');
say('A block has 4,096 bytes, a disk writes sectors of 512. Power that fails during a write leaves a block');
say('half old and half new. This disk is simulated, so that we can pull its plug, and look at it.');
const first = new FaultDisk({ seed: SEED });
const loaded = open('db', { storage: first.storage });
loaded.batch(keys.map(key => ({ type: 'put', key, value: textOf(key, 100) })));
loaded.close();
const settledDisk = () => first.crash('all', new Random(SEED));
chapter('With the log switched off');
say('A switch for tests: no images of blocks are kept beside the log, and a start reads nothing from it.');
say('After a loss of power the data file is all there is.');
say('');
const without = await withMutant('no log', () => pullThePlug(settledDisk()));
const corrupted = tell(without, [
    'Nobody can tell what the torn blocks held: they are damage, and their records are gone. A block that was',
    'not written at all is sound and holds the old balances, although the new ones were committed.',
], [
    ['the loss of power tore blocks, and they are still torn', countStates(without.states).torn > 0],
    ['the database answers XENON_CORRUPT with the number of a torn block', namesTorn(without)],
    ['committed updates are lost', without.updated < RECORDS],
    ['verify finds the damage', without.report?.ok !== true],
]);
chapter('With the log on');
say('The same records, the same updates, the same moment, the same sectors lost.');
say('');
const withLog = await pullThePlug(settledDisk());
const survived = tell(withLog, [
    'Before a block was overwritten, its image was synced beside the log, which held every committed change. Recovery put',
    'the torn blocks back from their images and brought the old ones up to date.',
], [
    ['the loss of power tore the same blocks', sameStates(withLog.torn, without.torn)],
    ['no block is torn any more, and none is old', settled(withLog.states)],
    [`all ${RECORDS} records are there, updated`, withLog.updated === RECORDS],
    ['verify finds nothing', withLog.report?.ok === true && withLog.report.records === RECORDS],
]);
const right = corrupted && survived;
console.log();
console.log((right ? pc.green : pc.red)(pc.bold(`Log off: ${corrupted ? 'corrupted' : 'NOT corrupted'}, ${RECORDS - without.updated} of ${RECORDS} committed updates lost. ` +
    `Log on: ${survived ? 'unharmed' : 'HARMED'}, ${RECORDS - withLog.updated} lost.`)));
process.exitCode = right ? 0 : 1;
async function pullThePlug(disk) {
    const before = disk.bytes('db/data');
    const db = open('db', { storage: disk.storage });
    for (const key of keys)
        db.put(key, textOf(key, 200));
    disk.inject({ effect: 'crash', kinds: ['sync'], path: /data$/, after: 0 });
    await failsWithThePower(db);
    const after = disk.bytes('db/data');
    const left = disk.crash('sectors', new Random(SEED));
    const torn = compareBlocks(left.bytes('db/data'), before, after);
    say(`${RECORDS} records, each with a balance of 100. The data file before, a glyph per block:`);
    show(compareBlocks(before, before, after));
    say('Each balance becomes 200, and each put returns as committed; the blocks have changed in memory only.');
    call("for (const key of keys) db.put(key, '… balance 200 …')");
    say('A checkpoint writes the changed blocks over the old ones. The power fails before they are synced:');
    say('each sector on its way was written, or was not.');
    call('await db.checkpoint()');
    show(torn);
    say('The next start opens what is left and asks for every record. The data file then:');
    call("open('db')");
    const found = await lookInto(left);
    const states = compareBlocks(left.bytes('db/data'), before, after);
    show(states);
    return { ...found, states, torn };
}
async function failsWithThePower(db) {
    try {
        await db.checkpoint();
    }
    catch (error) {
        if (error instanceof SimulatedCrash)
            return;
        throw error;
    }
    throw new Error('the checkpoint went through; the power should have failed');
}
async function lookInto(disk) {
    const found = {
        updated: 0,
        old: 0,
        missing: 0,
        refused: [],
        unreadable: 0,
        report: undefined,
    };
    const db = soundly(found.refused, () => open('db', { storage: disk.storage }));
    if (db === undefined)
        return { ...found, unreadable: RECORDS };
    for (const key of keys) {
        const complaints = found.refused.length;
        const value = soundly(found.refused, () => db.get(key));
        if (found.refused.length > complaints)
            found.unreadable++;
        else if (value === textOf(key, 200))
            found.updated++;
        else if (value === textOf(key, 100))
            found.old++;
        else
            found.missing++;
    }
    found.report = await db.verify();
    db.close();
    return found;
}
function soundly(complaints, run) {
    try {
        return run();
    }
    catch (error) {
        if (!(error instanceof CorruptionError))
            throw error;
        complaints.push(error);
        return undefined;
    }
}
function complaintOf({ refused, states }) {
    return refused.find(({ block }) => block !== undefined && states[block] === 'torn');
}
function namesTorn(outcome) {
    return complaintOf(outcome)?.code === 'XENON_CORRUPT';
}
function sameStates(some, others) {
    return some.join() === others.join();
}
function settled(states) {
    const { torn, old } = countStates(states);
    return torn === 0 && old === 0;
}
function call(code) {
    step(code, () => { });
}
function show(states) {
    for (const line of ['', ...stateMap(states), '', ...stateLegend(states), ''])
        say(line && `   ${line}`);
}
function tell(outcome, moral, claims) {
    const { updated, old, missing, unreadable, refused } = outcome;
    say(`Of ${RECORDS} records: ${updated} updated, ${old} old, ${unreadable} unreadable, ${missing} missing.`);
    const complaint = complaintOf(outcome) ?? refused[0];
    if (complaint)
        say(pc.red(`${complaint.code}: ${complaint.message}`));
    for (const line of moral)
        say(line);
    say('');
    for (const [claim, holds] of claims)
        check(claim, holds);
    return claims.every(([, holds]) => holds);
}
//# sourceMappingURL=corrupt-write.js.map