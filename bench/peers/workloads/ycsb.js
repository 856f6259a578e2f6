import { absolute, fnv64 } from '../../support/hash.js';
import { Latencies } from '../../support/latencies.js';
import { Random } from '../../support/random.js';
import { VALUE_BYTES, valueAt } from '../../support/records.js';
import { scrambledZipfian, Zipfian } from '../../support/zipfian.js';
import { BATCH, openJob, operationsPerSecond, range } from './work.js';
const FIELDS = 10;
const RECORD_LENGTH = FIELDS * VALUE_BYTES;
const LONGEST_SCAN = 100;
const PIECE = 1000;
const MIXES = {
    a: { usual: 'read', other: 'update', share: 0.5 },
    b: { usual: 'read', other: 'update', share: 0.05 },
    c: { usual: 'read', other: 'read', share: 0 },
    d: { usual: 'read', other: 'insert', share: 0.05, latest: true },
    e: { usual: 'scan', other: 'insert', share: 0.05 },
    f: { usual: 'read', other: 'readModifyWrite', share: 0.5 },
};
export async function ycsbLoad(job, openStore) {
    const store = await openJob(job, openStore);
    await insertAll(store, job.records);
    await store.close();
    return {};
}
export function ycsb(name) {
    return (job, openStore) => runMix(job, openStore, MIXES[name]);
}
async function runMix(job, openStore, mix) {
    const store = await openJob(job, openStore);
    if (mix.other === 'insert')
        await insertAll(store, job.records);
    const make = maker(job, mix);
    const perSecond = await operationsPerSecond(job, make, operations => doAll(store, operations));
    const latencies = new Latencies();
    await operationsPerSecond({ ...job, seconds: job.seconds / 2 }, make, operations => doTimed(store, operations, latencies), () => latencies.reset());
    await store.close();
    return { perSecond, ...latencies.percentiles() };
}
async function insertAll(store, records) {
    for (let from = 0; from < records; from += BATCH) {
        const numbers = range(from, Math.min(from + BATCH, records));
        const keys = numbers.map(ycsbKey);
        const values = numbers.map(recordOf);
        await store.putBatch(keys, values);
    }
}
function maker(job, mix) {
    const random = new Random(job.seed);
    let records = job.records;
    const anywhere = scrambledZipfian(random, job.records);
    const newest = new Zipfian(random, mix.latest ? records : 2);
    const chosen = () => (mix.latest ? records - 1 - newest.next() : anywhere());
    const insert = () => {
        records += 1;
        if (mix.latest)
            newest.grow(records);
        return records - 1;
    };
    let version = 0;
    return () => {
        const operations = { kinds: [], keys: [], values: [], numbers: [] };
        for (let at = 0; at < PIECE; at += 1) {
            const kind = random.next() / 2 ** 32 < mix.share ? mix.other : mix.usual;
            const record = kind === 'insert' ? insert() : chosen();
            version += 1;
            operations.kinds.push(kind);
            operations.keys.push(ycsbKey(record));
            operations.values.push(kind === 'insert' ? recordOf(record) : valueAt(record, version));
            operations.numbers.push(kind === 'scan' ? 1 + random.below(LONGEST_SCAN) : random.below(FIELDS));
        }
        return operations;
    };
}
async function doAll(store, operations) {
    for (let at = 0; at < operations.kinds.length; at += 1) {
        const pending = operate(store, operations, at);
        if (pending instanceof Promise)
            await pending;
    }
}
async function doTimed(store, operations, latencies) {
    for (let at = 0; at < operations.kinds.length; at += 1) {
        const started = performance.now();
        const pending = operate(store, operations, at);
        if (pending instanceof Promise)
            await pending;
        latencies.add(performance.now() - started);
    }
}
function operate(store, { kinds, keys, values, numbers }, at) {
    const key = keys[at];
    switch (kinds[at]) {
        case 'read':
            return void read(store, key);
        case 'insert':
            return store.put(key, values[at]);
        case 'scan':
            return scan(store, key, numbers[at]);
        case 'readModifyWrite':
            read(store, key);
            return updateField(store, key, numbers[at], values[at]);
        case 'update':
            return updateField(store, key, numbers[at], values[at]);
    }
}
function read(store, key) {
    const record = store.get(key);
    if (record?.length !== RECORD_LENGTH)
        throw new Error(`record ${key} is missing or damaged`);
    return record;
}
function scan(store, key, length) {
    const check = (characters) => {
        if (characters < RECORD_LENGTH)
            throw new Error(`the scan from ${key} did not find it`);
    };
    const seen = store.entries(key, length);
    return typeof seen === 'number' ? check(seen) : seen.then(check);
}
function updateField(store, key, field, value) {
    const record = read(store, key);
    const from = field * VALUE_BYTES;
    return store.put(key, record.slice(0, from) + value + record.slice(from + VALUE_BYTES));
}
function ycsbKey(number) {
    return Buffer.from(`user${absolute(fnv64(number))}`, 'latin1').toString('latin1');
}
function recordOf(number) {
    const fields = Array.from({ length: FIELDS }, (_, field) => valueAt(number, field * 397));
    return Buffer.from(fields.join(''), 'latin1').toString('latin1');
}
//# sourceMappingURL=ycsb.js.map