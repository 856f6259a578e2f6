import { render } from 'preact'
import { App } from '../explorer/page/app.tsx'
import '../explorer/page/style.css'
import { CallError, type Transport } from '../explorer/page/transport.ts'
import { CrashPage } from './crash.tsx'
import { DemosPage } from './demos.tsx'
import { Do } from './do.tsx'
import { LessonsPage } from './lessons.tsx'
import './site.css'

/** To the worker of this page. */
const workerTransport = (): Transport => {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' })
  const waiting = new Map<number, { resolve: (answer: never) => void; reject: (error: CallError) => void }>()
  let last = 0
  worker.onmessage = ({ data: { id, answer, error } }) => {
    const call = waiting.get(id)
    waiting.delete(id)
    if (error === undefined) call?.resolve(answer as never)
    else call?.reject(new CallError(error.code, error.message, error.block))
  }
  worker.onerror = ({ message }) => {
    for (const { reject } of waiting.values()) reject(new CallError('GONE', message))
    waiting.clear()
  }
  return {
    call: (name, params = {}) =>
      new Promise((resolve, reject) => {
        waiting.set(++last, { resolve, reject })
        worker.postMessage({ id: last, name, params })
      }),
  }
}

const root = document.getElementById('app')!
root.textContent = ''
const views = [
  { route: 'lessons', name: 'Lessons', page: LessonsPage },
  { route: 'demos', name: 'Demonstrations', page: DemosPage },
  { route: 'crash', name: 'Crash', page: CrashPage },
]
render(<App transport={workerTransport()} views={views} beside={<Do />} />, root)
