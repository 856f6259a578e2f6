/** The way to a key, step by step: its hash, the blocks that a lookup touches, the slot; and the tree beside it. */
import { type ComponentChildren, createContext, type JSX } from 'preact'
import { useContext, useEffect, useState } from 'preact/hooks'
import type { KeyPath } from '../../src/explorer/path.ts'
import { go, routeTo, useCall, useModel } from './model.ts'
import { usePlaying } from './playing.tsx'
import { BlockLink, Bytes, count, hex32, Problem, size } from './text.tsx'

/** How long each step of a walk is seen. */
const STEP_MS = 900

/** The key stands in the address; one that is no text as its bytes, behind an empty part. */
export const KeyPage = ({ rest: [key = '', hex] }: { rest: readonly string[] }): JSX.Element =>
  key === '' && hex === undefined ? (
    <AskForKey />
  ) : (
    <WayTo key={`${key}/${hex}`} named={key === '' ? { hex } : { key }} />
  )

const AskForKey = (): JSX.Element => {
  const [text, setText] = useState('')
  return (
    <section>
      <h2>Path of a key</h2>
      <p>Type a key: you see how a lookup finds its record, block by block.</p>
      <form
        onSubmit={event => {
          event.preventDefault()
          if (text !== '') go('key', text)
        }}
      >
        <input aria-label="Key" value={text} onInput={event => setText(event.currentTarget.value)} />
        <button type="submit">Show its path</button>
      </form>
    </section>
  )
}

const WayTo = ({ named }: { named: object }): JSX.Element => {
  const { sub } = useModel()
  const { player } = usePlaying()
  const moment = player === undefined ? {} : { at: player.at }
  const { value: path, error, block } = useCall<KeyPath>('path', { ...named, sub, ...moment }, 2000)
  const [step, setStep] = useState<number>()
  const steps = path === undefined ? 0 : Math.max(hashSteps(path), path.tree?.length ?? 0)
  const isWalking = step !== undefined && step < steps
  useEffect(() => {
    if (!isWalking) return
    const timer = window.setTimeout(() => setStep(step + 1), STEP_MS)
    return () => window.clearTimeout(timer)
  }, [isWalking, step])
  if (error !== undefined)
    return (
      <Problem>
        {error} {block !== undefined && <BlockLink block={block} />}
      </Problem>
    )
  if (path === undefined) return <p class="loading">Looking…</p>
  return (
    <article class="key-page">
      <h2>
        Path of <Bytes of={path.key} />
      </h2>
      <Verdict path={path} />
      <div class="tools">
        <button type="button" onClick={() => setStep(0)}>
          Walk the path
        </button>
        {isWalking && <output>{`step ${step + 1} of ${steps}`}</output>}
      </div>
      <NowContext.Provider value={{ step: isWalking ? step : undefined, block: player?.current?.block }}>
        <div class="ways">
          <HashWay path={path} />
          {path.tree !== undefined && <TreeWay path={path} />}
        </div>
      </NowContext.Provider>
    </article>
  )
}

const Verdict = ({ path: { record, touched } }: { path: KeyPath }): JSX.Element =>
  record === undefined ? (
    <p class="verdict absent">
      There is no such key. A lookup reads {touched.length} {touched.length === 1 ? 'block' : 'blocks'} to find that
      out.
    </p>
  ) : (
    <p class="verdict">
      It lies in{' '}
      <a class="block-link big" href={routeTo('block', record.block, record.slot)}>
        block {count(record.block)}
      </a>
      , slot {record.slot}. A lookup reads {touched.length} {touched.length === 1 ? 'block' : 'blocks'} to find it.
    </p>
  )

/** Where the walk is, and which block something has just happened to, in slow motion. */
const NowContext = createContext<{ step: number | undefined; block: number | undefined }>({
  step: undefined,
  block: undefined,
})

/** `block`: what it looks at. */
const Step = ({
  title,
  order,
  block,
  children,
}: {
  title: ComponentChildren
  order: number
  block?: number | undefined
  children: ComponentChildren
}): JSX.Element => {
  const now = useContext(NowContext)
  const isNow = now.step === order || (block !== undefined && block === now.block)
  const isAhead = now.step !== undefined && order > now.step
  return (
    <li
      class={isNow ? 'now' : isAhead ? 'ahead' : undefined}
      aria-current={isNow ? 'step' : undefined}
      style={{ animationDelay: `${order * 140}ms` }}
    >
      <h4>{title}</h4>
      <div>{children}</div>
    </li>
  )
}

/** How many steps the way through the hash index has. */
const hashSteps = ({ directories, buckets, record, parts }: KeyPath): number =>
  2 + directories.length + buckets.length + (record === undefined ? 0 : 1) + (parts.length > 0 ? 1 : 0)

