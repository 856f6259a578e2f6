/** `xenondb verify`: checks every block, chain and count; status 1 when something is wrong. */
import type { CAC } from 'cac'
import { DatabaseLockedError, nodeStorage, type VerifyReport, XenonError } from '../../index.ts'
import { argument, flagOption, type Options, textOption } from '../arguments.ts'
import { kindRows } from '../blocks.ts'
import { type ByteDatabase, withDatabase } from '../database.ts'
import { CommandError, EXIT_DONE, EXIT_FAILED, printable } from '../errors.ts'
import { interruptible } from '../interrupt.ts'
import { Overtaken } from '../live-copy.ts'
import { bytesNeeded, withPlace } from '../live-copy-place.ts'
import { InDoubt, liveOwner, verifyLive } from '../live-copy-verify.ts'
import { print } from '../output.ts'
import { startProgress } from '../progress.ts'
import { bad, bar, count, good, heading, percent, table } from '../render.ts'

/** Copies are taken anew when the owner was faster, or when a copy shows what the live file does not. */
const COPIES = 10
const DOUBTFUL_COPIES = 3
const PAUSE_MS = 30
/** Sub-databases that the report shows one by one; the JSON has all. */
const SHOWN_SUBS = 20

export function registerVerify(cli: CAC): void {
  cli
    .command('verify <directory>', 'Check every block, chain and count; status 1 when something is wrong')
    .option('--json', 'Print the report as JSON')
    .option('--temporary <directory>', 'Where a copy goes while another process has the database open')
    .action((directory: string, options: Options) => {
      const json = flagOption(options, 'json')
      const temporary = textOption(options, 'temporary')
      return interruptible(async signal => {
        const finding = await verify(argument(directory), temporary, signal)
        await print(json ? asJson(finding) : readable(finding))
        return finding.report.ok ? EXIT_DONE : EXIT_FAILED
      })
    })
}

interface Finding {
  report: VerifyReport
  /** The database was in use: what was checked is a copy. */
  copy?: { pid: number | undefined; lsn: number }
}

/** Checks the database itself, or a copy of it while another process has it open. */
async function verify(directory: string, temporary: string | undefined, signal: AbortSignal): Promise<Finding> {
  let doubts = 0
  for (let copies = 1; ; copies++) {
    const owner = liveOwner(directory)
    try {
      if (owner === undefined)
        return await withDatabase(directory, { createIfMissing: false, onlyReads: true, signal }, async db => ({
          report: await verifyWithProgress(db, signal),
        }))
      return await verifyInUse(directory, temporary, owner.pid, signal)
    } catch (error) {
      // It was opened just now, or it changed too fast.
      const again = error instanceof DatabaseLockedError || error instanceof Overtaken
      if (error instanceof InDoubt) {
        if (++doubts < DOUBTFUL_COPIES) continue
        if (error.outcome instanceof XenonError) throw error.outcome
        return { report: error.outcome.report, copy: { pid: owner?.pid, lsn: error.outcome.lsn } }
      }
      if (!again) throw error
      if (copies === COPIES)
        throw new CommandError(
          `${directory} is in use, and ${copies} attempts to copy it failed: ${(error as Error).message}; try again, or close it first`,
        )
      await pause(PAUSE_MS)
    }
  }
}

async function verifyInUse(
  directory: string,
  temporary: string | undefined,
  pid: number | undefined,
  signal: AbortSignal,
): Promise<Finding> {
  return await withPlace(directory, temporary, async place => {
    let bar = startProgress('copy', bytesNeeded(nodeStorage, directory), 'bytes')
    let checking = false
    try {
      const { report, lsn } = await verifyLive(directory, place, {
        onCopy: async done => {
          bar.update(done)
          await pause(0)
          signal.throwIfAborted()
        },
        onVerify: (done, total) => {
          if (!checking) {
            checking = true
            bar.stop()
            bar = startProgress('verify', total, 'blocks')
          }
          bar.update(done)
          signal.throwIfAborted()
        },
      })
      return { report, copy: { pid, lsn } }
    } finally {
      bar.stop()
    }
  })
}

const pause = (milliseconds: number): Promise<void> => new Promise(resolve => setTimeout(resolve, milliseconds))

/** Runs `db.verify` with a progress bar on a terminal. */
export async function verifyWithProgress(db: ByteDatabase, signal?: AbortSignal): Promise<VerifyReport> {
  const progress = startProgress('verify', db.stats().blocks.total, 'blocks')
  try {
    return await db.verify({
      onProgress: ({ done }) => {
        progress.update(done)
        signal?.throwIfAborted()
      },
    })
  } finally {
    progress.stop()
  }
}

function asJson({ report, copy }: Finding): string {
  return `${JSON.stringify({ ...report, ...(copy && { copy }) }, null, 2)}\n`
}

function readable({ report, copy }: Finding): string {
  const facts = [
    ['records', count(report.records)],
    ...spaceRows(report.spaces),
    ['free slots', count(report.freeSlots)],
    ['deepest lookup', `${report.maxDepth} blocks`],
    ['fill', percent(report.fill)],
  ]
  const sections = [
    `${heading('blocks')}\n${table(kindRows(report.blocks), [1, 2])}`,
    `${heading('contents')}\n${table(facts, [1])}`,
    `${heading('fill of the blocks that hold records')}\n${table(histogramRows(report.fillHistogram), [0, 1])}`,
    copy === undefined ? verdict(report) : `${inUse(copy)}\n${verdict(report)}`,
  ]
  return `${sections.join('\n\n')}\n`
}

/** The records of sub-databases: each, or how many there are of many. */
function spaceRows(spaces: VerifyReport['spaces']): string[][] {
  const subs = spaces.filter(({ kind }) => kind === 'sub').reverse()
  const indexes = spaces.length - subs.length
  const rows = subs
    .slice(0, SHOWN_SUBS)
    .map(({ path, records }) => [printable(`in ${path.join(' / ')}`), count(records)])
  const others = subs.slice(SHOWN_SUBS)
  if (others.length > 0) {
    const records = others.reduce((sum, sub) => sum + sub.records, 0)
    rows.push([`in ${count(others.length)} other sub-databases`, count(records)])
  }
  if (indexes > 0) rows.push(['secondary indexes', count(indexes)])
  return rows
}

function inUse({ pid, lsn }: { pid: number | undefined; lsn: number }): string {
  const owner = pid === undefined ? 'another process' : `process ${pid}`
  return `in use by ${owner}: verified a copy as of LSN ${lsn}`
}

function histogramRows(histogram: readonly number[]): string[][] {
  const most = Math.max(1, ...histogram)
  return histogram.map((blocks, i) => [`${i * 10} to ${i * 10 + 10} %`, count(blocks), bar(blocks / most, 40)])
}

function verdict({ ok, problems, problemCount }: VerifyReport): string {
  if (ok) return good('ok: no problems')
  const shown = problems.map(problem => `  ${printable(problem)}`)
  const more = problemCount - problems.length
  if (more > 0) shown.push(`  … and ${count(more)} more`)
  return [bad(`${count(problemCount)} problems`), ...shown].join('\n')
}
