import { short } from '../format.js';
import { linearScale, logScale } from './scale.js';
import { fill, stroke, styleSheet } from './style.js';
import { bar, dot, escapeText, line, path, text, wrap } from './svg.js';
const WIDTH = 1080;
const HEIGHT = 410;
const FOOT = 26;
const PLOT = { left: 76, right: WIDTH - 28, top: 92, bottom: HEIGHT - 70 };
export function renderCharts(charts, foot) {
    const height = charts.length * HEIGHT + FOOT;
    const panels = charts.map((chart, index) => `<g transform="translate(0 ${index * HEIGHT})">\n${panel(chart).join('\n')}\n</g>`);
    return [
        `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">`,
        `<title>${escapeText(charts.map(chart => chart.title).join('; '))}</title>`,
        `<style>${styleSheet}</style>`,
        `<rect width="${WIDTH}" height="${height}" class="page"/>`,
        ...panels,
        text(PLOT.left, height - 10, foot, 'foot'),
        '</svg>\n',
    ].join('\n');
}
function panel(chart) {
    const y = verticalScale(chart);
    const body = chart.kind === 'bars' ? bars(chart, y) : lines(chart, y);
    return [...heading(chart), ...verticalAxis(chart, y), ...body, ...legend(chart)];
}
function heading(chart) {
    const parts = [text(PLOT.left, 30, chart.title, 'title')];
    if (chart.note !== undefined)
        parts.push(text(PLOT.left, 50, chart.note, 'note'));
    parts.push(text((PLOT.left + PLOT.right) / 2, HEIGHT - 12, chart.xLabel, 'note', 'middle'));
    const turned = `transform="rotate(-90 18 ${(PLOT.top + PLOT.bottom) / 2})"`;
    parts.push(`<g ${turned}>${text(18, (PLOT.top + PLOT.bottom) / 2, chart.yLabel, 'note', 'middle')}</g>`);
    return parts;
}
function legend(chart) {
    let x = PLOT.left;
    return chart.series.flatMap(({ name }, index) => {
        const entry = [bar(x, 64, 12, 12, fill(index), name), text(x + 18, 74, name, 'label')];
        x += 44 + name.length * 7;
        return entry;
    });
}
function verticalScale(chart) {
    const values = chart.kind === 'bars' ? chart.series.flatMap(s => s.values) : chart.series.flatMap(ys);
    const known = values.filter(value => value !== undefined);
    const scale = chart.logY ? logScale : linearScale;
    return scale(known, PLOT.bottom, PLOT.top);
}
function verticalAxis(chart, y) {
    const ticks = y.ticks.flatMap(tick => [
        line(PLOT.left, y.at(tick), PLOT.right, y.at(tick), 'grid'),
        text(PLOT.left - 8, y.at(tick) + 4, tickLabel(tick), 'label', 'end'),
    ]);
    const hint = chart.logY ? [text(PLOT.left - 8, PLOT.top - 12, 'log', 'foot', 'end')] : [];
    return [...ticks, ...hint, line(PLOT.left, PLOT.bottom, PLOT.right, PLOT.bottom, 'axis')];
}
function bars(chart, y) {
    const group = (PLOT.right - PLOT.left) / chart.categories.length;
    const width = Math.min(34, (group * 0.8) / chart.series.length);
    return chart.categories.flatMap((category, at) => {
        const middle = PLOT.left + group * (at + 0.5);
        const left = middle - (width * chart.series.length) / 2;
        const label = wrap(category, Math.max(8, Math.floor(group / 6.6)));
        return [
            ...label.map((words, row) => text(middle, PLOT.bottom + 17 + row * 14, words, 'label', 'middle')),
            ...chart.series.flatMap(({ name, values }, index) => {
                const value = values[at];
                if (value === undefined || !Number.isFinite(value))
                    return [];
                const top = y.at(value);
                const title = `${category}, ${name}: ${short(value)}`;
                return [bar(left + width * index, top, width - 1, PLOT.bottom - top, fill(index), title)];
            }),
        ];
    });
}
function lines(chart, y) {
    const xs = chart.series.flatMap(series => series.points.map(point => point[0]));
    const x = (chart.logX ? logScale : linearScale)(xs, PLOT.left, PLOT.right);
    const axis = x.ticks.map(tick => text(x.at(tick), PLOT.bottom + 17, tickLabel(tick), 'label', 'middle'));
    const drawn = chart.series.flatMap(({ name, points }, index) => {
        const pixels = points.map(([px, py]) => [x.at(px), y.at(py)]);
        const dots = points.flatMap(([px, py, label]) => {
            const at = [x.at(px), y.at(py)];
            const title = [name, label, tickLabel(px)].filter(part => part !== undefined).join(', ');
            const mark = label === undefined ? [] : [text(at[0] + 6, at[1] - 6, label, 'foot')];
            return [dot(...at, fill(index), `${title}: ${short(py)}`), ...mark];
        });
        return [path(pixels, stroke(index)), ...dots];
    });
    return [...axis, ...drawn];
}
function ys(series) {
    return series.points.map(point => point[1]);
}
function tickLabel(tick) {
    if (tick >= 1e6)
        return `${Number((tick / 1e6).toPrecision(3))} M`;
    if (tick >= 1e4)
        return `${Number((tick / 1e3).toPrecision(3))} k`;
    return tick >= 1000 ? tick.toLocaleString('en-US') : String(Number(tick.toPrecision(3)));
}
//# sourceMappingURL=render.js.map