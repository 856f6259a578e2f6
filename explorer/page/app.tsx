/** The page: what is always there (search, views to choose from), and the view that the address names. */
import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useMemo, useState } from 'preact/hooks'
import { BlockPage } from './block.tsx'
import { CachePage } from './cache.tsx'
import { KeyPage } from './key.tsx'
import { LogPage } from './log.tsx'
import { MapPage } from './map.tsx'
import { type Facts, ModelContext, routeTo, type State, useRoute } from './model.ts'
import { PlayerBar, Playing } from './playing.tsx'
import { Search } from './search.tsx'
import { Problem } from './text.tsx'
import { ThemeSwitch } from './theme.tsx'
import { TransactionsPage } from './transactions.tsx'
import type { Transport } from './transport.ts'
import { WorkPage } from './work.tsx'

const STATE_MS = 500
const FACTS_MS = 3000
/** States that are kept: two minutes. */
const KEPT = 240

export interface View {
  readonly route: string
  readonly name: string
  readonly page: (props: { rest: readonly string[] }) => JSX.Element
}

const VIEWS: readonly View[] = [
  { route: 'map', name: 'File map', page: MapPage },
  { route: 'block', name: 'Block', page: BlockPage },
  { route: 'key', name: 'Path of a key', page: KeyPage },
  { route: 'log', name: 'Log', page: LogPage },
  { route: 'cache', name: 'Buffer pool', page: CachePage },
  { route: 'transactions', name: 'Transactions', page: TransactionsPage },
  { route: 'work', name: 'Work', page: WorkPage },
]

/** `views`: others, which stand first. `beside`: what stands on every one of them. */
export const App = ({
  transport,
  views = [],
  beside,
}: {
  transport: Transport
  views?: readonly View[]
  beside?: ComponentChildren
}): JSX.Element => {
  const [facts, setFacts] = useState<Facts>()
  const [history, setHistory] = useState<readonly State[]>([])
  const [failure, setFailure] = useState<string>()
  const [sub, setSub] = useState<readonly string[]>([])
  const playing = useMemo(() => new Playing(transport), [transport])
  const [route = '', ...rest] = useRoute()
  useEffect(() => repeat(FACTS_MS, async () => setFacts(await transport.call<Facts>('facts')), setFailure), [transport])
  useEffect(
    () =>
      repeat(
        STATE_MS,
        async () => {
          const state = await transport.call<State>('state')
          setHistory(before => [...before.slice(1 - KEPT), state])
        },
        setFailure,
      ),
    [transport],
  )
  const model = useMemo(
    () => (facts === undefined ? undefined : { transport, playing, facts, history, sub, setSub }),
    [transport, playing, facts, history, sub],
  )
  if (model === undefined) return failure === undefined ? <p class="loading">Loading…</p> : <Problem>{failure}</Problem>
  const all = [...views, ...VIEWS]
  const view = all.find(each => each.route === route) ?? all[0]!
  const Page = view.page
  document.title = `${view.name} · xenondb explorer`
  return (
    <ModelContext.Provider value={model}>
      <a class="skip" href={`#${route}`} onClick={toContent}>
        To the content
      </a>
      <header>
        <div class="title">
          <h1>
            xenondb <span>explorer</span>
          </h1>
          <p class="directory" title={model.facts.directory}>
            {model.facts.directory}
            <span class="badge">{model.facts.writable ? 'may change' : 'only looks'}</span>
          </p>
        </div>
        <ThemeSwitch />
        <Search />
        <nav aria-label="Views">
          {all.map(({ route, name }) => (
            <a key={route} href={routeTo(route)} aria-current={route === view.route ? 'page' : undefined}>
              {name}
            </a>
          ))}
        </nav>
      </header>
      {failure !== undefined && <Problem>{failure}</Problem>}
      {model.facts.note !== undefined && <p class="note">{model.facts.note}.</p>}
      {beside}
      {model.facts.canRecord && <PlayerBar />}
      <main id="content" tabIndex={-1}>
        <Page rest={rest} />
      </main>
    </ModelContext.Provider>
  )
}

/** For the keyboard: past the header, without another address. */
const toContent = (event: Event): void => {
  event.preventDefault()
  document.getElementById('content')?.focus()
}

/** Does it now, and again some time after it is done, as long as the page is seen. */
const repeat = (
  milliseconds: number,
  work: () => Promise<void>,
  onFailure: (message: string | undefined) => void,
): (() => void) => {
  let timer: number | undefined
  let stopped = false
  const once = async (): Promise<void> => {
    if (document.visibilityState === 'visible')
      try {
        await work()
        if (!stopped) onFailure(undefined)
      } catch (error) {
        if (!stopped) onFailure((error as Error).message)
      }
    if (!stopped) timer = window.setTimeout(once, milliseconds)
  }
  once()
  return () => {
    stopped = true
    window.clearTimeout(timer)
  }
}
