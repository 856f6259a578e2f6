/** The power goes, and recovery brings the database back: step by step. */
import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { useModel } from '../explorer/page/model.ts'
import { BlockLink, count, Figures, Problem, size } from '../explorer/page/text.tsx'
import type { CrashReport } from './playground.ts'

const POLICIES: readonly (readonly [CrashReport['policy'], string])[] = [
  ['none', 'nothing that was not synced is kept'],
  ['all', 'everything is kept'],
  ['prefix', 'what came before some moment is kept'],
  ['sectors', 'of each write some sectors are kept'],
  ['holes', 'some writes are kept, others not'],
  ['last', 'only the last write is kept'],
  ['garbage', 'sectors are old, new, or garbage'],
]
const STEP_MS = 250
const SHOWN = 400

export const CrashPage = (): JSX.Element => {
  const { transport } = useModel()
  const [policy, setPolicy] = useState<CrashReport['policy']>('none')
  const [after, setAfter] = useState('')
  const [report, setReport] = useState<CrashReport>()
  const [error, setError] = useState<string>()
  const crash = async (): Promise<void> => {
    try {
      setReport(undefined)
      setReport(
        await transport.call<CrashReport>('crash', { policy, ...(after === '' ? {} : { after: Number(after) }) }),
      )
      setError(undefined)
    } catch (failure) {
      setError((failure as Error).message)
    }
  }
  return (
    <article class="crash-page">
      <h2>Crash, and recovery</h2>
      <p>
        The disk of this page is simulated: it knows which writes were synced. When the power goes, it may keep any part
        of the others. Begin a transaction (see Transactions), put something in it, and take the power away: what it has
        changed is gone afterwards, what was committed is there.
      </p>
      <fieldset>
        <legend>Take the power away</legend>
        <select
          aria-label="What the disk keeps"
          value={policy}
          onChange={event => setPolicy(event.currentTarget.value as CrashReport['policy'])}
        >
          {POLICIES.map(([name, what]) => (
            <option key={name} value={name}>{`${name}: ${what}`}</option>
          ))}
        </select>
        <input
          class="short"
          aria-label="At which operation of the disk"
          placeholder="at I/O"
          value={after}
          onInput={event => setAfter(event.currentTarget.value)}
        />
        <button type="button" class="danger" onClick={crash}>
          {after === '' ? 'crash now' : 'write records, and crash then'}
        </button>
      </fieldset>
      {error !== undefined && <Problem>{error}</Problem>}
      {report !== undefined && <Recovery report={report} />}
    </article>
  )
}

const Recovery = ({ report }: { report: CrashReport }): JSX.Element => {
  const { steps, losers, recovery, files } = report
  const shown = steps.slice(-SHOWN)
  const [at, setAt] = useState(0)
  const [isRunning, setRunning] = useState(true)
  useEffect(() => {
    if (!isRunning || at >= shown.length) return
    const timer = window.setTimeout(() => setAt(at + 1), STEP_MS)
    return () => window.clearTimeout(timer)
  }, [at, isRunning, shown.length])
  return (
    <>
      <Figures
        of={[
          ['changes that were not synced', count(report.unsynced)],
          ['log records read', count(recovery.recordsScanned)],
          ['changes made again', count(recovery.redone)],
          ['transactions taken back', count(recovery.transactionsRolledBack)],
          ['torn end of the log', size(recovery.tornTailBytes)],
          ['records afterwards', count(report.records)],
          ['time', `${recovery.milliseconds.toFixed(1)} ms`],
        ]}
      />
      <details>
        <summary>What the disk holds</summary>
        <ul>
          {files.map(({ path, bytes }) => (
            <li key={path}>
              <span class="mono">{path}</span>: {size(bytes)}
            </li>
          ))}
        </ul>
      </details>
      <h3>Redo: each record of the log, and whether its block has it already</h3>
      <div class="tools">
        <button type="button" onClick={() => setRunning(!isRunning)}>
          {isRunning ? 'hold' : 'go on'}
        </button>
        <button type="button" disabled={at >= shown.length} onClick={() => setAt(at + 1)}>
          one step
        </button>
        <button type="button" onClick={() => setAt(shown.length)}>
          to the end
        </button>
      </div>
      {shown.length === 0 && <p>The log holds nothing behind the last checkpoint: there is nothing to do.</p>}
      <ol class="redo">
        {shown.slice(0, at).map((step, i) => (
          <li key={`${step.lsn} ${step.block} ${i}`} class={step.isRedone ? 'redone' : 'kept'}>
            <span class="mono">{count(step.lsn)}</span> <BlockLink block={step.block} />{' '}
            {step.isRedone
              ? `has LSN ${count(step.blockLsn)}, which is lower: the change is made again`
              : `has LSN ${count(step.blockLsn)}: it holds this change already`}{' '}
            <span class="preview mono">{step.text}</span>
          </li>
        ))}
      </ol>
      {at >= shown.length && (
        <p class="verdict">
          {losers.length === 0
            ? 'Undo: no transaction was open, so nothing is taken back. '
            : `Undo: ${losers.length === 1 ? `transaction ${losers[0]} has no end in the log, so its changes are` : `transactions ${losers.join(', ')} have no end in the log, so their changes are`} taken back. `}
          A checkpoint ends the recovery: {count(report.records)} records are there.
        </p>
      )}
    </>
  )
}
