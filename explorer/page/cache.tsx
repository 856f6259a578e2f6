/** The buffer pool: its frames in the order of their last use, and how many accesses found their block there. */
import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { Chart } from './chart.tsx'
import { go, useCall, useModel, useNow } from './model.ts'
import { usePlaying } from './playing.tsx'
import { count, Figures, Problem, percent, size } from './text.tsx'
import { useTheme } from './theme.tsx'

const REFRESH_MS = 500
const CELL = 8
const DIRTY = 1
const PINNED = 2

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

const Frames = ({ pool, current: now }: { pool: PoolAnswer; current: number | undefined }): JSX.Element => {
  const theme = useTheme()
  const canvas = useRef<HTMLCanvasElement>(null)
  useEffect(() => {
    const { current } = canvas
    const context = current?.getContext('2d')
    if (!current || !context) return
    const scale = window.devicePixelRatio
    const width = current.clientWidth
    const columns = Math.max(1, Math.floor(width / CELL))
    const rows = Math.max(1, Math.ceil(pool.blocks.length / columns))
    current.style.height = `${rows * CELL}px`
    current.width = width * scale
    current.height = rows * CELL * scale
    context.scale(scale, scale)
    const styles = getComputedStyle(document.documentElement)
    const colors = ['--frame', '--frame-dirty', '--frame-pinned'].map(name => styles.getPropertyValue(name))
    for (const [i, flags] of pool.flags.entries()) {
      context.fillStyle = colors[(flags & PINNED) !== 0 ? 2 : (flags & DIRTY) !== 0 ? 1 : 0]!
      context.fillRect((i % columns) * CELL, Math.floor(i / columns) * CELL, CELL - 1, CELL - 1)
    }
    const at = now === undefined ? -1 : pool.blocks.indexOf(now)
    if (at < 0) return
    context.strokeStyle = styles.getPropertyValue('--ink')
    context.lineWidth = 2
    context.strokeRect((at % columns) * CELL - 1, Math.floor(at / columns) * CELL - 1, CELL + 1, CELL + 1)
  }, [pool, now, theme])
  const blockAt = (event: MouseEvent): number | undefined => {
    const edge = canvas.current!.getBoundingClientRect()
    const columns = Math.max(1, Math.floor(edge.width / CELL))
    const index =
      Math.floor((event.clientY - edge.top) / CELL) * columns + Math.floor((event.clientX - edge.left) / CELL)
    return pool.blocks[index]
  }
  return (
    <canvas
      ref={canvas}
      class="frames"
      role="img"
      aria-label={`${pool.blocks.length} frames with a block`}
      onMouseMove={event => {
        const block = blockAt(event)
        event.currentTarget.title = block === undefined ? '' : `block ${block}`
      }}
      onClick={event => {
        const block = blockAt(event)
        if (block !== undefined) go('block', block)
      }}
    />
  )
}
