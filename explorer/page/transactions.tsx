/** Open transactions, what they have changed and locked, and who waits for whom. */
import type { JSX } from 'preact'
import { useId, useState } from 'preact/hooks'
import type { TransactionsView } from '../../src/explorer/live.ts'
import { useCall, useModel, useNow } from './model.ts'
import { usePlaying } from './playing.tsx'
import { count, Figures, KeyLink, Problem, size } from './text.tsx'

const REFRESH_MS = 400

export const TransactionsPage = (): JSX.Element => {
  const { facts } = useModel()
  const { value: view, error } = useCall<TransactionsView>('transactions', {}, REFRESH_MS)
  if (error !== undefined) return <Problem>{error}</Problem>
  if (view === undefined) return <p class="loading">Looking…</p>
  return (
    <article class="transactions-page">
      <h2>Transactions</h2>
      <Figures
        of={[
          ['open', count(view.open.length)],
          ['waiting', count(view.waits.length)],
          ['committed', count(view.commits)],
          ['rolled back', count(view.rollbacks)],
          ['deadlocks', count(view.deadlocks)],
          ['snapshots', count(view.snapshots.open)],
          ['kept for snapshots', size(view.snapshots.bytes)],
        ]}
      />
      {facts.writable && <Doing />}
      {view.open.length === 0 ? (
        <p>No transaction is open.</p>
      ) : (
        <table>
          <caption>Open transactions</caption>
          <thead>
            <tr>
              <th>transaction</th>
              <th>open for</th>
              <th>locks</th>
              <th>records</th>
              <th>waits for</th>
              <th>has changed</th>
            </tr>
          </thead>
          <tbody>
            {view.open.map(({ id, age, locks, records, changes }) => (
              <tr key={id}>
                <td>{id}</td>
                <td>{(age / 1000).toFixed(1)} s</td>
                <td>{locks}</td>
                <td>{records > 0 ? `+${records}` : records}</td>
                <td>
                  {view.waits
                    .filter(({ transaction }) => transaction === id)
                    .flatMap(({ holders }) => holders)
                    .join(', ')}
                </td>
                <td>
                  {changes.map(({ key, kind }, i) => (
                    <span key={i} class="change">
                      {kind === 'insert' ? '+' : '~'}
                      <KeyLink of={key} />{' '}
                    </span>
                  ))}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {view.open.length > 0 && <WaitsFor view={view} />}
      <Deadlocks />
    </article>
  )
}

/** The last deadlocks, the newest first, as they were when they were found. */
const Deadlocks = (): JSX.Element | null => {
  const { player } = usePlaying()
  const { deadlocks = [] } = useNow() ?? {}
  const played = player?.events
    .slice(0, player.at)
    .flatMap(({ circle, ended, number }) =>
      circle === undefined || ended === undefined ? [] : [{ at: number, circle, ended }],
    )
  const seen = (played ?? deadlocks).toReversed()
  if (seen.length === 0) return null
  return (
    <section aria-label="Deadlocks">
      <h3>Deadlocks that were found</h3>
      <ol class="deadlocks">
        {seen.map(({ at, circle, ended }) => (
          <li key={`${at} ${circle.join(' ')}`}>
            <p role="status">
              {played === undefined && `${new Date(at).toLocaleTimeString()}: `}
              {[...circle, circle[0]].map(id => `transaction ${id}`).join(' waited for ')}. Transaction {ended} was
              ended, since it was the youngest, and the others went on.
            </p>
            <Graph
              ids={circle}
              waits={circle.map((id, i) => ({ transaction: id, holders: [circle[(i + 1) % circle.length]!] }))}
              ended={ended}
              name="The circle of a deadlock"
            />
          </li>
        ))}
      </ol>
    </section>
  )
}

const WaitsFor = ({ view: { open, waits } }: { view: TransactionsView }): JSX.Element => (
  <Graph ids={open.map(({ id }) => id)} waits={waits} name="Who waits for whom" />
)

/** Transactions in a circle, and an arrow from each that waits to those it waits for. */
const Graph = ({
  ids,
  waits,
  name,
  ended,
}: {
  ids: readonly number[]
  waits: TransactionsView['waits']
  name: string
  ended?: number
}): JSX.Element => {
  const marker = useId()
  const place = new Map(
    ids.map((id, i) => {
      const angle = (2 * Math.PI * i) / ids.length - Math.PI / 2
      return [id, { x: 150 + 105 * Math.cos(angle), y: 130 + 95 * Math.sin(angle) }]
    }),
  )
  const arrows = waits.flatMap(({ transaction, holders }) => holders.map(holder => [transaction, holder] as const))
  return (
    <figure>
      <svg class="waits" viewBox="0 0 300 260" role="img" aria-label={name}>
        <defs>
          <marker id={marker} viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">
            <path d="M0 0L8 4L0 8Z" />
          </marker>
        </defs>
        {arrows.map(([from, to]) => {
          const [a, b] = [place.get(from), place.get(to)]
          if (a === undefined || b === undefined) return null
          const length = Math.hypot(b.x - a.x, b.y - a.y) || 1
          const [dx, dy] = [(22 * (b.x - a.x)) / length, (22 * (b.y - a.y)) / length]
          return (
            <line
              key={`${from} ${to}`}
              x1={a.x + dx}
              y1={a.y + dy}
              x2={b.x - dx}
              y2={b.y - dy}
              marker-end={`url(#${marker})`}
            />
          )
        })}
        {ids.map(id => {
          const { x, y } = place.get(id)!
          return (
            <g key={id}>
              <circle
                cx={x}
                cy={y}
                r="20"
                class={id === ended ? 'ended' : waits.some(({ transaction }) => transaction === id) ? 'waiting' : ''}
              />
              <text x={x} y={y}>
                {id}
              </text>
            </g>
          )
        })}
      </svg>
      <figcaption>{name}</figcaption>
    </figure>
  )
}

/** Transactions of this page: begin some, change records in them, and see what they do to each other. */
const Doing = (): JSX.Element => {
  const { transport } = useModel()
  const [mine, setMine] = useState<readonly number[]>([])
  const [chosen, setChosen] = useState<number>()
  const [key, setKey] = useState('a')
  const [value, setValue] = useState('1')
  const [said, setSaid] = useState('')
  const inside = async (what: string): Promise<void> => {
    const transaction = chosen ?? mine[0]
    if (transaction === undefined) return
    const ends = what === 'commit' || what === 'rollback'
    setSaid(`transaction ${transaction}: ${what} …`)
    try {
      const answer = await transport.call<{ found?: boolean; text?: string }>('inside', {
        transaction,
        what,
        key,
        value,
      })
      const result = what === 'get' ? (answer.found === true ? `: ${answer.text}` : ': there is none') : ''
      setSaid(`transaction ${transaction}: ${what} is done${result}`)
      if (ends) setMine(before => before.filter(id => id !== transaction))
    } catch (error) {
      setSaid((error as Error).message)
      if ((error as { code?: string }).code === 'XENON_DEADLOCK')
        setMine(before => before.filter(id => id !== transaction))
    }
  }
  const begin = async (): Promise<void> => {
    const { transaction } = await transport.call<{ transaction: number }>('begin')
    setMine(before => [...before, transaction])
    setChosen(transaction)
    setSaid(`transaction ${transaction} has begun`)
  }
  return (
    <fieldset class="doing">
      <legend>Do something</legend>
      <button type="button" onClick={begin}>
        begin a transaction
      </button>
      {mine.length > 0 && (
        <>
          <select
            aria-label="Transaction"
            value={chosen}
            onChange={event => setChosen(Number(event.currentTarget.value))}
          >
            {mine.map(id => (
              <option key={id} value={id}>{`transaction ${id}`}</option>
            ))}
          </select>
          <input aria-label="Key" value={key} onInput={event => setKey(event.currentTarget.value)} />
          <input aria-label="Value" value={value} onInput={event => setValue(event.currentTarget.value)} />
          {['put', 'get', 'delete', 'commit', 'rollback'].map(what => (
            <button key={what} type="button" onClick={() => inside(what)}>
              {what}
            </button>
          ))}
        </>
      )}
      <output>{said}</output>
    </fieldset>
  )
}
