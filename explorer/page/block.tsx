/** One block: what its header says, what lies in it, and its bytes beside that. */
import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import type { BlockView, BucketView, DirectoryView, NodeView, Region } from '../../src/explorer/shapes.ts'
import { Hex } from './hex.tsx'
import { go, useCall, useModel } from './model.ts'
import { useMoment } from './playing.tsx'
import { BlockLink, Bytes, count, Figures, hex32, KeyLink, Problem, percent, size } from './text.tsx'

const REFRESH_MS = 1000
const STRIP_MS = 200

const POSITIONS = 4294967296
/** A position, from 0 to 1000. */
const share = (position: number): number => (1000 * position) / POSITIONS

/** What is pointed at: the record of a slot, an entry of a node. */
type Pointed = number | undefined

export const BlockPage = ({ rest: [given, slot] }: { rest: readonly string[] }): JSX.Element => {
  const { facts } = useModel()
  const block = Number(given ?? 0)
  const isBlock = Number.isSafeInteger(block) && block >= 0
  const { value: view, error } = useCall<BlockView>('block', { block: isBlock ? block : 0, ...useMoment() }, REFRESH_MS)
  const [pointed, setPointed] = useState<Pointed>(slot === undefined ? undefined : Number(slot))
  useEffect(() => setPointed(slot === undefined ? undefined : Number(slot)), [slot, block])
  const last = facts.metadata.blocks - 1
  return (
    <article class="block-page">
      <div class="turn">
        <button type="button" disabled={block <= 0} onClick={() => go('block', block - 1)}>
          ← previous
        </button>
        <h2>Block {count(block)}</h2>
        <button type="button" disabled={block >= last} onClick={() => go('block', block + 1)}>
          next →
        </button>
      </div>
      {error !== undefined && <Problem>{error}</Problem>}
      {view !== undefined && view.block === block && <Contents view={view} pointed={pointed} onPoint={setPointed} />}
    </article>
  )
}

/** One block as a strip, with its free slots, to stand beside something else. */
export const BlockStrip = ({ block }: { block: number }): JSX.Element => {
  const { value: view } = useCall<BlockView>('block', { block, ...useMoment() }, STRIP_MS)
  return (
    <figure class="block-strip">
      {view !== undefined && <Strip view={view} pointed={undefined} onPoint={() => {}} />}
      <figcaption>
        <BlockLink block={block} />
        {view?.bucket !== undefined &&
          `: ${view.bucket.live} records, ${view.bucket.freeSlots.length} free slots, ${count(view.bucket.garbage)} bytes in holes`}
      </figcaption>
    </figure>
  )
}

interface PartProps {
  readonly view: BlockView
  readonly pointed: Pointed
  readonly onPoint: (index: Pointed) => void
}

const Contents = ({ view, pointed, onPoint }: PartProps): JSX.Element => (
  <>
    {view.problem !== undefined && <Problem>{view.problem}</Problem>}
    <Header view={view} />
    <Strip view={view} pointed={pointed} onPoint={onPoint} />
    <div class="beside">
      <div>
        <Inside view={view} pointed={pointed} onPoint={onPoint} />
      </div>
      <Hex view={view} pointed={pointed} onPoint={onPoint} />
    </div>
  </>
)

const Header = ({ view }: { view: BlockView }): JSX.Element => {
  const { header } = view
  const where: Record<BlockView['origin'], string> = {
    pool: view.dirty ? 'in memory, newer than in the file' : 'in memory, the same as in the file',
    file: 'in the file',
    blank: 'laid out, and never written',
  }
  const figures: [string, ComponentChildren][] = [
    ['kind', <strong key="kind">{view.kindName}</strong>],
    ['fill', percent(view.fill)],
    ['where', where[view.origin]],
    ['in the file', `at ${count(view.offset)}, ${size(view.blockSize)}`],
  ]
  if (header !== undefined) {
    figures.push(['last changed by LSN', count(header.lsn)])
    figures.push(['checksum', `${hex32(header.checksum)}${view.problem === undefined ? '' : ' (see above)'}`])
    if (header.level > 0) figures.push(['level', header.level])
    if (header.next !== 0) figures.push(['next', <BlockLink key="next" block={header.next} />])
  }
  return <Figures of={figures} />
}

