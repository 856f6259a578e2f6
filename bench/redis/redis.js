import { count, short } from '../support/format.js';
import { outputDirectory, positiveInteger } from '../support/options.js';
import { writeResults } from '../support/results.js';
import { median } from '../support/statistics.js';
import { printTable } from '../support/table.js';
import { makeTemporaryDirectory, removeTemporaryDirectory } from '../support/temp.js';
import { runLoad } from './load.js';
import { redisVersion, startServer } from './servers.js';
const CLIENTS = 50;
const VALUE_BYTES = 100;
const SERVERS = ['redis-server', 'xenondb'];
const ROWS = [
    { label: 'durable SET', command: 'set', pipeline: 1, aim: 1.2, bound: 0.9 },
    { label: 'durable SET, -P 16', command: 'set', pipeline: 16, aim: 0.8, bound: 0.5 },
    { label: 'GET', command: 'get', pipeline: 1, aim: 0.95, bound: 0.8 },
    { label: 'GET, -P 16', command: 'get', pipeline: 16, aim: 0.6, bound: 0.4 },
];
export async function run(options) {
    const keys = positiveInteger('keys', options.keys, options.quick ? 10_000 : 1_000_000);
    const repeats = positiveInteger('repeats', options.repeats, options.quick ? 1 : 3);
    const seconds = positiveInteger('seconds', options.seconds, options.quick ? 1 : 5);
    const version = redisVersion();
    if (version === undefined) {
        console.log('SKIPPED: there is no redis-server here (apt-get install redis-server redis-tools)');
        return 0;
    }
    const { samples, commands } = await measure(keys, repeats, seconds);
    const figures = ROWS.map(row => figureOf(row, samples));
    report(figures, keys, version);
    writeResults(outputDirectory(options), {
        benchmark: 'redis',
        options: { keys, repeats, seconds, clients: CLIENTS, valueBytes: VALUE_BYTES },
        data: { redis: version, commands, figures, samples },
        charts: [chart(figures, keys, version)],
    });
    return 0;
}
async function measure(keys, repeats, seconds) {
    const directories = SERVERS.map(() => makeTemporaryDirectory());
    const servers = [];
    try {
        for (const [i, name] of SERVERS.entries())
            servers.push(await startServer(name, directories[i]));
        for (const server of servers)
            await fill(server, keys);
        const samples = [];
        for (let repeat = 0; repeat < repeats; repeat++) {
            for (const row of ROWS) {
                for (const server of repeat % 2 === 0 ? servers : servers.toReversed())
                    samples.push(await sample(server, row, keys, repeat, seconds));
            }
        }
        return { samples, commands: servers.map(({ command }) => command) };
    }
    finally {
        for (const server of servers)
            await server.stop();
        for (const directory of directories)
            removeTemporaryDirectory(directory);
    }
}
async function fill(server, keys) {
    const load = { ...loadOf('set', 64, keys), requests: keys };
    const { perSecond } = await runLoad(server.port, load);
    console.log(`${server.name}: ${count(keys)} SETs to fill it, ${short(perSecond)} per second`);
}
async function sample(server, row, keys, repeat, seconds) {
    const load = loadOf(row.command, row.pipeline, keys);
    const warm = await runLoad(server.port, { ...load, requests: 5_000 * row.pipeline });
    const requests = Math.max(1000, Math.ceil(warm.perSecond * seconds));
    const result = await runLoad(server.port, { ...load, requests });
    return { row: row.label, server: server.name, repeat, requests, ...result };
}
function loadOf(command, pipeline, keys) {
    return { command, pipeline, keys, requests: 0, clients: CLIENTS, valueBytes: VALUE_BYTES };
}
function figureOf(row, samples) {
    const medianOf = (server, figure) => median(samples.filter(each => each.row === row.label && each.server === server).map(each => each[figure]));
    const resultOf = (server) => ({
        perSecond: medianOf(server, 'perSecond'),
        p50: medianOf(server, 'p50'),
        p99: medianOf(server, 'p99'),
    });
    const medians = { 'redis-server': resultOf('redis-server'), xenondb: resultOf('xenondb') };
    return { row, medians, ratio: medians.xenondb.perSecond / medians['redis-server'].perSecond };
}
function report(figures, keys, version) {
    console.log(`\nrequests per second, -c ${CLIENTS}, ${VALUE_BYTES}-byte values, ${count(keys)} random keys; redis-server ${version}; medians`);
    printTable(['', 'redis-server', 'xenondb', 'ratio', 'aim', 'at least', '', 'p99 ms, redis', 'p99 ms, xenondb'], figures.map(({ row, medians, ratio }) => [
        row.label,
        short(medians['redis-server'].perSecond),
        short(medians.xenondb.perSecond),
        ratio.toFixed(2),
        `≥ ${row.aim}`,
        `≥ ${row.bound}`,
        ratio >= row.aim ? 'PASS +' : ratio >= row.bound ? 'PASS' : 'SHORT',
        medians['redis-server'].p99.toFixed(2),
        medians.xenondb.p99.toFixed(2),
    ]));
}
function chart(figures, keys, version) {
    return {
        kind: 'bars',
        title: 'xenondb serve beside redis-server, every write durable',
        note: `redis-benchmark -c ${CLIENTS}, ${VALUE_BYTES}-byte values, ${count(keys)} random keys; redis-server ${version} with appendfsync always. Higher is better`,
        xLabel: '',
        yLabel: 'requests per second',
        logY: true,
        categories: figures.map(({ row }) => row.label),
        series: SERVERS.map(name => ({ name, values: figures.map(({ medians }) => medians[name].perSecond) })),
    };
}
//# sourceMappingURL=redis.js.map