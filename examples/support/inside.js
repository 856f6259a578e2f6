import { cityKey } from './cities.js';
import { chapter, check, duration, keepTime, number, say } from './lesson.js';
import { blockMap, fillHistogram } from './picture.js';
import { openCities } from './real-data.js';
export async function lookInside(directory, cities) {
    chapter('What lies in the file');
    const db = openCities(directory);
    const started = performance.now();
    const report = await db.verify();
    const ms = performance.now() - started;
    keepTime(`verify ${number(report.blocks.total)} blocks`, ms, report.blocks.total);
    checkReport(report);
    draw(report);
    sayStats(db);
    await reuse(db, cities);
    db.close();
}
function checkReport(report) {
    check(`verify: every block, chain, count and freelist is sound (${number(report.records)} records)`, report.ok);
    for (const problem of report.problems)
        say(`  ${problem}`);
}
function draw({ blocks, fill, fillHistogram: histogram, maxDepth }) {
    say('');
    for (const line of blockMap(blocks))
        say(line);
    say('');
    say(`Blocks with records are ${(fill * 100).toFixed(0)} % full on average; a lookup touches at most ${maxDepth}:\n`);
    for (const line of fillHistogram(histogram))
        say(line);
}
function sayStats(db) {
    const { dataBytes, logBytes, logSegments, cache, blockSize } = db.stats();
    const mib = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
    say('');
    say(`data ${mib(dataBytes)} in blocks of ${number(blockSize)} bytes; log ${mib(logBytes)} in ${logSegments} segments;`);
    say(`buffer pool: ${number(cache.framesUsed)} of ${number(cache.frames)} frames hold a block`);
}
async function reuse(db, cities) {
    const chosen = cities.filter((_, i) => i % 20 === 0);
    say('');
    say(`The freelist at work: delete ${number(chosen.length)} records, look, put them back, look again.\n`);
    const before = await db.verify();
    const started = performance.now();
    db.transaction(tx => {
        for (const city of chosen)
            tx.delete(cityKey(city));
    });
    const deleted = await db.verify();
    db.transaction(tx => {
        for (const city of chosen)
            tx.put(cityKey(city), city);
    });
    const ms = performance.now() - started;
    const after = await db.verify();
    sayLine('before', before);
    sayLine('deleted', deleted);
    sayLine('put back', after);
    say(`  (${duration(ms)} for both transactions and the check between)`);
    say('');
    check('the records are all back', after.records === before.records && after.ok && deleted.ok);
    check('and the file has not grown', after.blocks.total <= before.blocks.total);
}
function sayLine(when, { records, freeSlots, blocks }) {
    const [total, free] = [number(blocks.total).padStart(7), number(blocks.free).padStart(5)];
    say(`  ${when.padEnd(9)} ${number(records).padStart(8)} records  ${number(freeSlots).padStart(7)} free slots  ` +
        `${total} blocks, ${free} of them free`);
}
//# sourceMappingURL=inside.js.map