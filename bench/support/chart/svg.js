export function escapeText(text) {
    return text.replace(/[&<>"]/g, character => `&#${character.charCodeAt(0)};`);
}
export function text(x, y, content, style, anchor = 'start') {
    return `<text x="${round(x)}" y="${round(y)}" class="${style}" text-anchor="${anchor}">${escapeText(content)}</text>`;
}
export function line(x1, y1, x2, y2, style) {
    return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" class="${style}"/>`;
}
export function bar(x, y, width, height, style, title) {
    const box = `x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}"`;
    return `<rect ${box} class="${style}"><title>${escapeText(title)}</title></rect>`;
}
export function path(points, style) {
    const steps = points.map(([x, y], index) => `${index === 0 ? 'M' : 'L'}${round(x)} ${round(y)}`);
    return `<path d="${steps.join('')}" class="${style}"/>`;
}
export function dot(x, y, style, title) {
    return `<circle cx="${round(x)}" cy="${round(y)}" r="3.5" class="${style}"><title>${escapeText(title)}</title></circle>`;
}
export function wrap(content, width) {
    const lines = [];
    for (const word of content.split(' ')) {
        const last = lines.at(-1);
        if (last !== undefined && last.length + 1 + word.length <= width)
            lines[lines.length - 1] = `${last} ${word}`;
        else
            lines.push(word);
    }
    return lines;
}
function round(pixels) {
    return String(Number(pixels.toFixed(1)));
}
//# sourceMappingURL=svg.js.map