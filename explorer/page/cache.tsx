/** The buffer pool: its frames in the order of their last use, and how many accesses found their block there. */
import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { Chart } from './chart.tsx'
import { go, useCall, useModel, useNow } from './model.ts'
import { usePlaying } from './playing.tsx'
import { BlockLink, count, Figures, Problem, percent, size } from './text.tsx'
import { useTheme } from './theme.tsx'

const REFRESH_MS = 500
const CELL = 8
const DIRTY = 1
const PINNED = 2
/** A canvas cannot be much higher. */
const MOST_PIXELS = 16000

interface PoolAnswer {
  readonly frames: number
  readonly isOrdered: boolean
  readonly blocks: Uint32Array
  readonly flags: Uint8Array
}

export const CachePage = (): JSX.Element => {
  const { history } = useModel()
  const stats = useNow()?.stats
  const { value, error } = useCall<PoolAnswer>('pool', {}, REFRESH_MS)
  const { player } = usePlaying()
  const pool = value === undefined || player === undefined ? value : { ...value, isOrdered: true, ...player.pool }
  if (error !== undefined) return <Problem>{error}</Problem>
  if (pool === undefined || stats === undefined) return <p class="loading">Looking…</p>
  const { cache } = stats
  return (
    <article class="cache-page">
      <h2>Buffer pool</h2>
      <p>
        Blocks that are in memory. A lookup that finds its blocks here reads nothing from the disk. When all frames are
        used, the blocks that were used least recently make room.
      </p>
      <Figures
        of={[
          ['frames', `${count(cache.framesUsed)} of ${count(cache.frames)} used`],
          ['memory', size(cache.bytes)],
          ['newer than the file', count(cache.dirty)],
          ['accesses', count(cache.accesses)],
          ['found here', `${count(cache.hits)}, ${percent(cache.hits / Math.max(1, cache.accesses))}`],
          ['read from the file', count(cache.misses)],
          ['made room', count(cache.evictions)],
        ]}
      />
      <h3>
        {pool.isOrdered
          ? 'Frames, the one used last first'
          : 'Frames (nothing had to make room yet, so no order is kept)'}
      </h3>
      <Frames pool={pool} current={player?.current?.block} />
      <p class="key">
        <span class="swatch frame" /> as in the file <span class="swatch frame-dirty" /> newer than in the file{' '}
        <span class="swatch frame-pinned" /> held
      </p>
      <Chart
        title="Accesses per second"
        history={history}
        lines={[
          { name: 'found here', of: state => state.stats?.cache.hits, isRate: true },
          { name: 'read from the file', of: state => state.stats?.cache.misses, isRate: true },
        ]}
      />
    </article>
  )
}

/** The frames as cells, each a pixel of a small picture that is drawn larger: so many of them take no longer. */
const Frames = ({ pool, current: now }: { pool: PoolAnswer; current: number | undefined }): JSX.Element => {
  const theme = useTheme()
  const canvas = useRef<HTMLCanvasElement>(null)
  const [chosen, setChosen] = useState<number>()
  const columnsOf = (): number => Math.max(1, Math.floor((canvas.current?.clientWidth ?? 0) / CELL))
  useEffect(() => {
    const { current } = canvas
    const context = current?.getContext('2d')
    if (!current || !context) return
    const columns = columnsOf()
    const rows = Math.max(1, Math.ceil(pool.blocks.length / columns))
    const [width, height] = [current.clientWidth, rows * CELL]
    const scale = Math.min(window.devicePixelRatio, MOST_PIXELS / height)
    current.style.height = `${height}px`
    current.width = width * scale
    current.height = height * scale
    context.scale(scale, scale)
    context.imageSmoothingEnabled = false
    context.drawImage(pictureOf(pool, columns, rows), 0, 0, columns * CELL, height)
    context.fillStyle = styleOf('--paper')
    for (let column = 1; column <= columns; column++) context.fillRect(column * CELL - 1, 0, 1, height)
    for (let row = 1; row <= rows; row++) context.fillRect(0, row * CELL - 1, width, 1)
    const ring = (index: number, color: string): void => {
      if (index < 0 || index >= pool.blocks.length) return
      context.strokeStyle = color
      context.lineWidth = 2
      context.strokeRect((index % columns) * CELL - 1, Math.floor(index / columns) * CELL - 1, CELL + 1, CELL + 1)
    }
    if (now !== undefined) ring(pool.blocks.indexOf(now), styleOf('--ink'))
    if (chosen !== undefined) ring(chosen, styleOf('--accent'))
  }, [pool, now, theme, chosen])
  const indexAt = (event: MouseEvent): number => {
    const edge = canvas.current!.getBoundingClientRect()
    return Math.floor((event.clientY - edge.top) / CELL) * columnsOf() + Math.floor((event.clientX - edge.left) / CELL)
  }
  const open = (index: number | undefined): void => {
    const block = index === undefined ? undefined : pool.blocks[index]
    if (block !== undefined) go('block', block)
  }
  const onKeyDown = (event: KeyboardEvent): void => {
    const last = pool.blocks.length - 1
    const steps: Record<string, number> = {
      ArrowRight: 1,
      ArrowLeft: -1,
      ArrowDown: columnsOf(),
      ArrowUp: -columnsOf(),
    }
    const step = steps[event.key]
    if (step !== undefined) setChosen(Math.max(0, Math.min(last, chosen === undefined ? 0 : chosen + step)))
    else if (event.key === 'Home') setChosen(0)
    else if (event.key === 'End') setChosen(last)
    else if (event.key === 'Enter') open(chosen)
    else return
    event.preventDefault()
  }
  const shown = chosen === undefined ? undefined : pool.blocks[chosen]
  return (
    <>
      <canvas
        ref={canvas}
        class="frames"
        tabIndex={0}
        role="img"
        aria-label={`${pool.blocks.length} frames with a block. Arrow keys choose one, Enter opens its block.`}
        onKeyDown={onKeyDown}
        onMouseMove={event => {
          const block = pool.blocks[indexAt(event)]
          event.currentTarget.title = block === undefined ? '' : `block ${block}`
        }}
        onClick={event => open(indexAt(event))}
      />
      <p class="status" role="status">
        {shown !== undefined && (
          <>
            frame {count(chosen! + 1)}: <BlockLink block={shown} />
            {(pool.flags[chosen!]! & DIRTY) !== 0 && ', newer than in the file'}
          </>
        )}
      </p>
    </>
  )
}

const styleOf = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

const pictureOf = (pool: PoolAnswer, columns: number, rows: number): HTMLCanvasElement => {
  const picture = document.createElement('canvas')
  picture.width = columns
  picture.height = rows
  const context = picture.getContext('2d')!
  const image = context.createImageData(columns, rows)
  const words = new Uint32Array(image.data.buffer)
  const colors = ['--frame', '--frame-dirty', '--frame-pinned'].map(name => wordOf(styleOf(name)))
  for (let i = 0; i < pool.flags.length; i++) {
    const flags = pool.flags[i]!
    words[i] = colors[(flags & PINNED) !== 0 ? 2 : (flags & DIRTY) !== 0 ? 1 : 0]!
  }
  context.putImageData(image, 0, 0)
  return picture
}

/** Of `#rrggbb` the pixel as it lies in memory. */
const wordOf = (color: string): number => {
  const [red, green, blue] = [1, 3, 5].map(at => Number.parseInt(color.slice(at, at + 2), 16)) as [
    number,
    number,
    number,
  ]
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0
}
