import { expect, test } from 'vitest';
import { UsageError } from '../../src/cli/errors.js';
import { prettyReply, rawReply } from '../../src/cli/reply.js';
import { splitWords } from '../../src/cli/words.js';
import { ServerError } from '../../src/client/index.js';
const latin1 = (line) => splitWords(line).map(word => word.toString('latin1'));
test.each([
    ['', []],
    ['  SET  a\tb ', ['SET', 'a', 'b']],
    ['SET a "b c"', ['SET', 'a', 'b c']],
    [`SET user:42 '{"name": "Alice"}'`, ['SET', 'user:42', '{"name": "Alice"}']],
    ['"\\n\\r\\t\\a\\b\\x00\\xFf\\"\\\\\\q"', ['\n\r\t\x07\b\x00\xff"\\q']],
    [`'it\\'s \\n'`, ["it's \\n"]],
    ['""', ['']],
    ['ab"c d"', ['abc d']],
])('%j', (line, words) => {
    expect(latin1(line)).toEqual(words);
});
test('text stays UTF-8', () => {
    expect(splitWords('SET 🎓 "é \\🎓"').map(String)).toEqual(['SET', '🎓', 'é 🎓']);
});
test.each(['"abc', "'abc", '"a"b', '"a\\"'])('%j does not fit', line => {
    expect(() => splitWords(line)).toThrow(UsageError);
});
const bytes = (text) => Buffer.from(text, 'latin1');
test.each([
    [null, '(nil)'],
    ['OK', 'OK'],
    [bytes('a "b"\n\\'), '"a \\"b\\"\\n\\\\"'],
    [Buffer.from('Grüße'), '"Grüße"'],
    [bytes('\xff\x00a'), '"\\xff\\x00a"'],
    [bytes('\x1b[31m'), '"\\x1b[31m"'],
    [7, '(integer) 7'],
    [9223372036854775807n, '(integer) 9223372036854775807'],
    [1.5, '(double) 1.5'],
    [true, '(true)'],
    [new ServerError('ERR no'), '(error) ERR no'],
    [[], '(empty array)'],
    [[bytes('a'), 1], '1) "a"\n2) (integer) 1'],
    [[[bytes('a'), bytes('b')], [bytes('c')]], '1) 1) "a"\n   2) "b"\n2) 1) "c"'],
    [new Map([[bytes('a'), 1]]), '1# "a" => (integer) 1'],
])('%#: a reply on a terminal', (reply, shown) => {
    expect(prettyReply(reply)).toBe(shown);
});
test.each([
    [null, ''],
    [bytes('\xff'), '\xff'],
    [[bytes('a'), null, [1, 2]], 'a\n\n1\n2'],
    [new Map([[bytes('a'), 1]]), 'a\n1'],
])('%#: a reply in a pipe', (reply, shown) => {
    expect(rawReply(reply).toString('latin1')).toBe(shown);
});
//# sourceMappingURL=words.test.js.map