import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { open } from 'xenondb';
const directory = mkdtempSync(join(tmpdir(), 'xenondb-write-skew-'));
const db = open(join(directory, 'hospital'));
const goHome = (doctor, isolation) => db.async.transact(async (tx) => {
    let onCall = 0;
    for await (const state of tx.values('doctor/'))
        if (state === 'on call')
            onCall++;
    if (onCall < 2)
        return false;
    await new Promise(resolve => setTimeout(resolve, 10));
    await tx.put(`doctor/${doctor}`, 'at home');
    return true;
}, { isolation });
let isAsExpected = true;
for (const isolation of ['read-committed', 'snapshot', 'serializable']) {
    db.put('doctor/ada', 'on call');
    db.put('doctor/grace', 'on call');
    const left = await Promise.all([goHome('ada', isolation), goHome('grace', isolation)]);
    const onCall = [...db.values('doctor/')].filter(state => state === 'on call').length;
    const verdict = onCall > 0 ? 'the rule holds' : 'the rule is broken';
    console.log(`${isolation}: ${left.filter(Boolean).length} went home, ${onCall} on call, ${verdict}`);
    isAsExpected &&= onCall === (isolation === 'serializable' ? 1 : 0);
}
db.put('doctor/ada', 'on call');
db.put('doctor/grace', 'on call');
const goHomeWithTicket = (doctor) => db.async.transact(async (tx) => {
    await tx.put('ticket', doctor);
    let onCall = 0;
    for await (const state of tx.values('doctor/'))
        if (state === 'on call')
            onCall++;
    if (onCall < 2)
        return false;
    await new Promise(resolve => setTimeout(resolve, 10));
    await tx.put(`doctor/${doctor}`, 'at home');
    return true;
}, { isolation: 'snapshot' });
const left = await Promise.all([goHomeWithTicket('ada'), goHomeWithTicket('grace')]);
const wentHome = left.filter(Boolean).length;
console.log(`snapshot, with a record that both change: ${wentHome} went home, the rule holds`);
isAsExpected &&= wentHome === 1;
db.close();
rmSync(directory, { recursive: true });
if (!isAsExpected)
    process.exitCode = 1;
//# sourceMappingURL=write-skew.js.map