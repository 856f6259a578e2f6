const alphabets = [
    [0x00, 0x7f],
    [0x61, 0x7a],
    [0xc0, 0x17f],
    [0x391, 0x3c9],
    [0x4e00, 0x4fff],
    [0x1f600, 0x1f64f],
];
export const MAX_KEY_BYTES = 1024;
export function randomKeys(random, count) {
    const keys = new Set(['__proto__', 'constructor', '\0', 'k'.repeat(MAX_KEY_BYTES)]);
    while (keys.size < count) {
        const plain = random.chance(0.6);
        const length = random.chance(0.9) ? random.between(1, 24) : random.between(25, MAX_KEY_BYTES);
        keys.add(plain ? `key:${random.below(1e9)}:`.padEnd(length, 'x') : randomText(random, length));
    }
    return [...keys].slice(0, count);
}
export function randomText(random, bytes) {
    const [low, high] = random.pick(alphabets);
    const unit = low < 0x80 ? 1 : low < 0x800 ? 2 : low < 0x10000 ? 3 : 4;
    const characters = Math.floor(bytes / unit);
    if (characters === 0)
        return 'a'.repeat(bytes);
    const pattern = Array.from({ length: Math.min(characters, 40) }, () => String.fromCodePoint(random.between(low, high)));
    const whole = Math.floor(characters / pattern.length);
    return pattern.join('').repeat(whole) + pattern.slice(0, characters % pattern.length).join('');
}
export function randomLength(random, blockSize) {
    const roll = random.below(1000);
    if (roll < 50)
        return 0;
    if (roll < 650)
        return random.between(1, 200);
    if (roll < 850)
        return random.between(200, 2000);
    if (roll < 920)
        return Math.max(0, random.pick([0.25, 0.5, 1, 2]) * blockSize + random.between(-120, 120));
    if (roll < 975)
        return random.between(2000, 20_000);
    if (roll < 999)
        return random.between(20_000, 300_000);
    return random.between(1_900_000, 2_000_000);
}
//# sourceMappingURL=keys-and-values.js.map