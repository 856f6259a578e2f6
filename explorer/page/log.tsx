/** The log: segments and marks, and its last groups with what each record changes. */
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { GroupView, LogRecordView, LogView, SegmentView } from '../../src/explorer/log.ts'
import { useCall, useNow } from './model.ts'
import { usePlaying } from './playing.tsx'
import { BlockLink, Bytes, bytesText, count, Figures, KeyLink, Problem, size } from './text.tsx'

const REFRESH_MS = 1000
const SHOWN = 40
/** Of a group; others when they are asked for. */
const SHOWN_RECORDS = 50

export const LogPage = (): JSX.Element => {
  const [before, setBefore] = useState<number>()
  const [isHeld, setHeld] = useState(false)
  const { player } = usePlaying()
  // In slow motion what was written by then is shown, and no more.
  const until = before ?? player?.marks.end
  const params = { limit: SHOWN, ...(until === undefined ? {} : { before: until }) }
  const { value: log, error } = useCall<LogView>('log', params, isHeld ? undefined : REFRESH_MS)
  const now = useNow()
  if (error !== undefined) return <Problem>{error}</Problem>
  if (log === undefined) return <p class="loading">Reading the log…</p>
  const marks = player?.marks ?? {
    redo: log.redoLsn,
    synced: now?.marks?.syncedLsn ?? log.syncedLsn,
    end: Math.max(log.endLsn, now?.marks?.endLsn ?? 0),
  }
  const { redo, synced, end } = marks
  return (
    <article class="log-page">
      <h2>Log</h2>
      <p>
        Each change goes here first. An LSN is a position in this endless stream; the files it lies in are used again
        when a checkpoint has made them superfluous.
      </p>
      <Figures
        of={[
          ['a recovery begins at', count(redo)],
          ['synced up to', count(synced)],
          ['ends at', count(end)],
          ['needed by a recovery', size(end - redo)],
          ['groups in the files', count(log.groupCount)],
        ]}
      />
      <Segments segments={log.segments} marks={marks} />
      <CheckpointSeen />
      {log.warnings.map(warning => (
        <Problem key={warning}>{warning}</Problem>
      ))}
      <div class="tools">
        <button type="button" disabled={before === undefined} onClick={() => setBefore(undefined)}>
          to the end
        </button>
        <button type="button" disabled={log.before === undefined} onClick={() => setBefore(log.before)}>
          earlier
        </button>
        <label>
          <input type="checkbox" checked={isHeld} onChange={event => setHeld(event.currentTarget.checked)} />
          hold still
        </label>
      </div>
      {log.groups.length === 0 && (
        <p>No group is left: the last checkpoint has written all that the log said to the data file.</p>
      )}
      <ol class="groups" reversed>
        {log.groups.toReversed().map(group => (
          <Group key={group.lsn} group={group} redo={redo} synced={synced} />
        ))}
      </ol>
    </article>
  )
}

/** The checkpoint under way as it moves, or when the last one was. */
const CheckpointSeen = (): JSX.Element | null => {
  const { player } = usePlaying()
  const seen = useNow()?.checkpoint
  const played = player?.checkpoint
  if (player === undefined ? seen === undefined : played === undefined) return null
  const { blocks, written } = played ?? seen!
  const isOver = player === undefined && seen?.endedAt !== undefined
  return (
    <p class="checkpoint" role="status">
      {isOver
        ? `The last checkpoint took ${count(seen!.endedAt! - seen!.began)} ms and wrote ${count(written)} blocks; it moved the redo mark to ${count(seen!.redoLsn ?? 0)}. `
        : `A checkpoint is under way: ${count(Math.min(written, blocks))} of ${count(blocks)} blocks are written. `}
      <progress max={Math.max(1, blocks)} value={isOver ? Math.max(1, blocks) : Math.min(written, blocks)} />
    </p>
  )
}

