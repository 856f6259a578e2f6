import { Random, scramble } from './random.js';
export const KEY_BYTES = 15;
export const VALUE_BYTES = 100;
export const RECORD_BYTES = KEY_BYTES + VALUE_BYTES;
export const NEVER_STORED = 0x4000_0000;
const STRIDE = 23_283;
const SEVEN_DIGITS = 10_000_000;
const DISTINCT_VALUES = 4096;
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_';
const keyBytes = Buffer.alloc(KEY_BYTES, 'k');
const values = makeValues();
export function keyOf(number) {
    const spread = scramble(number) * STRIDE + (scramble(number ^ 0x5bd1e995) % STRIDE);
    const high = Math.floor(spread / SEVEN_DIGITS);
    writeDigits(spread - high * SEVEN_DIGITS, 14);
    writeDigits(high, 7);
    return keyBytes.toString('latin1', 0, KEY_BYTES);
}
export function valueAt(number, version) {
    return values[(number + version) % DISTINCT_VALUES];
}
function writeDigits(number, last) {
    let rest = number;
    for (let position = last; position > last - 7; position -= 1) {
        const tens = (rest / 10) | 0;
        keyBytes[position] = 48 + rest - tens * 10;
        rest = tens;
    }
}
function makeValues() {
    const random = new Random(20_240_229);
    const bytes = Buffer.alloc(VALUE_BYTES);
    return Array.from({ length: DISTINCT_VALUES }, () => {
        for (let at = 0; at < VALUE_BYTES; at += 1)
            bytes[at] = ALPHABET.charCodeAt(random.below(ALPHABET.length));
        return bytes.toString('latin1');
    });
}
//# sourceMappingURL=records.js.map