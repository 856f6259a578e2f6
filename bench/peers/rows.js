import { short } from '../support/format.js';
export const rate = {
    metric: 'perSecond',
    format: short,
    better: 'higher',
    judged: 'ratio',
};
export const times = {
    format: (value) => value.toFixed(2),
    better: 'lower',
    judged: 'own',
};
export const always = (aim, bound) => () => ({ aim, bound });
const ownTimes = { better: 'lower', judged: 'own', format: short };
const asUnordered = { ...rate, against: 'xenondb-hash', goal: always(1, 0.95) };
export const rows = [
    { ...rate, label: 'bulk load, not fsynced', step: 'load', goal: always(1.1, 0.9) },
    { ...rate, label: 'full scan of entries', step: 'scan-entries', goal: always(3, 1.5) },
    { ...rate, label: 'full scan of keys', step: 'scan-keys', goal: always(1.5, 1) },
    { ...rate, label: 'ranges of 100', step: 'ranges', goal: always(2, 1.3) },
    { ...rate, label: 'delete half and reinsert', step: 'churn', goal: always(1.3, 1.1) },
    { ...rate, label: 'random get, hit', step: 'get-hit', goal: always(2, 1.7) },
    { ...rate, label: 'random get, miss', step: 'get-miss', goal: always(3.5, 2.8) },
    { ...rate, label: "update, 'process'", step: 'update-process', goal: always(2.5, 1.7) },
    { ...rate, label: "update, 'none'", step: 'update-none', peerStep: 'update-process', goal: always(6, 4) },
    { ...rate, label: '10-update transactions', step: 'transactions', goal: always(2.7, 1.9) },
    { ...rate, label: 'bulk load, durable', step: 'load-durable', goal: always(3, 2) },
    {
        ...rate,
        label: 'durable put, of raw',
        step: 'durable-one',
        metric: 'ofRaw',
        judged: 'own',
        format: value => value.toFixed(2),
        goal: always(0.97, 0.94),
    },
    { ...rate, label: 'durable puts, 256 in flight', step: 'durable-flight', goal: always(4, 2.5) },
    { ...rate, label: '… each its own commit', step: 'durable-flight', metric: 'ownCommits' },
    { ...ownTimes, label: 'open and first get, ms', step: 'open', metric: 'milliseconds', goal: always(2, 3.5) },
    { ...ownTimes, label: 'close after load, ms', step: 'load', metric: 'closeMilliseconds', goal: always(40, 150) },
    {
        ...times,
        label: 'file open after load, of live',
        step: 'load',
        metric: 'openBytesOfLive',
        goal: always(1.8, 2.2),
    },
    { ...times, label: 'file after load, of live', step: 'load', metric: 'bytesOfLive', goal: always(1.8, 2) },
    { ...times, label: 'file after churn, of live', step: 'churn', metric: 'bytesOfLive' },
    {
        ...times,
        label: 'file after churn, of before',
        step: 'churn',
        metric: 'growth',
        format: value => value.toFixed(3),
        goal: always(1, 1),
    },
    {
        ...times,
        label: 'after deleting 90 % and compact, of live',
        step: 'compact',
        metric: 'bytesOfLive',
        goal: always(1.3, 1.4),
    },
    { ...times, label: 'peak memory of load, MiB', step: 'memory', metric: 'mebibytes', format: short },
    { ...rate, label: 'unordered load', step: 'load', of: 'xenondb-hash', goal: always(1.2, 1) },
    { ...asUnordered, label: 'random get, of unordered', step: 'get-hit' },
    { ...asUnordered, label: "update, 'process', of unordered", step: 'update-process' },
];
//# sourceMappingURL=rows.js.map