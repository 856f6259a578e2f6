import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { open } from 'xenondb';
import { crashKey, LAST_KEY, PARTS } from './crash-records.js';
import { chapter, check, duration, keepTime, number, say, timed } from './lesson.js';
import { checkEveryRecord, openCities } from './real-data.js';
const CHILD = fileURLToPath(new URL('../crash-child.js', import.meta.url));
const DEADLINE_MS = 60_000;
export async function killAndRecover(directory, cities, acks) {
    chapter('A process is killed while it writes');
    say('A second process writes into the cities, one durable transaction of six records after the other,');
    say('and reports each number when its commit has returned. Then it gets SIGKILL.\n');
    const acknowledged = await killWhileWriting(directory, acks);
    say(`acknowledged before the kill: ${number(acknowledged)} transactions`);
    const opening = timed(() => open(directory, { valueEncoding: 'json' }));
    const db = opening.answer;
    keepTime('open after SIGKILL, with recovery', opening.ms);
    sayRecovery(db, opening.ms);
    checkTransactions(db, acknowledged);
    db.close();
    const again = openCities(directory);
    check('a second opening has nothing to recover', !again.stats().recovery.needed);
    checkEveryRecord(again, cities);
    again.close();
}
async function killWhileWriting(directory, acks) {
    const child = spawn(process.execPath, [CHILD, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    let killing = false;
    child.stdout.setEncoding('utf8').on('data', (text) => {
        output += text;
        if (killing || lastNumber(output) < acks)
            return;
        killing = true;
        setTimeout(() => child.kill('SIGKILL'), Math.random() * 50);
    });
    const deadline = setTimeout(() => child.kill('SIGTERM'), DEADLINE_MS);
    const signal = await new Promise((resolve, reject) => {
        child.once('error', reject);
        child.once('close', (_, by) => resolve(by));
    });
    clearTimeout(deadline);
    check('the child ended by SIGKILL, not by itself', signal === 'SIGKILL');
    return lastNumber(output);
}
function lastNumber(output) {
    return Number(output.slice(0, output.lastIndexOf('\n')).split('\n').at(-1));
}
function sayRecovery(db, ms) {
    const { recovery } = db.stats();
    const { recordsScanned, redone, transactionsRolledBack } = recovery;
    say(`recovery in ${duration(ms)}: ${number(recordsScanned)} log records read, ${number(redone)} changes redone, ` +
        `${number(transactionsRolledBack)} transactions rolled back`);
    say('');
    check('the database noticed that it had not been closed', recovery.needed);
}
function checkTransactions(db, acknowledged) {
    const whole = (n) => partsFound(db, n) === PARTS;
    const missing = Array.from({ length: acknowledged }, (_, i) => i + 1).filter(n => !whole(n));
    check(`all ${number(acknowledged)} acknowledged transactions are there, whole`, missing.length === 0);
    const last = db.get(LAST_KEY)?.transaction ?? 0;
    check(`the last one is number ${number(last)}: acknowledged, or the one in flight when the process died`, last === acknowledged || last === acknowledged + 1);
    check('no transaction is half there', whole(last) && partsFound(db, last + 1) === 0);
}
function partsFound(db, transaction) {
    let found = 0;
    for (let part = 0; part < PARTS; part++) {
        const record = db.get(crashKey(transaction, part));
        if (record?.transaction === transaction && record.part === part)
            found++;
    }
    return found;
}
//# sourceMappingURL=crash.js.map