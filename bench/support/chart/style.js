const LIGHT = ['#0b62a8', '#d1650a', '#0a8a66', '#a8518c', '#8a6d00', '#555555'];
const DARK = ['#5db4f0', '#f29a4a', '#3ecfa4', '#e08cc4', '#e3c83c', '#bbbbbb'];
export const SERIES_COLOURS = LIGHT.length;
export function fill(series) {
    return `f${series % SERIES_COLOURS}`;
}
export function stroke(series) {
    return `s${series % SERIES_COLOURS}`;
}
export const styleSheet = [
    'text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;font-size:12px;fill:#333}',
    '.title{font-size:17px;font-weight:600;fill:#111}.note,.foot{fill:#666}.foot{font-size:10.5px}',
    '.page{fill:#fff}.grid{stroke:#e2e2e2}.axis{stroke:#888}',
    ...colours(LIGHT),
    '@media (prefers-color-scheme:dark){text{fill:#ccc}.title{fill:#f2f2f2}.note,.foot{fill:#999}',
    '.page{fill:#15181c}.grid{stroke:#2e333a}.axis{stroke:#777}',
    ...colours(DARK),
    '}',
].join('\n');
function colours(palette) {
    return palette.map((colour, index) => `.f${index}{fill:${colour}}.s${index}{stroke:${colour};fill:none;stroke-width:2}`);
}
//# sourceMappingURL=style.js.map