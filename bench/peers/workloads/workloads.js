import { churn } from './churn.js';
import { inFlight, oneAtATime } from './durable.js';
import { latency } from './latency.js';
import { load, loadMore, memory } from './load.js';
import { compact, ranges, scanEntries, scanKeys, scanPieces } from './ordered.js';
import { getHit, getMiss, getWarm, openAgain } from './reads.js';
import { transactions, update } from './updates.js';
import { ycsb, ycsbLoad } from './ycsb.js';
export const workloads = {
    load,
    'load-more': loadMore,
    memory,
    open: openAgain,
    'get-hit': getHit,
    'get-miss': getMiss,
    'get-warm': getWarm,
    update,
    transactions,
    'durable-one': oneAtATime,
    'durable-flight': inFlight,
    churn,
    latency,
    ranges,
    'scan-entries': scanEntries,
    'scan-keys': scanKeys,
    'scan-pieces': scanPieces,
    compact,
    'ycsb-load': ycsbLoad,
    'ycsb-a': ycsb('a'),
    'ycsb-b': ycsb('b'),
    'ycsb-c': ycsb('c'),
    'ycsb-d': ycsb('d'),
    'ycsb-e': ycsb('e'),
    'ycsb-f': ycsb('f'),
};
//# sourceMappingURL=workloads.js.map