const grouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
export function count(number) {
    return grouped.format(number);
}
export function short(number) {
    if (!Number.isFinite(number))
        return '-';
    if (number >= 1e6)
        return `${(number / 1e6).toFixed(number >= 1e7 ? 1 : 2)} M`;
    if (number >= 1e4)
        return `${(number / 1e3).toFixed(number >= 1e5 ? 0 : 1)} k`;
    if (number >= 100)
        return count(number);
    return number.toFixed(number >= 10 ? 1 : 2);
}
export function mebibytes(bytes) {
    return `${(bytes / 2 ** 20).toFixed(bytes < 10 * 2 ** 20 ? 2 : 1)} MiB`;
}
export function microseconds(seconds) {
    const micros = seconds * 1e6;
    return `${micros >= 100 ? count(micros) : micros.toFixed(2)} µs`;
}
//# sourceMappingURL=format.js.map