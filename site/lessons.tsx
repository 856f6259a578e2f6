/** The page of the lessons. What is done stays done, also while another view is shown. */
import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { routeTo, useModel } from '../explorer/page/model.ts'
import type { Transport } from '../explorer/page/transport.ts'
import type { Stats } from '../src/types.ts'
import { LESSONS } from './lesson-texts.ts'

const LOOK_MS = 700

/** The lesson that was opened last: it is watched whatever view is shown. */
const watched: {
  index: number
  before: Stats | undefined
  routes: string[]
  done: Set<string>
  told: () => void
  timer: number | undefined
} = { index: -1, before: undefined, routes: [], done: new Set(), told: () => {}, timer: undefined }

const watch = async (transport: Transport, index: number): Promise<void> => {
  if (watched.index === index) return
  window.clearTimeout(watched.timer)
  watched.index = index
  watched.routes = []
  watched.before = (await transport.call<{ stats: Stats }>('state')).stats
  if (watched.index === index) look(transport)
}

const look = async (transport: Transport): Promise<void> => {
  const { index, before } = watched
  const asking = {
    call: transport.call,
    visited: (route: string) =>
      watched.routes.some(
        each => each === route || each.startsWith(`${route}/`) || (route.endsWith('/') && each.startsWith(route)),
      ),
    before: before!,
  }
  for (const [i, task] of LESSONS[index]!.tasks.entries()) {
    const name = `${index} ${i}`
    // In their order: each begins where the one before has led.
    if (i > 0 && !watched.done.has(`${index} ${i - 1}`)) break
    if (!watched.done.has(name) && (await task.isDone(asking).catch(() => false))) watched.done.add(name)
  }
  watched.told()
  if (watched.index === index) watched.timer = window.setTimeout(() => look(transport), LOOK_MS)
}

window.addEventListener('hashchange', () => watched.routes.push(location.hash))

export const LessonsPage = ({ rest: [given] }: { rest: readonly string[] }): JSX.Element => {
  const { transport } = useModel()
  const [, setLooks] = useState(0)
  const index = Math.max(0, Math.min(LESSONS.length - 1, Number(given ?? 1) - 1 || 0))
  const lesson = LESSONS[index]!
  useEffect(() => {
    watched.told = () => setLooks(before => before + 1)
    watch(transport, index)
    return () => {
      watched.told = () => {}
    }
  }, [transport, index])
  const isDone = (which: number, task: number): boolean => watched.done.has(`${which} ${task}`)
  return (
    <article class="lessons">
      <nav aria-label="Lessons" class="lesson-list">
        <ol>
          {LESSONS.map(({ name, tasks }, i) => (
            <li key={name}>
              <a href={routeTo('lessons', i + 1)} aria-current={i === index ? 'page' : undefined}>
                {name}
              </a>
              {tasks.every((_, task) => isDone(i, task)) && ' ✓'}
            </li>
          ))}
        </ol>
      </nav>
      <section class="lesson">
        <h2>{lesson.name}</h2>
        {lesson.text.map(paragraph => (
          <p key={paragraph}>{paragraph}</p>
        ))}
        <p class="read">
          To read on:{' '}
          {lesson.read.map(([page, what]) => (
            <a key={page} href={`./docs/${page}`}>
              {what}
            </a>
          ))}
          <a href="./docs/index.html">all documents</a>
        </p>
        {lesson.tasks.map(({ text }, task) => (
          <p key={text} class={isDone(index, task) ? 'task done' : 'task'}>
            {text}
          </p>
        ))}
        {index + 1 < LESSONS.length && <a href={routeTo('lessons', index + 2)}>Next lesson →</a>}
      </section>
    </article>
  )
}
