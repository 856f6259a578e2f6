/** Numbers, bars and tables for the terminal. */
import pc from 'picocolors'
import width from 'string-width'

const paint = pc.createColors(process.stdout.isTTY === true && process.env.NO_COLOR === undefined)

export const heading = (text: string): string => paint.bold(text)
export const good = (text: string): string => paint.green(text)
export const bad = (text: string): string => paint.red(text)

/** 138398 → `138,398` */
export function count(number: number): string {
  return number.toLocaleString('en-US')
}

/** 4096 → `4.0 KiB` */
export function size(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let unit = 0
  let amount = bytes
  while (amount >= 1024 && unit < units.length - 1) {
    amount /= 1024
    unit++
  }
  return unit === 0 ? `${amount} B` : `${amount.toFixed(1)} ${units[unit]}`
}

/** 90061000 → `25.0 h`: how long something lasts still. */
export function duration(milliseconds: number): string {
  const units = [
    ['ms', 1],
    ['s', 1000],
    ['min', 60_000],
    ['h', 3_600_000],
    ['d', 86_400_000],
  ] as const
  const [name, length] = units.findLast(([, unit]) => milliseconds >= 2 * unit) ?? units[0]
  return `${Math.round(milliseconds / length)} ${name}`
}

/** 0.5 → `50.0 %` */
export function percent(share: number): string {
  return `${((Number.isFinite(share) ? share : 0) * 100).toFixed(1)} %`
}

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉']

/** A bar of `width` columns at most, drawn in eighths of a column; anything above zero shows. */
export function bar(share: number, width: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * width * 8)
  const visible = share > 0 ? Math.max(1, eighths) : 0
  return visible === 0 ? '' : paint.cyan('█'.repeat(Math.floor(visible / 8)) + EIGHTHS[visible % 8])
}

/** Rows of cells in columns, without frame; columns named in `right` are flush right. */
export function table(rows: readonly string[][], right: readonly number[] = []): string {
  const widths: number[] = []
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, width(cell))
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => {
        const room = ' '.repeat(widths[i]! - width(cell))
        return `  ${right.includes(i) ? room + cell : cell + room}`
      })
      .join('')
      .trimEnd()
  return rows.map(line).join('\n')
}