const REGION_NAMES: Readonly<Record<Region['what'], string>> = {
  header: 'header',
  slots: 'slots',
  record: 'record of slot',
  hole: 'hole',
  entry: 'entry',
  prefix: 'prefix of all keys',
  separators: 'separators',
  children: 'children',
  data: 'bytes of the value',
  facts: 'what it says',
  unused: 'unused',
  sector: 'sector',
}

export const regionName = ({ what, index }: Region): string =>
  index === undefined ? REGION_NAMES[what] : `${REGION_NAMES[what]} ${index}`

/** The block as one strip, from its first byte to its last. */
const Strip = ({ view: { regions, blockSize }, pointed, onPoint }: PartProps): JSX.Element => (
  <svg
    class="strip"
    viewBox={`0 0 ${blockSize} 100`}
    preserveAspectRatio="none"
    role="img"
    aria-label="The block, byte by byte"
  >
    {regions.map(region => {
      const isPointed = region.index !== undefined && region.index === pointed
      return (
        // biome-ignore lint/a11y/noStaticElementInteractions: the tables below do the same for the keyboard
        <rect
          key={region.at}
          x={region.at}
          y={isPointed ? 0 : 8}
          width={region.bytes}
          height={isPointed ? 100 : 84}
          class={`region ${region.what} ${isPointed ? 'pointed' : ''}`}
          onMouseEnter={() => onPoint(region.index)}
        >
          <title>{`${regionName(region)}: ${count(region.bytes)} bytes at ${region.at}`}</title>
        </rect>
      )
    })}
  </svg>
)

const Inside = (props: PartProps): JSX.Element | null => {
  const { view } = props
  const { metadata, bucket, directory, node, large, space, condemned } = view
  if (bucket !== undefined) return <Bucket bucket={bucket} {...props} />
  if (directory !== undefined) return <Directory directory={directory} />
  if (node !== undefined) return <Node node={node} {...props} />
  if (metadata !== undefined) {
    const { createdAt, ...rest } = metadata
    const shown = Object.entries(rest).map(([name, value]): [string, ComponentChildren] => [
      name,
      ['freeHead', 'firstSpace', 'firstCondemned'].includes(name) && value !== 0 ? (
        <BlockLink key={name} block={Number(value)} />
      ) : typeof value === 'number' ? (
        count(value)
      ) : (
        String(value)
      ),
    ])
    return <Figures of={[...shown, ['created', new Date(createdAt).toLocaleString()]]} />
  }
  if (large !== undefined)
    return (
      <p>
        Holds {count(large.held)} bytes of a value that is too long for a bucket
        {large.next !== 0 && (
          <>
            ; the next part is in <BlockLink block={large.next} />
          </>
        )}
        .
      </p>
    )
  if (space !== undefined)
    return (
      <Figures
        of={[
          [
            space.isIndex ? 'index' : 'sub-database',
            <span key="name" class="mono">
              {space.name}
            </span>,
          ],
          ['number', space.number],
          ['lies in number', space.parent === 0 ? 'the root' : space.parent],
          ['index block', <BlockLink key="index" block={space.index} />],
          ['tree over keys', <BlockLink key="ordered" block={space.ordered} />],
          ['tree over times of expiry', <BlockLink key="expiry" block={space.expiry} />],
          ['note', <Bytes key="note" of={space.note} />],
        ]}
      />
    )
  if (condemned !== undefined)
    return (
      <p>
        Leads to what was cleared and is not free yet:{' '}
        {condemned.roots.map(root => (
          <BlockLink key={root} block={root} />
        ))}
      </p>
    )
  return <p>Nothing lies here.</p>
}

const rowProps = (index: number, { pointed, onPoint }: PartProps): object => ({
  class: index === pointed ? 'pointed' : undefined,
  onMouseEnter: () => onPoint(index),
  onFocusCapture: () => onPoint(index),
})

