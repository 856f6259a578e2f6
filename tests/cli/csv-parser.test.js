import { expect, test } from 'vitest';
import { CsvParser } from '../../src/cli/records/csv-parser.js';
import { LineSplitter } from '../../src/cli/records/lines.js';
const TEXT = 'a,b\r\n"x ""y"", z","two\r\nlines"\n\n,\n"",end\r\nlast,é';
const EXPECTED = [
    { line: 1, fields: ['a', 'b'] },
    { line: 2, fields: ['x "y", z', 'two\r\nlines'] },
    { line: 5, fields: ['', ''] },
    { line: 6, fields: ['', 'end'] },
    { line: 7, fields: ['last', 'é'] },
];
function parse(chunks) {
    const parser = new CsvParser();
    const rows = [...chunks.flatMap(chunk => [...parser.push(chunk)]), ...parser.end()];
    return rows.map(({ line, fields }) => ({
        line,
        fields: fields.map(field => Buffer.from(field).toString()),
    }));
}
test('rows and line numbers are the same wherever the chunks are cut', () => {
    const bytes = Buffer.from(TEXT);
    for (let cut = 0; cut <= bytes.length; cut++) {
        expect(parse([bytes.subarray(0, cut), bytes.subarray(cut)])).toEqual(EXPECTED);
    }
    expect(parse([...bytes].map(byte => Buffer.from([byte])))).toEqual(EXPECTED);
});
test('rows before a bad one are given first', () => {
    const rows = [];
    const consume = () => {
        for (const { line } of new CsvParser().push(Buffer.from('a,b\n"c\n",d\ne"\n')))
            rows.push(line);
    };
    expect(consume).toThrow(/^line 4: a quote inside/);
    expect(rows).toEqual([1, 2]);
});
test('a long field keeps every byte', () => {
    const long = 'x'.repeat(100_000);
    expect(parse([Buffer.from(`k,${long}\n`)])).toEqual([{ line: 1, fields: ['k', long] }]);
});
test('lines are cut at line feeds only, wherever the chunks are cut', () => {
    const bytes = Buffer.from('one\n\ntwo\r\u2028\nthree');
    for (let cut = 0; cut <= bytes.length; cut++) {
        const lines = new LineSplitter();
        const parts = [bytes.subarray(0, cut), bytes.subarray(cut)];
        const found = [...parts.flatMap(part => [...lines.push(part)]), ...lines.end()];
        expect(found.map(line => [line.number, Buffer.from(line.bytes).toString()])).toEqual([
            [1, 'one'],
            [2, ''],
            [3, 'two\r\u2028'],
            [4, 'three'],
        ]);
    }
});
//# sourceMappingURL=csv-parser.test.js.map