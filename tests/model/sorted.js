import { show } from '../support/model.js';
export const bytesOf = (name) => new Uint8Array(Buffer.from(name, 'latin1'));
export const nameOf = (key) => (typeof key === 'string' ? Buffer.from(key, 'utf8') : Buffer.from(key)).toString('latin1');
export const textOf = (name) => Buffer.from(name, 'latin1').toString('utf8');
export const isIn = (name, { gt, gte, lt, lte, prefix }) => (gt === undefined || name > gt) &&
    (gte === undefined || name >= gte) &&
    (lt === undefined || name < lt) &&
    (lte === undefined || name <= lte) &&
    (prefix === undefined || name.startsWith(prefix));
export const select = (records, range) => {
    const pairs = [...records].filter(([name]) => isIn(name, range));
    pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    if (range.reverse === true)
        pairs.reverse();
    return range.limit === undefined ? pairs : pairs.slice(0, range.limit);
};
export const given = (range, asText) => {
    const result = {};
    for (const [name, value] of Object.entries(range))
        result[name] = typeof value === 'string' ? (asText ? textOf(value) : bytesOf(value)) : value;
    return result;
};
const BYTES = [0x00, 0x01, 0x61, 0x61, 0x62, 0x7f, 0x80, 0xfe, 0xff];
export const binaryNames = (random, count) => {
    const names = new Set(['\0', '\0\0', '\xff', '\xff\xff', 'a', 'a\0', '\xff'.repeat(1024)]);
    names.add('\0'.repeat(1024));
    const bytes = (length) => Array.from({ length }, () => String.fromCharCode(random.pick(BYTES))).join('');
    const stems = [100, 300, 900].map(length => bytes(length));
    while (names.size < count) {
        const roll = random.below(100);
        if (roll < 50)
            names.add(bytes(random.between(1, 6)));
        else if (roll < 65)
            names.add(random.pick([...names]).slice(0, random.between(1, 40)));
        else if (roll < 75)
            names.add((random.pick([...names]) + bytes(random.between(1, 3))).slice(0, 1024));
        else if (roll < 97)
            names.add(random.pick(stems) + bytes(random.between(0, 5)));
        else
            names.add(bytes(random.between(800, 1024)));
    }
    return [...names];
};
export const textNames = (random, count) => {
    const letters = ['a', 'b', '~', '\0', 'é', 'ÿ', 'λ', '語', '\ud7ff', '\ue000', '\uffff', '😀', '\u{10ffff}'];
    const text = (length) => Array.from({ length }, () => random.pick(letters)).join('');
    const stems = ['user:', 'ключ/'.repeat(40), 'x'.repeat(900), text(60)];
    const names = new Set();
    while (names.size < count) {
        const key = (random.chance(0.5) ? random.pick(stems) : '') + text(random.between(1, 6));
        names.add(nameOf(key));
    }
    return [...names];
};
export const randomRange = (random, names, whole) => {
    const bound = () => {
        const name = random.pick(names);
        const roll = whole ? 0 : random.below(10);
        if (roll < 6)
            return name;
        if (roll < 7)
            return `${name}\0`.slice(0, 1024);
        if (roll < 8)
            return `${name.slice(0, -1)}\xff`;
        return random.pick(['', '\0', '\xff', '\xff'.repeat(1024), name.slice(0, random.between(1, 4))]);
    };
    const range = {};
    if (random.chance(0.55))
        range[random.chance(0.5) ? 'gt' : 'gte'] = bound();
    if (random.chance(0.55))
        range[random.chance(0.5) ? 'lt' : 'lte'] = bound();
    if (random.chance(0.1))
        range.gt = bound();
    if (random.chance(0.1))
        range.lte = bound();
    if (random.chance(0.35)) {
        const name = random.pick(names);
        range.prefix = whole ? name : name.slice(0, random.pick([0, 1, 1, 2, 3, 100, 300, 900]));
    }
    if (random.chance(0.4))
        range.reverse = random.chance(0.8);
    if (random.chance(0.4))
        range.limit = random.pick([0, 1, 2, 3, 15, 16, 17, 48, 100, 1e6]);
    return range;
};
export const showRange = (range) => `{ ${Object.entries(range)
    .map(([name, value]) => `${name}: ${show(value)}`)
    .join(', ')} }`;
export const requireSame = (found, expected, what) => {
    for (let i = 0; i < Math.max(found.length, expected.length); i++) {
        if (found[i] !== undefined && found[i] === expected[i])
            continue;
        const of = (list) => (i < list.length ? show(list[i]) : 'nothing');
        throw new Error(`${what}: item ${i} of ${found.length} is ${of(found)}, expected ${of(expected)} of ${expected.length}`);
    }
};
//# sourceMappingURL=sorted.js.map