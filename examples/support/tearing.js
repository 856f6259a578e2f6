import pc from 'picocolors';
const BLOCK = 4096;
const COLUMNS = 51;
const LOOKS = {
    metadata: { glyph: 'M', colour: pc.magenta, meaning: 'block 0: metadata, in two copies of its own' },
    idle: { glyph: '·', colour: pc.dim, meaning: 'sound: not touched by the checkpoint' },
    old: { glyph: '░', colour: pc.blue, meaning: 'sound: old, as before the checkpoint' },
    new: { glyph: '█', colour: pc.green, meaning: 'sound: new, as the checkpoint wrote it' },
    torn: { glyph: 'X', colour: pc.red, meaning: 'torn: some sectors old, some new; the checksum is wrong' },
};
const ORDER = Object.keys(LOOKS);
export function compareBlocks(file, before, after) {
    const states = ['metadata'];
    for (let at = BLOCK; at < Math.max(file.length, after.length); at += BLOCK) {
        const [now, was, willBe] = [file, before, after].map(bytes => Buffer.from(bytes.subarray(at, at + BLOCK)));
        const isOld = now.equals(was);
        const isNew = now.equals(willBe);
        states.push(isOld && isNew ? 'idle' : isOld ? 'old' : isNew ? 'new' : 'torn');
    }
    return states;
}
export function countStates(states) {
    const counts = { metadata: 0, idle: 0, old: 0, new: 0, torn: 0 };
    for (const state of states)
        counts[state]++;
    return counts;
}
export function stateMap(states) {
    const glyphs = states.map(state => LOOKS[state].colour(LOOKS[state].glyph));
    const lines = [];
    for (let i = 0; i < glyphs.length; i += COLUMNS)
        lines.push(glyphs.slice(i, i + COLUMNS).join(''));
    return lines;
}
export function stateLegend(states) {
    const counts = countStates(states);
    return ORDER.filter(state => counts[state] > 0).map(state => {
        const { glyph, colour, meaning } = LOOKS[state];
        return `${colour(glyph)} ${String(counts[state]).padStart(3)}  ${meaning}`;
    });
}
//# sourceMappingURL=tearing.js.map