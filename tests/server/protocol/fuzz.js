import { RequestParser } from '../../../src/server/protocol/parser.js';
import { Random } from '../../support/random.js';
const LIMITS = { arguments: 1000, argumentBytes: 65536, queryBytes: 131072 };
const STRANGERS = { arguments: 10, argumentBytes: 1024, queryBytes: 4096 };
const SEEDS = [
    '*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\nvalue\r\n',
    '*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n*1\r\n$4\r\nPING\r\n',
    'SET key "quoted \\x41 value"\r\nPING\r\n',
    "SET 'single' plain\n",
    '*0\r\n*-1\r\n*1\r\n$0\r\n\r\n',
    '*2\r\n$4\r\nMGET\r\n$1000\r\n',
    '*1\r\n*1\r\n$1\r\na\r\n',
];
const PIECES = [
    '\r\n',
    '\n',
    '\r',
    '*',
    '$',
    '-1',
    '999999999999',
    '2147483648',
    '"',
    "'",
    '\\x',
    '\0',
    '*3\r\n',
    '$3\r\n',
    '0',
    ' ',
];
export function fuzzParser(seed, count) {
    const random = new Random(seed);
    const pick = (below) => random.below(below);
    const report = { requests: 0, failed: 0, more: 0 };
    for (let run = 0; run < count; run++) {
        let bytes = Buffer.from(SEEDS[pick(SEEDS.length)] + (pick(2) === 0 ? SEEDS[pick(SEEDS.length)] : ''), 'latin1');
        for (let changes = pick(5); changes > 0; changes--)
            bytes = mutate(bytes, pick);
        const parser = new RequestParser(LIMITS, STRANGERS, pick(2) === 0);
        let at = 0;
        let ended = false;
        while (at < bytes.length && !ended) {
            const end = Math.min(bytes.length, at + 1 + pick(bytes.length));
            const chunk = Buffer.from(bytes.subarray(at, end));
            parser.feed(chunk);
            at = end;
            for (let step = parser.next();; step = parser.next()) {
                if (step === 'request') {
                    report.requests++;
                    check(parser);
                    continue;
                }
                if (step !== 'more')
                    ended = true;
                if (step === 'failed') {
                    report.failed++;
                    if (!parser.problem.startsWith('Protocol error: '))
                        throw new Error(`no problem named: ${parser.problem}`);
                }
                break;
            }
            if (ended)
                break;
            parser.settle();
            chunk.fill(0);
            if (parser.waiting > bytes.length)
                throw new Error('more waits than has arrived');
        }
        if (!ended)
            report.more++;
    }
    return report;
}
function check(parser) {
    if (parser.count < 1)
        throw new Error('a request without a word');
    for (let i = 0; i < parser.count; i++) {
        const start = parser.starts[i];
        const end = parser.ends[i];
        if (!(start >= 0 && start <= end && end <= parser.source.length))
            throw new Error(`argument ${i} lies outside`);
        if (end - start > LIMITS.argumentBytes)
            throw new Error('an argument above the limit');
    }
}
function mutate(bytes, pick) {
    const at = pick(bytes.length + 1);
    switch (pick(5)) {
        case 0:
            return Buffer.concat([
                bytes.subarray(0, at),
                Buffer.from([pick(256)]),
                bytes.subarray(Math.min(bytes.length, at + 1)),
            ]);
        case 1:
            return Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.min(bytes.length, at + 1 + pick(4)))]);
        case 2:
            return Buffer.concat([
                bytes.subarray(0, at),
                Buffer.from(PIECES[pick(PIECES.length)], 'latin1'),
                bytes.subarray(at),
            ]);
        case 3:
            return Buffer.concat([bytes.subarray(0, at)]);
        default:
            return Buffer.concat([bytes.subarray(0, at), bytes.subarray(pick(bytes.length + 1)), bytes.subarray(at)]);
    }
}
//# sourceMappingURL=fuzz.js.map