/** The few elements of SVG that the charts need. */
export function escapeText(text: string): string {
  return text.replace(/[&<>"]/g, character => `&#${character.charCodeAt(0)};`)
}

export function text(
  x: number,
  y: number,
  content: string,
  style: string,
  anchor: 'start' | 'middle' | 'end' = 'start',
): string {
  return `<text x="${round(x)}" y="${round(y)}" class="${style}" text-anchor="${anchor}">${escapeText(content)}</text>`
}

export function line(x1: number, y1: number, x2: number, y2: number, style: string): string {
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" class="${style}"/>`
}

/** A rectangle that names its value when pointed at. */
export function bar(x: number, y: number, width: number, height: number, style: string, title: string): string {
  const box = `x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}"`
  return `<rect ${box} class="${style}"><title>${escapeText(title)}</title></rect>`
}

export function path(points: readonly (readonly [number, number])[], style: string): string {
  const steps = points.map(([x, y], index) => `${index === 0 ? 'M' : 'L'}${round(x)} ${round(y)}`)
  return `<path d="${steps.join('')}" class="${style}"/>`
}

export function dot(x: number, y: number, style: string, title: string): string {
  return `<circle cx="${round(x)}" cy="${round(y)}" r="3.5" class="${style}"><title>${escapeText(title)}</title></circle>`
}

/** Words put on several lines of at most `width` characters. */
export function wrap(content: string, width: number): string[] {
  const lines: string[] = []
  for (const word of content.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}

function round(pixels: number): string {
  return String(Number(pixels.toFixed(1)))
}
