const PRIME_LOW = 0x1b3;
export function fnv64(number) {
    const halves = [number >>> 0, Math.floor(number / 2 ** 32) >>> 0];
    let high = 0xcbf29ce4;
    let low = 0x84222325;
    for (let byte = 0; byte < 8; byte += 1) {
        low = (low ^ ((halves[byte >> 2] >>> ((byte & 3) * 8)) & 255)) >>> 0;
        const product = low * PRIME_LOW;
        high = (high * PRIME_LOW + Math.floor(product / 2 ** 32) + ((low << 8) >>> 0)) % 2 ** 32;
        low = product % 2 ** 32;
    }
    return { high, low };
}
export function absolute({ high, low }) {
    const signed = BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low));
    return signed < 0n ? -signed : signed;
}
//# sourceMappingURL=hash.js.map