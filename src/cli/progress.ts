/** A progress bar on stderr, on a terminal only. */
import progress from 'cli-progress'
import { count } from './render.ts'

export interface Progress {
  update(done: number, records?: number): void
  stop(): void
}

const SILENT: Progress = { update() {}, stop() {} }

/** For work that tells its total only as it goes on: the bar starts with the first report. */
export class LateProgress {
  readonly #label: string
  readonly #unit: string
  #bar: Progress | undefined
  #total = -1

  constructor(label: string, unit: string) {
    this.#label = label
    this.#unit = unit
  }

  update(done: number, total: number): void {
    if (total !== this.#total) {
      this.#bar?.stop()
      this.#bar = startProgress(this.#label, total, this.#unit)
      this.#total = total
    }
    this.#bar?.update(done)
  }

  stop(): void {
    this.#bar?.stop()
  }
}

/** `total` in the unit of `done`; without it only the count of records is shown. */
export function startProgress(label: string, total: number | undefined, unit: string): Progress {
  if (process.stderr.isTTY !== true) return SILENT
  const bar = new progress.SingleBar({
    format: (_, { value, total: end }, payload) => {
      const records = payload.records > 0 ? `  ${count(payload.records)} records` : ''
      if (total === undefined) return `${label}${records}`
      const share = end > 0 ? Math.min(1, value / end) : 1
      const filled = Math.round(share * 30)
      return `${label} [${'='.repeat(filled)}${' '.repeat(30 - filled)}] ${Math.floor(share * 100)} % of ${count(end)} ${unit}${records}`
    },
    stream: process.stderr,
    clearOnComplete: true,
    gracefulExit: false,
    fps: 10,
  })
  bar.start(total ?? 0, 0, { records: 0 })
  return {
    update: (done, records = 0) => bar.update(done, { records }),
    stop: () => bar.stop(),
  }
}
