import { describe, expect, test } from 'vitest';
import { ProtocolError, ServerError } from '../../src/client/errors.js';
import { ReplyReader } from '../../src/client/reader.js';
import { seeded } from '../support/random.js';
const bytes = (text) => Buffer.from(text);
const CASES = [
    ['+OK\r\n', 'OK'],
    ['+\r\n', ''],
    ['-ERR no such thing\r\n', new ServerError('ERR no such thing')],
    ['!10\r\nERR a\r\nbcd\r\n', new ServerError('ERR a\r\nbcd')],
    [':0\r\n', 0],
    [':-42\r\n', -42],
    [':9223372036854775807\r\n', 9223372036854775807n],
    ['(3492890328409238509324850943850943825024385\r\n', 3492890328409238509324850943850943825024385n],
    ['$-1\r\n', null],
    ['$0\r\n\r\n', bytes('')],
    ['$5\r\na\r\nb\n\r\n', bytes('a\r\nb\n')],
    ['=8\r\ntxt:text\r\n', bytes('text')],
    ['_\r\n', null],
    ['#t\r\n', true],
    ['#f\r\n', false],
    [',1.5\r\n', 1.5],
    [',-inf\r\n', Number.NEGATIVE_INFINITY],
    [',nan\r\n', Number.NaN],
    ['*-1\r\n', null],
    ['*0\r\n', []],
    ['*2\r\n*1\r\n:1\r\n*0\r\n', [[1], []]],
    ['~2\r\n:1\r\n:2\r\n', [1, 2]],
    ['%1\r\n$1\r\na\r\n*1\r\n_\r\n', new Map([[bytes('a'), [null]]])],
    ['|1\r\n+ttl\r\n:3600\r\n:7\r\n', 7],
    ['*2\r\n|1\r\n+a\r\n*1\r\n+b\r\n:1\r\n:2\r\n', [1, 2]],
];
function read(chunks) {
    const replies = [];
    const pushes = [];
    const reader = new ReplyReader(reply => replies.push(plain(reply)), items => pushes.push(items.map(plain)));
    for (const chunk of chunks)
        reader.push(Buffer.from(chunk));
    return { replies, pushes };
}
function plain(reply) {
    if (reply instanceof Uint8Array)
        return Buffer.from(reply);
    if (Array.isArray(reply))
        return reply.map(plain);
    if (reply instanceof Map)
        return new Map([...reply].map(([k, v]) => [plain(k), plain(v)]));
    return reply;
}
test.each(CASES)('%j', (wire, reply) => {
    expect(read([Buffer.from(wire)]).replies).toEqual([reply]);
});
test('every split point, and one byte at a time, give the same replies', () => {
    const wire = Buffer.from(`${CASES.map(([text]) => text).join('')}>2\r\n+change\r\n:1\r\n`);
    const whole = read([wire]);
    expect(whole.replies).toEqual(CASES.map(([, reply]) => reply));
    expect(whole.pushes).toEqual([['change', 1]]);
    for (let at = 1; at < wire.length; at++) {
        expect(read([wire.subarray(0, at), wire.subarray(at)])).toEqual(whole);
    }
    expect(read([...wire].map(byte => Buffer.from([byte])))).toEqual(whole);
});
test('a push between two replies is none of them', () => {
    expect(read([Buffer.from(':1\r\n>1\r\n+x\r\n:2\r\n')])).toEqual({ replies: [1, 2], pushes: [['x']] });
});
test('a large value in small chunks is joined once', () => {
    const value = Buffer.alloc(20_000_000, 'x');
    const wire = Buffer.concat([Buffer.from(`$${value.length}\r\n`), value, Buffer.from('\r\n:1\r\n')]);
    const chunks = [];
    for (let at = 0; at < wire.length; at += 1000)
        chunks.push(wire.subarray(at, at + 1000));
    const started = performance.now();
    const { replies } = read(chunks);
    expect(replies[0].length).toBe(value.length);
    expect(replies[1]).toBe(1);
    expect(performance.now() - started).toBeLessThan(5000);
});
describe('what is no RESP is refused', () => {
    test.each([
        'HTTP/1.1 400 Bad Request\r\n',
        '$x\r\n',
        '$-2\r\n',
        '*99999999999\r\n',
        '$3\r\nabcde\r\n',
        ':1.5\r\n',
        ':\r\n',
        '#x\r\n',
        '(1.5\r\n',
        '+a\rb\r\n',
        '*1\r\n'.repeat(100),
        `+${'x'.repeat(100_000)}`,
    ])('%#', wire => {
        expect(() => read([Buffer.from(wire)])).toThrow(ProtocolError);
    });
});
test('mutated replies give replies or a typed error', () => seeded(random => {
    const wire = Buffer.from(CASES.map(([text]) => text).join(''));
    for (let run = 0; run < 20_000; run++) {
        const mutated = Buffer.from(wire);
        for (let i = 0; i < 3; i++)
            mutated[random.below(mutated.length)] = random.below(256);
        const cut = random.below(mutated.length);
        try {
            read([mutated.subarray(0, cut), mutated.subarray(cut)]);
        }
        catch (error) {
            expect(error).toBeInstanceOf(ProtocolError);
        }
    }
}));
//# sourceMappingURL=reader.test.js.map