export function linearScale(values, from, to) {
    const least = Math.min(0, ...values);
    const step = roundStep((Math.max(...values, least + 1e-9) - least) / 5);
    const bottom = Math.floor(least / step) * step;
    const top = Math.ceil(Math.max(...values, bottom + step) / step - 1e-9) * step;
    const ticks = [];
    for (let tick = bottom; tick <= top + step / 2; tick += step)
        ticks.push(Number(tick.toPrecision(12)));
    return { ticks, at: value => from + ((value - bottom) / (top - bottom)) * (to - from) };
}
export function logScale(values, from, to) {
    const positive = values.filter(value => value > 0);
    const bottom = Math.floor(Math.log10(Math.min(...positive, 1e300)) + 1e-9);
    const top = Math.max(bottom + 1, Math.ceil(Math.log10(Math.max(...positive, 1e-300)) - 1e-9));
    const ticks = Array.from({ length: top - bottom + 1 }, (_, index) => 10 ** (bottom + index));
    const share = (value) => (Math.log10(Math.max(value, 10 ** bottom)) - bottom) / (top - bottom);
    return { ticks, at: value => from + share(value) * (to - from) };
}
function roundStep(width) {
    const power = 10 ** Math.floor(Math.log10(width));
    const factor = [1, 2, 5, 10].find(candidate => candidate * power >= width * (1 - 1e-9));
    return (factor ?? 10) * power;
}
//# sourceMappingURL=scale.js.map