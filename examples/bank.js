import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { open } from 'xenondb';
class NotEnough extends Error {
}
const directory = mkdtempSync(join(tmpdir(), 'xenondb-bank-'));
const db = open(join(directory, 'bank'), { valueEncoding: 'json' });
const accounts = ['ada', 'alan', 'barbara', 'edsger', 'grace'];
for (const account of accounts)
    db.put(`account/${account}`, 100);
const transfer = (from, to, amount) => db.async.transact(async (tx) => {
    const available = (await tx.get(`account/${from}`)) ?? 0;
    if (available < amount)
        throw new NotEnough(`${from} has only ${available}`);
    await tx.put(`account/${from}`, available - amount);
    const before = (await tx.get(`account/${to}`)) ?? 0;
    await tx.put(`account/${to}`, before + amount);
}, { retries: Number.POSITIVE_INFINITY });
const total = () => db.async.transact(async (tx) => {
    let sum = 0;
    for await (const balance of tx.values('account/'))
        sum += balance;
    return sum;
}, { readOnly: true });
const pick = (count) => Math.floor(Math.random() * count);
let done = 0;
let refused = 0;
const totals = new Set();
await Promise.all(Array.from({ length: 500 }, async (_, i) => {
    const from = pick(accounts.length);
    const to = (from + 1 + pick(accounts.length - 1)) % accounts.length;
    if (i % 10 === 0)
        totals.add(await total());
    try {
        await transfer(accounts[from], accounts[to], 1 + pick(50));
        done++;
    }
    catch (error) {
        if (!(error instanceof NotEnough))
            throw error;
        refused++;
    }
}));
const { deadlocks } = db.stats().transactions;
const least = Math.min(...db.values('account/'));
console.log(`${done + refused} transfers, all at once: ${done} done, ${refused} refused for want of money`);
console.log(`${deadlocks} times two waited for each other, and one of them ran again`);
console.log(`total, whenever somebody looked: ${[...totals].join(', ')}`);
console.log(`total now: ${await total()}, and ${least < 0 ? 'somebody' : 'nobody'} is below zero`);
db.close();
rmSync(directory, { recursive: true });
if (least < 0 || done + refused !== 500 || totals.size !== 1 || !totals.has(500))
    process.exitCode = 1;
//# sourceMappingURL=bank.js.map