const Bucket = ({ bucket, ...props }: { bucket: BucketView } & PartProps): JSX.Element => (
  <>
    <Figures
      of={[
        ['slots', `${bucket.slots}, ${bucket.live} in use`],
        ['free in one piece', `${count(bucket.gap)} bytes`],
        ['in holes', `${count(bucket.garbage)} bytes in ${bucket.holes.length}`],
        ['overflow block', bucket.next === 0 ? 'none' : <BlockLink key="next" block={bucket.next} />],
      ]}
    />
    <div class="scroll">
      <table>
        <caption>Records</caption>
        <thead>
          <tr>
            <th>slot</th>
            <th>tag</th>
            <th>at</th>
            <th>bytes</th>
            <th>key</th>
            <th>value</th>
          </tr>
        </thead>
        <tbody>
          {bucket.records.map(record => (
            <tr key={record.slot} {...rowProps(record.slot, props)}>
              <td>{record.slot}</td>
              <td class="mono">{record.tag.toString(16).padStart(4, '0')}</td>
              <td>{record.at}</td>
              <td>{record.bytes}</td>
              <td>
                <KeyLink of={record.key} />
              </td>
              <td>
                {record.large === undefined ? (
                  <Bytes of={record.value!} most={60} />
                ) : (
                  <>
                    {size(record.large.bytes)} from <BlockLink block={record.large.head} /> on
                  </>
                )}
                {record.compressed !== undefined && ' (compressed)'}
                {record.expiresAt !== undefined && ` expires ${new Date(record.expiresAt).toLocaleString()}`}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
    {bucket.records.length === 0 && <p>No record lies here.</p>}
    {bucket.freeSlots.length > 0 && (
      <p>
        Free slots, in the order in which they are used again:{' '}
        <span class="mono">
          {bucket.freeSlots.map(({ slot, hole }) => (hole === 0 ? `${slot}` : `${slot} (hole at ${hole})`)).join(' → ')}
        </span>
      </p>
    )}
  </>
)

const Directory = ({ directory: { level, capacity, entries } }: { directory: DirectoryView }): JSX.Element => (
  <>
    <Figures
      of={[
        ['level', level === 0 ? '0: it leads to buckets' : `${level}: it leads to directories`],
        ['entries', `${entries.length} of ${capacity}`],
      ]}
    />
    <svg
      class="strip intervals"
      viewBox="0 0 1000 100"
      preserveAspectRatio="none"
      role="img"
      aria-label="Which positions lead where"
    >
      {entries.map(({ from, child }, i) => (
        <rect
          key={from}
          x={share(from)}
          y="8"
          width={share(entries[i + 1]?.from ?? POSITIONS) - share(from)}
          height="84"
          class={`region ${i % 2 === 0 ? 'children' : 'separators'}`}
        >
          <title>{`from ${hex32(from)} on: block ${child}`}</title>
        </rect>
      ))}
    </svg>
    <div class="scroll">
      <table>
        <caption>Positions from … on lead to</caption>
        <tbody>
          {entries.map(({ from, child }, i) => (
            <tr key={from}>
              <td>{i}</td>
              <td class="mono">{hex32(from)}</td>
              <td>
                <BlockLink block={child} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  </>
)

const Node = ({ node, ...props }: { node: NodeView } & PartProps): JSX.Element => (
  <>
    <Figures
      of={[
        ['level', node.level === 0 ? '0, a leaf' : node.level],
        ['entries', node.entries.length],
        ['prefix of all keys', node.prefix.bytes === 0 ? 'none' : <Bytes key="prefix" of={node.prefix} />],
        ['free in one piece', `${count(node.gap)} bytes`],
        ['in holes', `${count(node.garbage)} bytes`],
      ]}
    />
    <div class="scroll">
      <table>
        <caption>{node.level === 0 ? 'Keys' : 'Keys from … on lie below'}</caption>
        <tbody>
          {node.entries.map(({ key, child }, i) => (
            <tr key={i} {...rowProps(i, props)}>
              <td>{i}</td>
              <td>
                {child === undefined ? <KeyLink of={key} /> : key.bytes === 0 ? 'the first key' : <Bytes of={key} />}
              </td>
              {child !== undefined && (
                <td>
                  <BlockLink block={child} />
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  </>
)
