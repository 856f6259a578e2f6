/** The map of the file: each block a cell, coloured by what it is. Zoom from all of them to single ones. */
import type { JSX, RefObject } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { USES } from '../../src/explorer/shapes.ts'
import { MapCanvas, type Shading } from './map-canvas.ts'
import { go, useLatest, useModel } from './model.ts'
import { usePlaying } from './playing.tsx'
import { BlockLink, count, NAMES, Problem, percent } from './text.tsx'

const UPDATE_MS = 400

interface MapAnswer {
  readonly version: number
  readonly blocks: number
  readonly changed?: Uint32Array
  readonly uses: Uint8Array
  readonly fills: Uint8Array
  readonly flags: Uint8Array
  readonly used: Uint32Array
  readonly written: Uint32Array
}

const SHADINGS: readonly [Shading, string][] = [
  ['use', 'what it is'],
  ['fill', 'how full'],
  ['state', 'in memory'],
  ['heat', 'heat'],
]

/** A map that keeps itself up to date on a canvas; in slow motion it shows the moment of the player. */
const useMapCanvas = (
  onSelect: (block: number) => void,
): {
  canvas: RefObject<HTMLCanvasElement | null>
  map: RefObject<MapCanvas | null>
  counts: readonly number[]
  error: string | undefined
} => {
  const { transport } = useModel()
  const canvas = useRef<HTMLCanvasElement>(null)
  const map = useRef<MapCanvas>(null)
  const [counts, setCounts] = useState<readonly number[]>([])
  const [error, setError] = useState<string>()
  const { player } = usePlaying()
  const isPlayed = useLatest(player !== undefined)
  const selecting = useLatest(onSelect)
  useEffect(() => {
    const drawn = new MapCanvas(canvas.current!)
    map.current = drawn
    drawn.onSelect = block => selecting.current(block)
    drawn.onOpen = block => go('block', block)
    let version = 0
    let stopped = false
    let timer: number | undefined
    const ask = async (): Promise<void> => {
      const answer = await transport.call<MapAnswer>('map', { since: version })
      if (stopped || isPlayed.current) return
      version = answer.version
      drawn.take(answer)
      setCounts(drawn.counts())
      setError(undefined)
    }
    const update = async (): Promise<void> => {
      // What comes after a recording is told from the beginning.
      if (isPlayed.current) version = 0
      else if (document.visibilityState === 'visible')
        await ask().catch(failure => setError((failure as Error).message))
      if (!stopped) timer = window.setTimeout(update, UPDATE_MS)
    }
    update()
    return () => {
      stopped = true
      window.clearTimeout(timer)
      drawn.stop()
    }
  }, [transport, isPlayed, selecting])
  useEffect(() => {
    if (player === undefined) return
    map.current?.show(player, player.current)
    setCounts(map.current?.counts() ?? [])
  }, [player, player?.at])
  return { canvas, map, counts, error }
}

/** The map alone, to stand beside something else. */
export const LiveMapCanvas = ({ label, shading = 'use' }: { label: string; shading?: Shading }): JSX.Element => {
  const { canvas, map } = useMapCanvas(block => go('block', block))
  useEffect(() => map.current?.shade(shading), [shading, map])
  return <canvas ref={canvas} class="map small" role="img" aria-label={label} />
}

export const MapPage = (): JSX.Element => {
  const { facts } = useModel()
  const [selected, setSelected] = useState<number>()
  const [shading, setShading] = useState<Shading>('use')
  const { canvas, map, counts, error } = useMapCanvas(setSelected)
  const latest = useLatest(selected)
  useEffect(() => map.current?.shade(shading), [shading])
  useEffect(() => map.current?.select(selected), [selected])
  const onKeyDown = (event: KeyboardEvent): void => {
    const drawn = map.current
    if (drawn === null) return
    const { blocks, columns } = drawn
    const from = latest.current ?? -1
    const steps: Record<string, number> = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }
    const step = steps[event.key]
    if (step !== undefined) setSelected(Math.max(0, Math.min(blocks - 1, from + (from < 0 ? 1 : step))))
    else if (event.key === 'Home') setSelected(0)
    else if (event.key === 'End') setSelected(blocks - 1)
    else if (event.key === 'Enter' && from >= 0) go('block', from)
    else if (event.key === '+' || event.key === '=') drawn.zoom(1.5)
    else if (event.key === '-') drawn.zoom(1 / 1.5)
    else if (event.key === '0') drawn.fit()
    else return
    event.preventDefault()
  }
  return (
    <article class="map-page">
      <h2>File map</h2>
      <p>
        The data file, block by block: {count(facts.metadata.blocks)} blocks of {count(facts.metadata.blockSize)} bytes.
        Point at a block to see what it is, choose it to look inside.
      </p>
      {error !== undefined && <Problem>{error}</Problem>}
      <div class="tools">
        <fieldset>
          <legend>Colour</legend>
          {SHADINGS.map(([which, name]) => (
            <label key={which}>
              <input type="radio" name="shading" checked={shading === which} onChange={() => setShading(which)} />
              {name}
            </label>
          ))}
        </fieldset>
        <div>
          <button type="button" onClick={() => map.current?.zoom(1.6)} aria-label="Closer">
            +
          </button>
          <button type="button" onClick={() => map.current?.zoom(1 / 1.6)} aria-label="Farther">
            −
          </button>
          <button type="button" onClick={() => map.current?.fit()}>
            all
          </button>
        </div>
      </div>
      {shading === 'heat' && (
        <p class="key">
          <span class="swatch heat-used" /> used <span class="swatch heat-written" /> changed, in the last seconds
        </p>
      )}
      <div class="map-and-legend">
        <canvas
          ref={canvas}
          class="map"
          tabIndex={0}
          role="img"
          aria-label="Map of the blocks. Arrow keys choose a block, Enter opens it, plus and minus zoom."
          onKeyDown={onKeyDown}
        />
        <Legend counts={counts} />
      </div>
      <p class="status" aria-live="polite">
        {selected === undefined ? (
          'No block is chosen.'
        ) : (
          <Chosen block={selected} facts={map.current?.factsOf(selected)} />
        )}
      </p>
    </article>
  )
}

const Legend = ({ counts }: { counts: readonly number[] }): JSX.Element => {
  const total = counts.reduce((sum, some) => sum + some, 0)
  return (
    <table class="legend">
      <caption>Blocks by kind</caption>
      <tbody>
        {USES.map((use, i) => (
          <tr key={use} hidden={(counts[i] ?? 0) === 0}>
            <td>
              <span class={`swatch use-${use}`} />
            </td>
            <th scope="row">{NAMES[use]}</th>
            <td class="number" data-use={use}>
              {count(counts[i] ?? 0)}
            </td>
            <td class="number">{percent((counts[i] ?? 0) / total)}</td>
          </tr>
        ))}
        <tr>
          <td />
          <th scope="row">in all</th>
          <td class="number" data-use="total">
            {count(total)}
          </td>
          <td />
        </tr>
      </tbody>
    </table>
  )
}

const Chosen = ({ block, facts }: { block: number; facts: string | undefined }): JSX.Element => (
  <>
    <BlockLink block={block} />: {facts}
  </>
)
