/** Gap reuse, and slow against cached: both benchmarks step by step, with the pictures moving. */
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { BlockStrip } from '../explorer/page/block.tsx'
import { CachePage } from '../explorer/page/cache.tsx'
import { LiveMapCanvas } from '../explorer/page/map.tsx'
import { useModel } from '../explorer/page/model.ts'
import { count, Problem } from '../explorer/page/text.tsx'
import type { KeyPath } from '../src/explorer/path.ts'
import { GAP_STEPS, type GapRow, READ_STEPS, type ReadRow, runGapStep, runReadStep } from './demo-steps.ts'

export const DemosPage = (): JSX.Element => {
  const [which, setWhich] = useState<'gaps' | 'cache'>('gaps')
  return (
    <article class="demos">
      <h2>Demonstrations</h2>
      <fieldset>
        <legend>What to see</legend>
        <label>
          <input type="radio" name="demo" checked={which === 'gaps'} onChange={() => setWhich('gaps')} />
          gaps are filled again
        </label>
        <label>
          <input type="radio" name="demo" checked={which === 'cache'} onChange={() => setWhich('cache')} />
          slow against cached
        </label>
      </fieldset>
      {which === 'gaps' ? <Gaps /> : <Cached />}
    </article>
  )
}

/** Steps, of which one after the other is run; the first begins anew. */
function useSteps<R>(
  steps: readonly { readonly name: string }[],
  run: (step: number) => Promise<R>,
): {
  rows: readonly R[]
  isRunning: boolean
  error: string | undefined
  next: () => Promise<void>
  restart: () => void
} {
  const [rows, setRows] = useState<readonly R[]>([])
  const [isRunning, setRunning] = useState(false)
  const [error, setError] = useState<string>()
  const next = async (): Promise<void> => {
    if (rows.length === steps.length) return
    setRunning(true)
    try {
      const row = await run(rows.length)
      setRows(before => [...before, row])
      setError(undefined)
    } catch (failure) {
      setError((failure as Error).message)
    }
    setRunning(false)
  }
  return { rows, isRunning, error, next, restart: () => setRows([]) }
}

const NextStep = ({
  steps,
  done,
  isRunning,
  onNext,
  onRestart,
}: {
  steps: readonly { readonly name: string }[]
  done: number
  isRunning: boolean
  onNext: () => void
  onRestart: () => void
}): JSX.Element => (
  <p>
    {done < steps.length ? (
      <button type="button" disabled={isRunning} onClick={onNext}>
        {`${done + 1}. ${steps[done]!.name}`}
      </button>
    ) : (
      <button type="button" onClick={onRestart}>
        once more from the beginning
      </button>
    )}
  </p>
)

const Gaps = (): JSX.Element => {
  const { transport } = useModel()
  const [shown, setShown] = useState<number>()
  const { rows, isRunning, error, next, restart } = useSteps(GAP_STEPS, step =>
    runGapStep(transport.call, step, async key => {
      const { buckets } = await transport.call<KeyPath>('path', { key })
      setShown(buckets[0]?.block)
    }),
  )
  const isSame = rows.length === 4 && rows[1]!.blocks === rows[3]!.blocks
  return (
    <>
      <p>
        A record that is deleted leaves a free slot and a hole. The next records fill both, so that the file does not
        grow: 128 records are added, deleted, and 128 others added. Each step runs slowly enough to watch it.
      </p>
      <NextStep steps={GAP_STEPS} done={rows.length} isRunning={isRunning} onNext={next} onRestart={restart} />
      {error !== undefined && <Problem>{error}</Problem>}
      <div class="pictures">
        <LiveMapCanvas label="Map of the blocks" />
        {shown !== undefined && <BlockStrip block={shown} />}
      </div>
      <div class="scroll">
        <table>
          <caption>After each step</caption>
          <thead>
            <tr>
              <th>step</th>
              <th>records</th>
              <th>blocks of the file</th>
              <th>slots used again</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ name, records, blocks, slotsReused }: GapRow) => (
              <tr key={name}>
                <td>{name}</td>
                <td class="number">{count(records)}</td>
                <td class="number">{count(blocks)}</td>
                <td class="number">{count(slotsReused)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {rows.length === GAP_STEPS.length && (
        <p class={isSame ? 'verdict' : 'verdict absent'}>
          {isSame
            ? `The gaps were filled: with 128 other records the file has ${count(rows[3]!.blocks)} blocks, as before.`
            : `The file has ${count(rows[3]!.blocks)} blocks now, and had ${count(rows[1]!.blocks)} before.`}
        </p>
      )}
    </>
  )
}

const Cached = (): JSX.Element => {
  const { transport } = useModel()
  const { rows, isRunning, error, next, restart } = useSteps(READ_STEPS, step => runReadStep(transport.call, step))
  const read = rows.filter(({ reads }) => reads > 0)
  const most = Math.max(1, ...read.map(({ misses }) => misses))
  return (
    <>
      <p>
        The same look-ups of 600 records, chosen at random: once with a pool of 16 frames, which holds next to nothing
        of the file, and twice with one that holds all of it. What is found in memory need not be read from the file.
      </p>
      <NextStep steps={READ_STEPS} done={rows.length} isRunning={isRunning} onNext={next} onRestart={restart} />
      {error !== undefined && <Problem>{error}</Problem>}
      <div class="scroll">
        <table>
          <caption>Look-ups</caption>
          <thead>
            <tr>
              <th>step</th>
              <th>blocks looked at</th>
              <th>read from the file</th>
              <th>ms</th>
              <th />
            </tr>
          </thead>
          <tbody>
            {read.map(({ name, accesses, misses, milliseconds }: ReadRow) => (
              <tr key={name}>
                <td>{name}</td>
                <td class="number">{count(accesses)}</td>
                <td class="number">{count(misses)}</td>
                <td class="number">{milliseconds.toFixed(1)}</td>
                <td>
                  <meter min={0} max={most} value={misses} aria-label={`${misses} blocks read`} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <LiveMapCanvas label="Map of the blocks: those in memory" shading="state" />
      <CachePage />
    </>
  )
}