const Segments = ({
  segments,
  marks,
}: {
  segments: readonly SegmentView[]
  marks: { redo: number; synced: number; end: number }
}): JSX.Element => {
  const first = Math.min(marks.redo, ...segments.map(({ startLsn }) => startLsn))
  const last = Math.max(marks.end, ...segments.map(({ startLsn, capacity }) => startLsn + capacity))
  const x = (lsn: number): number => (1000 * (lsn - first)) / Math.max(1, last - first)
  const named: [string, number][] = [
    ['redo', marks.redo],
    ['synced', marks.synced],
    ['end', marks.end],
  ]
  return (
    <figure>
      <svg
        class="segments"
        viewBox="0 0 1000 60"
        preserveAspectRatio="none"
        role="img"
        aria-label="Segments of the log"
      >
        {segments.map(({ name, startLsn, endLsn, capacity, needed, groups }) => (
          <g key={name}>
            <title>{`${name}: LSN ${count(startLsn)} to ${count(endLsn)}, ${count(groups)} groups`}</title>
            <rect
              class="segment"
              x={x(startLsn)}
              y="14"
              width={Math.max(1, x(startLsn + capacity) - x(startLsn) - 1)}
              height="32"
            />
            <rect
              class={needed ? 'needed' : 'spent'}
              x={x(startLsn)}
              y="14"
              width={x(endLsn) - x(startLsn)}
              height="32"
            />
          </g>
        ))}
        {named.map(([name, lsn]) => (
          <rect
            key={name}
            class={`mark ${name}`}
            y="4"
            width="3"
            height="52"
            style={{ transform: `translateX(${x(lsn) - 1}px)` }}
          >
            <title>{`${name}: LSN ${count(lsn)}`}</title>
          </rect>
        ))}
      </svg>
      <figcaption>
        {segments.length} {segments.length === 1 ? 'segment' : 'segments'} · <b class="mark redo">▌</b> recovery begins
        · <b class="mark synced">▌</b> synced · <b class="mark end">▌</b> end
      </figcaption>
    </figure>
  )
}

const Group = ({ group, redo, synced }: { group: GroupView; redo: number; synced: number }): JSX.Element => {
  const [most, setMost] = useState(SHOWN_RECORDS)
  const hidden = group.records.length - most
  const state = group.end <= redo ? 'in the data file already' : group.end <= synced ? 'synced' : 'not synced yet'
  return (
    <li class={group.end <= redo ? 'spent' : ''}>
      <h3>
        group at LSN {count(group.lsn)}
        <small>
          {' '}
          {size(group.end - group.lsn)} in {group.segment}, {state}
        </small>
      </h3>
      {group.records.slice(0, most).map(record => (
        <LogRecord key={record.lsn} record={record} />
      ))}
      {hidden > 0 && (
        <button type="button" onClick={() => setMost(most + 10 * SHOWN_RECORDS)}>
          {count(hidden)} more
        </button>
      )}
    </li>
  )
}

/** In a few words what a record is for. */
const sentence = (record: LogRecordView): string => {
  const whose = record.transaction === 0 ? '' : ` of transaction ${record.transaction}`
  if (record.type === 'commit') return `commit${whose}`
  if (record.type === 'end') return `transaction ${record.transaction} is rolled back`
  if (record.type === 'system') return record.parts.length === 0 ? 'fills a sector' : 'change of the structure'
  if (record.type === 'image') return 'image of a block'
  if (record.compensation) return `takes a change back${whose}`
  return record.commits ? 'change that is a transaction in itself' : `change${whose}`
}

const LogRecord = ({ record }: { record: LogRecordView }): JSX.Element => {
  const { undo, parts } = record
  const [isOpen, setOpen] = useState(false)
  return (
    <details open={isOpen} onToggle={event => setOpen(event.currentTarget.open)}>
      <summary>
        <span class="mono lsn">{count(record.lsn)}</span> <span class={`type ${record.type}`}>{sentence(record)}</span>{' '}
        <span class="blocks">
          {[...new Set(parts.map(({ block }) => block))].map(block => (
            <BlockLink key={block} block={block}>
              {block}
            </BlockLink>
          ))}
        </span>
        <span class="preview mono">{previewOf(record)}</span>
      </summary>
      {isOpen && (
        <>
          {record.problem !== undefined && <Problem>{record.problem}</Problem>}
          {undo !== undefined && (
            <p>
              To take it back:{' '}
              {undo.key === undefined ? (
                `free the blocks ${undo.blocks.join(', ')}`
              ) : (
                <>
                  {undo.kind === 'insert' ? 'remove ' : 'put back '}
                  <KeyLink of={undo.key} />
                </>
              )}
            </p>
          )}
          <table>
            <tbody>
              {parts.flatMap(({ block, operations }) =>
                operations.map(({ text, data }, i) => (
                  <tr key={`${block} ${i}`}>
                    <td>
                      <BlockLink block={block} />
                    </td>
                    <td>{text}</td>
                    <td>{data !== undefined && <Bytes of={data} most={60} />}</td>
                  </tr>
                )),
              )}
            </tbody>
          </table>
        </>
      )}
    </details>
  )
}

/** The longest text that a record writes: most often the record of a bucket. */
const previewOf = ({ parts }: LogRecordView): string => {
  const texts = parts
    .flatMap(({ operations }) => operations.map(({ data }) => data))
    .filter(data => data?.text !== undefined && data.bytes > 4)
    .sort((a, b) => b!.bytes - a!.bytes)
  const [longest] = texts
  // A record of a bucket begins with four bytes that say how long its parts are.
  return longest?.text === undefined ? '' : bytesText({ ...longest, text: longest.text.replace(/^\p{Cc}+/u, '') }, 60)
}