const HashWay = ({ path }: { path: KeyPath }): JSX.Element => {
  const { hash, directories, buckets, record, parts } = path
  const steps: [ComponentChildren, ComponentChildren, number?][] = [
    [
      'Hash of the key',
      <>
        position <code>{hex32(hash.position)}</code>, tag <code>{hash.tag.toString(16).padStart(4, '0')}</code>
      </>,
    ],
    [
      <>
        Index block: <BlockLink block={hash.indexBlock} />
      </>,
      hash.indexBlocks === 1
        ? 'the only one of this sub-database'
        : `${count(hash.position)} mod ${hash.indexBlocks} + 1 = ${hash.indexBlock}`,
    ],
    ...directories.map((step): [ComponentChildren, ComponentChildren, number] => [
      <>
        Directory{step.level > 0 ? ` of level ${step.level}` : ''}: <BlockLink block={step.block} />
      </>,
      <>
        entry {step.entry} of {step.entries} covers <code>{hex32(step.from)}</code> up to{' '}
        <code>{step.to > 0xffffffff ? 'the end' : hex32(step.to)}</code>
        <Interval from={step.from} to={step.to} at={hash.position} />
        it leads to <BlockLink block={step.child} />
      </>,
      step.block,
    ]),
    ...buckets.map((step): [ComponentChildren, ComponentChildren, number] => [
      <>
        Bucket: <BlockLink block={step.block} />
      </>,
      <>
        {step.slots} slots, {step.tagged.length} with this tag
        {step.slot === undefined ? ', none of them of this key' : `; the key of slot ${step.slot} is the same`}
        {step.slot === undefined && step.next !== 0 && (
          <>
            {' '}
            — its overflow block is next, <BlockLink block={step.next} />
          </>
        )}
      </>,
      step.block,
    ]),
  ]
  if (record !== undefined)
    steps.push([
      'The record',
      <>
        {record.bytes} bytes at {record.at}:{' '}
        {record.large === undefined ? (
          <Bytes of={record.value!} most={300} />
        ) : (
          `a value of ${size(record.large.bytes)} in ${record.large.blocks} blocks of its own`
        )}
        {record.compressed !== undefined && ' (compressed)'}
        {record.expiresAt !== undefined && ` — expires ${new Date(record.expiresAt).toLocaleString()}`}
      </>,
    ])
  if (parts.length > 0)
    steps.push([
      'The parts of its value',
      <span class="parts" key="parts">
        {parts.map(({ block }) => (
          <BlockLink key={block} block={block}>
            {count(block)}
          </BlockLink>
        ))}
      </span>,
    ])
  return (
    <section>
      <h3>Through the hash index</h3>
      <ol class="way">
        {steps.map(([title, what, block], i) => (
          <Step key={i} order={i} title={title} block={block}>
            {what}
          </Step>
        ))}
      </ol>
    </section>
  )
}

/** Where a position lies among all of them, and the part that an entry covers. */
const Interval = ({ from, to, at }: { from: number; to: number; at: number }): JSX.Element => {
  const x = (position: number): number => (position / 4294967296) * 1000
  return (
    <svg class="interval" viewBox="0 0 1000 24" preserveAspectRatio="none" aria-hidden="true">
      <rect class="all" x="0" y="8" width="1000" height="8" />
      <rect class="part" x={x(from)} y="4" width={Math.max(4, x(to) - x(from))} height="16" />
      <rect class="here" x={x(at) - 1} y="0" width="3" height="24" />
    </svg>
  )
}

const TreeWay = ({ path: { tree = [], inTree } }: { path: KeyPath }): JSX.Element => (
  <section>
    <h3>Through the tree over the keys</h3>
    <ol class="way">
      {tree.map((step, i) => (
        <Step
          key={step.block}
          order={i}
          block={step.block}
          title={
            <>
              {step.level === 0 ? 'Leaf' : `Level ${step.level}`}: <BlockLink block={step.block} />
            </>
          }
        >
          {step.level > 0 ? (
            <>
              entry {step.entry} of {step.entries}, for keys from{' '}
              {step.key === undefined || step.key.bytes === 0 ? 'the first on' : <Bytes of={step.key} most={40} />}
              {step.child !== undefined && (
                <>
                  , leads to <BlockLink block={step.child} />
                </>
              )}
            </>
          ) : inTree ? (
            `entry ${step.entry} of ${step.entries} is the key`
          ) : (
            `the key is not here; it would be entry ${step.entry} of ${step.entries}`
          )}
        </Step>
      ))}
    </ol>
  </section>
)
