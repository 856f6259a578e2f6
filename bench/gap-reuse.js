import { open } from 'xenondb';
import { count, mebibytes, short } from './support/format.js';
import { outputDirectory, positiveInteger } from './support/options.js';
import { keyOf, RECORD_BYTES, valueAt } from './support/records.js';
import { writeResults } from './support/results.js';
import { Stopwatch } from './support/stopwatch.js';
import { printTable } from './support/table.js';
import { makeTemporaryDirectory, removeTemporaryDirectory } from './support/temp.js';
const SMALL = 128;
const BATCH = 1000;
const TOLERANCE = 0.05;
export async function run(options) {
    const records = positiveInteger('records', options.records, options.quick ? 10_000 : 100_000);
    const rounds = positiveInteger('rounds', options.rounds, 5);
    const small = await inDatabase(smallProof);
    const large = await inDatabase(db => largeRounds(db, records, rounds));
    const passed = report(small, large, records);
    writeResults(outputDirectory(options), {
        benchmark: 'gap-reuse',
        options: { records, rounds },
        data: { passed, small, large },
        charts: [chart(large, records)],
    });
    return passed ? 0 : 1;
}
function openHere(directory) {
    return open(directory, { durability: 'process', ordered: false });
}
async function inDatabase(work) {
    const directory = makeTemporaryDirectory();
    const db = openHere(directory);
    try {
        return await work(db);
    }
    finally {
        db.close();
        removeTemporaryDirectory(directory);
    }
}
function smallProof(db) {
    const steps = [() => addOneByOne(db, 0), () => deleteOneByOne(db, 0), () => addOneByOne(db, SMALL)];
    return steps.map(step => {
        step();
        return db.stats().blocks.total;
    });
}
function addOneByOne(db, first) {
    for (let number = first; number < first + SMALL; number += 1)
        db.put(keyOf(number), valueAt(number, 0));
}
function deleteOneByOne(db, first) {
    for (let number = first; number < first + SMALL; number += 1)
        db.delete(keyOf(number));
}
async function largeRounds(db, records, rounds) {
    const results = [];
    for (let round = 0; round <= rounds; round += 1) {
        const deletes = round === 0 ? Number.NaN : await change(db, 'delete', (round - 1) * records, records);
        const { free } = db.stats().blocks;
        const adds = await change(db, 'put', round * records, records);
        await db.checkpoint();
        results.push(roundOf(round, db.stats(), free, adds, deletes));
    }
    return results;
}
function roundOf(round, stats, free, adds, deletes) {
    return {
        round,
        blocks: stats.blocks.total,
        freeBlocksAfterDelete: free,
        dataBytes: stats.dataBytes,
        allocatedBytes: stats.dataBytesAllocated,
        addsPerSecond: adds,
        deletesPerSecond: deletes,
    };
}
async function change(db, type, first, records) {
    const stopwatch = new Stopwatch();
    for (let from = first; from < first + records; from += BATCH) {
        const length = Math.min(BATCH, first + records - from);
        const numbers = Array.from({ length }, (_, index) => from + index);
        const operations = numbers.map(number => ({ type, key: keyOf(number), value: valueAt(number, 0) }));
        await stopwatch.measure(() => db.batch(operations));
    }
    return records / stopwatch.seconds;
}
function report(small, large, records) {
    const [first, deleted, again] = small;
    const same = first === again;
    console.log(`\nblocks after adding ${SMALL} records ${first}, after deleting them ${deleted}, after ${SMALL} others ${again}`);
    console.log(`${same ? 'PASS' : 'FAIL'}: ${same ? 'the same number of blocks' : 'the number of blocks changed'}\n`);
    printTable(['round', 'blocks', 'free after delete', 'file', 'on disk', 'of live', 'adds/s', 'deletes/s'], large.map(row));
    const limit = Math.floor(large[0].blocks * (1 + TOLERANCE));
    const most = Math.max(...large.map(round => round.blocks));
    const bounded = most <= limit;
    const verdict = `${count(records)} records: at most ${count(most)} blocks, ${count(limit)} allowed (first load + 5 %)`;
    console.log(`${bounded ? 'PASS' : 'FAIL'}: ${verdict}`);
    return same && bounded;
    function row(round) {
        return [
            round.round === 0 ? 'first load' : `round ${round.round}`,
            count(round.blocks),
            round.round === 0 ? '-' : count(round.freeBlocksAfterDelete),
            mebibytes(round.dataBytes),
            mebibytes(round.allocatedBytes),
            (round.allocatedBytes / (records * RECORD_BYTES)).toFixed(2),
            short(round.addsPerSecond),
            short(round.deletesPerSecond),
        ];
    }
}
function chart(large, records) {
    const inMiB = (bytes) => bytes / 2 ** 20;
    return {
        kind: 'bars',
        title: 'File size while all records are replaced by others',
        note: `${count(records)} records of ${RECORD_BYTES} bytes; each round deletes all and adds as many others. Flat is good`,
        xLabel: 'round',
        yLabel: 'MiB',
        categories: large.map(({ round }) => (round === 0 ? 'first load' : `round ${round}`)),
        series: [
            { name: 'data file', values: large.map(round => inMiB(round.dataBytes)) },
            { name: 'allocated on disk', values: large.map(round => inMiB(round.allocatedBytes)) },
            { name: 'live bytes', values: large.map(() => inMiB(records * RECORD_BYTES)) },
        ],
    };
}
//# sourceMappingURL=gap-reuse.js.map