/**
 * The page of the explorer beside a busy database: how many frames a second Chromium draws (in software), with a file of
 * many blocks into which many records are put, and how much memory the page and the process take as time goes on.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { type CDPSession, chromium, type Page } from 'playwright-core'
import type { Chart } from './support/chart/chart.ts'
import { count } from './support/format.ts'
import { type Options, outputDirectory, positiveInteger } from './support/options.ts'
import { writeResults } from './support/results.ts'
import { printTable } from './support/table.ts'
import { makeTemporaryDirectory, removeTemporaryDirectory } from './support/temp.ts'

const CHROMIUM = process.env.XENON_CHROMIUM ?? '/usr/bin/chromium'
const MiB = 1048576
/** Each of these is looked at in turn, so that nothing that one of them leaves behind is missed. */
const VIEWS = ['map', 'cache', 'log', 'work', 'map'] as const

interface Load {
  readonly done: number
  readonly rss: number
  readonly heapUsed: number
}

interface Sample {
  view: string
  /** Seconds since the beginning. */
  at: number
  /** Frames a second, and the longest time between two, in ms. */
  frames: number
  longest: number
  /** CPU of the page's main thread, as a share of one core. */
  busy: number
  putsPerSecond: number
  pageHeap: number
  processMemory: number
  load: number
}

export async function run(options: Options): Promise<number> {
  const blocks = positiveInteger('blocks', options.blocks, options.quick ? 20_000 : 250_000)
  const rate = positiveInteger('rate', options.rate, options.quick ? 2_000 : 10_000)
  const minutes = positiveInteger('minutes', options.minutes, options.quick ? 1 : 10)
  const directory = makeTemporaryDirectory()
  console.error(`a file of ${count(blocks)} blocks …`)
  const child = fork(join(import.meta.dirname, 'explorer-load.js'), [join(directory, 'db'), `${blocks}`, `${rate}`])
  try {
    const samples = await measured(child, minutes)
    report(samples)
    writeResults(outputDirectory(options), {
      benchmark: 'explorer',
      options: { blocks, rate, minutes },
      data: samples,
      charts: charts(samples),
    })
    return 0
  } finally {
    child.kill()
    removeTemporaryDirectory(directory)
  }
}

const answer = <T>(child: ChildProcess): Promise<T> =>
  new Promise((resolve, reject) => {
    child.once('message', message => resolve(message as T))
    child.once('exit', code => reject(new Error(`the process with the database has ended with ${code}`)))
  })

async function measured(child: ChildProcess, minutes: number): Promise<Sample[]> {
  const { url } = await answer<{ url: string }>(child)
  const told: { at: number; load: Load }[] = []
  child.on('message', load => told.push({ at: performance.now(), load: load as Load }))
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] })
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } })
    const session = await page.context().newCDPSession(page)
    await session.send('Performance.enable')
    await page.goto(`${url}#/map`)
    await page.locator('[data-use=total]:not(:text-is("0"))').waitFor({ timeout: 60_000 })
    await page.check('text=heat')
    await page.waitForTimeout(3000)
    const samples: Sample[] = []
    const started = performance.now()
    const seconds = 60 / VIEWS.length
    for (let i = 0; performance.now() - started < minutes * 60_000; i++) {
      const view = VIEWS[i % VIEWS.length]!
      await page.evaluate(`location.hash = '#/${view}'`)
      await page.waitForTimeout(1000)
      if (view === 'map') await page.check('text=heat')
      samples.push(await sampled(page, session, view, seconds - 1, started, told))
      console.error(lineOf(samples.at(-1)!))
    }
    child.send('end')
    return samples
  } finally {
    await browser.close()
  }
}

const FRAMES = `seconds => new Promise(done => {
  const started = performance.now()
  let frames = 0, last = started, longest = 0
  const frame = () => {
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
    frames++
    if (now - started < seconds * 1000) requestAnimationFrame(frame)
    else done({ frames: 1000 * frames / (now - started), longest })
  }
  requestAnimationFrame(frame)
})`

async function sampled(
  page: Page,
  session: CDPSession,
  view: string,
  seconds: number,
  started: number,
  told: readonly { at: number; load: Load }[],
): Promise<Sample> {
  const busyBefore = await metric(session, 'TaskDuration')
  const first = told.at(-1)!
  const begun = performance.now()
  const { frames, longest } = await page.evaluate<{ frames: number; longest: number }>(`(${FRAMES})(${seconds})`)
  const busy = ((await metric(session, 'TaskDuration')) - busyBefore) / ((performance.now() - begun) / 1000)
  const last = told.at(-1)!
  await session.send('HeapProfiler.collectGarbage')
  return {
    view,
    at: (performance.now() - started) / 1000,
    frames,
    longest,
    busy,
    putsPerSecond: (1000 * (last.load.done - first.load.done)) / Math.max(1, last.at - first.at),
    pageHeap: await metric(session, 'JSHeapUsedSize'),
    processMemory: last.load.rss,
    load: loadavg()[0]!,
  }
}

async function metric(session: CDPSession, name: string): Promise<number> {
  const { metrics } = (await session.send('Performance.getMetrics')) as { metrics: { name: string; value: number }[] }
  return metrics.find(each => each.name === name)?.value ?? 0
}

const lineOf = ({ view, at, frames, longest, busy, putsPerSecond, pageHeap, processMemory, load }: Sample): string =>
  `${at.toFixed(0).padStart(4)} s  ${view.padEnd(6)} ${frames.toFixed(1)} frames/s, longest ${longest.toFixed(0)} ms, page busy ${(100 * busy).toFixed(0)} %, ${putsPerSecond.toFixed(0)} puts/s, page ${(pageHeap / MiB).toFixed(1)} MiB, process ${(processMemory / MiB).toFixed(0)} MiB, load ${load.toFixed(1)}`

function report(samples: readonly Sample[]): void {
  const rows = [...new Set(VIEWS)].map(view => {
    const of = samples.filter(sample => sample.view === view)
    const mean = (value: (sample: Sample) => number): number =>
      of.reduce((sum, sample) => sum + value(sample), 0) / Math.max(1, of.length)
    return [
      view,
      mean(({ frames }) => frames).toFixed(1),
      Math.min(...of.map(({ frames }) => frames)).toFixed(1),
      `${(100 * mean(({ busy }) => busy)).toFixed(0)} %`,
      mean(({ putsPerSecond }) => putsPerSecond).toFixed(0),
      ((of[0]?.pageHeap ?? 0) / MiB).toFixed(1),
      ((of.at(-1)?.pageHeap ?? 0) / MiB).toFixed(1),
    ]
  })
  printTable(['view', 'frames/s', 'lowest', 'page busy', 'puts/s', 'page MiB, first', 'page MiB, last'], rows)
}

function charts(samples: readonly Sample[]): Chart[] {
  const over = (value: (sample: Sample) => number): [number, number][] =>
    samples.map(sample => [sample.at / 60, value(sample)])
  return [
    {
      kind: 'lines',
      title: 'Frames a second',
      note: 'more is better; of all views in turn',
      xLabel: 'minutes',
      yLabel: 'frames/s',
      series: [{ name: 'frames', points: over(({ frames }) => frames) }],
    },
    {
      kind: 'lines',
      title: 'Memory',
      note: 'heap of the page after a collection, and of the process with the database all that is resident',
      xLabel: 'minutes',
      yLabel: 'MiB',
      logY: true,
      series: [
        { name: 'page', points: over(({ pageHeap }) => pageHeap / MiB) },
        { name: 'process', points: over(({ processMemory }) => processMemory / MiB) },
      ],
    },
  ]
}
