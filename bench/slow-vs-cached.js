import { open } from 'xenondb';
import { count, microseconds } from './support/format.js';
import { outputDirectory, positiveInteger, positiveIntegers } from './support/options.js';
import { Random } from './support/random.js';
import { keyOf, VALUE_BYTES, valueAt } from './support/records.js';
import { writeResults } from './support/results.js';
import { median } from './support/statistics.js';
import { Stopwatch } from './support/stopwatch.js';
import { printTable } from './support/table.js';
import { makeTemporaryDirectory, removeTemporaryDirectory } from './support/temp.js';
const MODES = ['reopened', '16 frames', 'cached'];
const BLOCK = 4096;
const OPERATIONS = 20_000;
const REOPENED_OPERATIONS = 40;
const PUT_EVERY = 10;
export async function run(options) {
    const preset = options.quick ? [1000, 10_000] : [1000, 10_000, 100_000];
    const sizes = positiveIntegers('records', options.records, options.full ? [...preset, 1_000_000] : preset);
    const repeats = positiveInteger('repeats', options.repeats, options.quick ? 1 : 3);
    const rows = [];
    for (const records of sizes) {
        console.error(`${count(records)} records …`);
        rows.push(await measureSize(records, repeats));
    }
    report(rows);
    writeResults(outputDirectory(options), {
        benchmark: 'slow-vs-cached',
        options: { sizes, repeats, operations: OPERATIONS, reopenedOperations: REOPENED_OPERATIONS },
        data: rows,
        charts: charts(rows),
    });
    return 0;
}
function openWith(directory, mode) {
    const pool = mode === 'cached' ? {} : { cacheBytes: 16 * BLOCK };
    return open(directory, { durability: 'process', ordered: false, blockSize: BLOCK, ...pool });
}
async function measureSize(records, repeats) {
    const directory = makeTemporaryDirectory();
    try {
        load(directory, records);
        const samples = { reopened: [], '16 frames': [], cached: [] };
        for (let repeat = 0; repeat < repeats; repeat += 1) {
            for (const mode of MODES)
                samples[mode].push(await measure(directory, mode, records, repeat));
        }
        const of = (mode) => middle(samples[mode]);
        return { records, reopened: of('reopened'), '16 frames': of('16 frames'), cached: of('cached') };
    }
    finally {
        removeTemporaryDirectory(directory);
    }
}
function load(directory, records) {
    const db = openWith(directory, 'cached');
    for (let from = 0; from < records; from += 1000) {
        const numbers = Array.from({ length: Math.min(1000, records - from) }, (_, index) => from + index);
        db.batch(numbers.map(number => ({ type: 'put', key: keyOf(number), value: valueAt(number, 0) })));
    }
    db.close();
}
function measure(directory, mode, records, repeat) {
    return mode === 'reopened'
        ? measureReopened(directory, records, repeat)
        : measureOpen(directory, mode, records, repeat);
}
async function measureOpen(directory, mode, records, repeat) {
    const random = new Random(repeat + 1);
    const db = openWith(directory, mode);
    if (mode === 'cached')
        for (let number = 0; number < records; number += 1)
            db.get(keyOf(number));
    operate(db, randomKeys(random, records, OPERATIONS >> 1), repeat);
    const keys = randomKeys(random, records, OPERATIONS);
    const readBefore = db.stats().cache.blockReads;
    const stopwatch = new Stopwatch();
    await stopwatch.measure(() => operate(db, keys, repeat));
    const reads = db.stats().cache.blockReads - readBefore;
    db.close();
    return { secondsPerOperation: stopwatch.seconds / OPERATIONS, readsPerOperation: reads / OPERATIONS };
}
async function measureReopened(directory, records, repeat) {
    const keys = randomKeys(new Random(repeat + 1), records, REOPENED_OPERATIONS);
    const stopwatch = new Stopwatch();
    let reads = 0;
    for (const [index, key] of keys.entries()) {
        await stopwatch.measure(() => {
            const db = openWith(directory, 'reopened');
            operateOnce(db, key, index, repeat);
            reads += db.stats().cache.blockReads;
            db.close();
        });
    }
    return { secondsPerOperation: stopwatch.seconds / keys.length, readsPerOperation: reads / keys.length };
}
function randomKeys(random, records, length) {
    return Array.from({ length }, () => keyOf(random.below(records)));
}
function operate(db, keys, repeat) {
    for (let index = 0; index < keys.length; index += 1)
        operateOnce(db, keys[index], index, repeat);
}
function operateOnce(db, key, index, repeat) {
    if (index % PUT_EVERY === 0)
        db.put(key, valueAt(index, repeat + 1));
    else if (db.get(key)?.length !== VALUE_BYTES)
        throw new Error(`record ${key} is missing or damaged`);
}
function middle(samples) {
    return {
        secondsPerOperation: median(samples.map(sample => sample.secondsPerOperation)),
        readsPerOperation: median(samples.map(sample => sample.readsPerOperation)),
    };
}
function report(rows) {
    const head = ['records', ...MODES.flatMap(mode => [`${mode}: time`, 'block reads']), '16 frames / cached'];
    console.log('\nper operation, nine gets to one put');
    printTable(head, rows.map(row => [
        count(row.records),
        ...MODES.flatMap(mode => [microseconds(row[mode].secondsPerOperation), row[mode].readsPerOperation.toFixed(3)]),
        `${(row['16 frames'].secondsPerOperation / row.cached.secondsPerOperation).toFixed(1)} ×`,
    ]));
}
function charts(rows) {
    const series = (value) => MODES.map(name => ({ name, points: rows.map(row => [row.records, value(row[name])]) }));
    const shared = { kind: 'lines', xLabel: 'records in the database', logX: true };
    const note = 'nine random gets to one put; lower is better';
    return [
        {
            ...shared,
            title: 'Time per operation without and with the cache',
            note,
            yLabel: 'µs',
            logY: true,
            series: series(s => s.secondsPerOperation * 1e6),
        },
        {
            ...shared,
            title: 'Blocks read per operation',
            note,
            yLabel: 'blocks',
            series: series(s => s.readsPerOperation),
        },
    ];
}
//# sourceMappingURL=slow-vs-cached.js.map