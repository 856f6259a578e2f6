import pc from 'picocolors';
import { number } from './lesson.js';
const LOOKS = [
    { kind: 'metadata', glyph: 'M', colour: pc.magenta, meaning: 'block 0: metadata' },
    {
        kind: 'index',
        glyph: '▓',
        colour: pc.yellow,
        meaning: 'hash index blocks: records, or a directory of overflow blocks',
    },
    { kind: 'directory', glyph: '▒', colour: pc.red, meaning: 'further directory levels' },
    { kind: 'overflow', glyph: '█', colour: pc.blue, meaning: 'overflow blocks with records' },
    { kind: 'large', glyph: '◆', colour: pc.cyan, meaning: 'parts of large values' },
    { kind: 'free', glyph: '·', colour: pc.dim, meaning: 'free blocks, waiting to be used again' },
];
const COLUMNS = 64;
const ROWS = 8;
export function blockMap(blocks) {
    const perGlyph = Math.max(1, Math.ceil(blocks.total / (COLUMNS * ROWS)));
    const cells = LOOKS.flatMap(({ kind, glyph, colour }) => Array(Math.ceil(blocks[kind] / perGlyph)).fill(colour(glyph)));
    const lines = [];
    for (let i = 0; i < cells.length; i += COLUMNS)
        lines.push(cells.slice(i, i + COLUMNS).join(''));
    const legend = LOOKS.filter(({ kind }) => blocks[kind] > 0).map(({ kind, glyph, colour, meaning }) => `${colour(glyph)} ${number(blocks[kind]).padStart(7)}  ${meaning}`);
    return [...lines, `one character for ${number(perGlyph)} of ${number(blocks.total)} blocks`, '', ...legend];
}
export function fillHistogram(histogram) {
    const most = Math.max(1, ...histogram);
    return histogram.map((blocks, i) => {
        const range = `${String(i * 10).padStart(3)} to ${String(i * 10 + 10).padStart(3)} %`;
        const width = blocks === 0 ? 0 : Math.max(1, Math.round((blocks / most) * 44));
        return `${range} ${number(blocks).padStart(8)}  ${pc.blue('█'.repeat(width))}`;
    });
}
//# sourceMappingURL=picture.js.map