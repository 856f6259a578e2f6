/** `xenondb verify`: checks every block, chain and count; status 1 when something is wrong. */
import type { CAC } from 'cac'
import type { VerifyReport } from '../../types.ts'
import { argument, flagOption, type Options } from '../arguments.ts'
import { kindRows } from '../blocks.ts'
import { type ByteDatabase, withDatabase } from '../database.ts'
import { EXIT_DONE, EXIT_FAILED, printable } from '../errors.ts'
import { print } from '../output.ts'
import { startProgress } from '../progress.ts'
import { bad, bar, count, good, heading, percent, table } from '../render.ts'

export function registerVerify(cli: CAC): void {
  cli
    .command('verify <directory>', 'Check every block, chain and count; status 1 when something is wrong')
    .option('--json', 'Print the report as JSON')
    .action((directory: string, options: Options) => {
      const json = flagOption(options, 'json')
      return withDatabase(argument(directory), { createIfMissing: false }, async db => {
        const report = await verifyWithProgress(db)
        await print(json ? `${JSON.stringify(report, null, 2)}\n` : readable(report))
        return report.ok ? EXIT_DONE : EXIT_FAILED
      })
    })
}

/** Runs `db.verify` with a progress bar on a terminal. */
export async function verifyWithProgress(db: ByteDatabase): Promise<VerifyReport> {
  const progress = startProgress('verify', db.stats().blocks.total, 'blocks')
  try {
    return await db.verify({ onProgress: ({ done }) => progress.update(done) })
  } finally {
    progress.stop()
  }
}

function readable(report: VerifyReport): string {
  const facts = [
    ['records', count(report.records)],
    ['free slots', count(report.freeSlots)],
    ['deepest lookup', `${report.maxDepth} blocks`],
    ['fill', percent(report.fill)],
  ]
  const sections = [
    `${heading('blocks')}\n${table(kindRows(report.blocks), [1, 2])}`,
    `${heading('contents')}\n${table(facts, [1])}`,
    `${heading('fill of the blocks that hold records')}\n${table(histogramRows(report.fillHistogram), [0, 1])}`,
    verdict(report),
  ]
  return `${sections.join('\n\n')}\n`
}

function histogramRows(histogram: readonly number[]): string[][] {
  const most = Math.max(1, ...histogram)
  return histogram.map((blocks, i) => [
    `${i * 10} to ${i * 10 + 10} %`,
    count(blocks),
    bar(blocks / most, 40),
  ])
}

function verdict({ ok, problems, problemCount }: VerifyReport): string {
  if (ok) return good('ok: no problems')
  const shown = problems.map(problem => `  ${printable(problem)}`)
  const more = problemCount - problems.length
  if (more > 0) shown.push(`  … and ${count(more)} more`)
  return [bad(`${count(problemCount)} problems`), ...shown].join('\n')
}
