/** The bytes of a block, sixteen a line, drawn on a canvas: coloured by what they are. */
import type { JSX } from 'preact'
import { useEffect, useMemo, useRef } from 'preact/hooks'
import type { BlockView, Region } from '../../src/explorer/shapes.ts'
import { useTheme } from './theme.tsx'

const ROW = 16
const LINE = 16
const FONT = '12px ui-monospace, Menlo, Consolas, monospace'
const CHAR = 7.25

export const Hex = ({
  view,
  pointed,
  onPoint,
}: {
  view: BlockView
  pointed: number | undefined
  onPoint: (index: number | undefined) => void
}): JSX.Element => {
  const theme = useTheme()
  const canvas = useRef<HTMLCanvasElement>(null)
  const box = useRef<HTMLDivElement>(null)
  const bytes = useMemo(
    () => Uint8Array.from(view.hex.match(/../g) ?? [], pair => Number.parseInt(pair, 16)),
    [view.hex],
  )
  const regionOf = useMemo(() => regionsByByte(view), [view])
  const rows = Math.ceil(bytes.length / ROW)
  useEffect(() => {
    const at = view.regions.find(({ index }) => index !== undefined && index === pointed)?.at
    const { current } = box
    if (at === undefined || current === null) return
    const y = Math.floor(at / ROW) * LINE
    if (y < current.scrollTop || y > current.scrollTop + current.clientHeight - LINE)
      current.scrollTop = Math.max(0, y - current.clientHeight / 3)
  }, [pointed, view.block])
  useEffect(() => {
    const draw = (): void => paint(canvas.current, box.current, bytes, view.regions, regionOf, pointed)
    draw()
    const { current } = box
    current?.addEventListener('scroll', draw)
    return () => current?.removeEventListener('scroll', draw)
  }, [bytes, view.regions, regionOf, pointed, theme])
  const point = (event: MouseEvent): void => {
    const { current } = box
    if (current === null) return
    const edge = current.getBoundingClientRect()
    const row = Math.floor((event.clientY - edge.top + current.scrollTop) / LINE)
    const column = Math.floor(((event.clientX - edge.left) / CHAR - 6) / 3)
    const region = view.regions[regionOf[row * ROW + Math.max(0, Math.min(ROW - 1, column))] ?? 0]
    onPoint(region?.index)
  }
  return (
    <section class="hex" aria-label="Bytes">
      <h3>Bytes</h3>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the tables beside it do the same for the keyboard */}
      <div ref={box} class="hex-box" onMouseMove={point}>
        <canvas ref={canvas} role="img" aria-label={`The ${bytes.length} bytes of the block in base 16`} />
        <div style={{ height: `${rows * LINE}px` }} />
      </div>
    </section>
  )
}

/** The index of the region of each byte. */
const regionsByByte = ({ regions, blockSize }: BlockView): Uint16Array => {
  const indexes = new Uint16Array(blockSize)
  for (const [i, { at, bytes }] of regions.entries()) indexes.fill(i, at, at + bytes)
  return indexes
}

const paint = (
  canvas: HTMLCanvasElement | null,
  box: HTMLDivElement | null,
  bytes: Uint8Array,
  regions: readonly Region[],
  regionOf: Uint16Array,
  pointed: number | undefined,
): void => {
  if (canvas === null || box === null) return
  const scale = window.devicePixelRatio
  const { clientWidth: width, clientHeight: height, scrollTop } = box
  canvas.width = width * scale
  canvas.height = height * scale
  canvas.style.width = `${width}px`
  canvas.style.height = `${height}px`
  const context = canvas.getContext('2d')
  if (context === null) return
  context.scale(scale, scale)
  context.font = FONT
  context.textBaseline = 'middle'
  const styles = getComputedStyle(document.documentElement)
  const ink = styles.getPropertyValue('--ink')
  const faint = styles.getPropertyValue('--faint')
  const colors = regions.map(({ what }) => styles.getPropertyValue(`--region-${what}`) || faint)
  const first = Math.floor(scrollTop / LINE)
  for (let row = first; row * LINE < scrollTop + height && row * ROW < bytes.length; row++) {
    const y = row * LINE - scrollTop + LINE / 2
    context.fillStyle = faint
    context.fillText(String(row * ROW).padStart(5), 0, y)
    for (let i = 0; i < ROW && row * ROW + i < bytes.length; i++) {
      const at = row * ROW + i
      const byte = bytes[at]!
      const region = regions[regionOf[at]!]
      const x = (6 + 3 * i) * CHAR
      context.fillStyle = colors[regionOf[at]!]!
      context.globalAlpha = region?.index !== undefined && region.index === pointed ? 0.75 : 0.28
      context.fillRect(x - 1, y - LINE / 2, 3 * CHAR, LINE)
      context.fillRect((55 + i) * CHAR, y - LINE / 2, CHAR + 0.5, LINE)
      context.globalAlpha = 1
      context.fillStyle = byte === 0 ? faint : ink
      context.fillText(byte.toString(16).padStart(2, '0'), x, y)
      if (byte >= 32 && byte < 127) context.fillText(String.fromCharCode(byte), (55 + i) * CHAR, y)
    }
  }
}
