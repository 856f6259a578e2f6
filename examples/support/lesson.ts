/** Prints a lesson step by step (what is called, what it answered) and keeps count of what was checked. */
import { inspect, isDeepStrictEqual } from 'node:util'
import pc from 'picocolors'

let chapters = 0
let passed = 0
const failed: string[] = []
const times: [what: string, time: string][] = []

export function title(text: string): void {
  console.log(`\n${pc.bold(text)}`)
}

export function chapter(text: string): void {
  chapters++
  console.log(`\n${pc.bold(pc.cyan(`${chapters}  ${text}`))}\n`)
}

/** A sentence between the steps. */
export function say(text: string): void {
  console.log(text === '' ? '' : `   ${text}`)
}

/** Prints a call that answers nothing, and makes it. */
export function step(code: string, run: () => void): void {
  console.log(`   ${pc.yellow(code)}`)
  run()
}

/** Prints a call and its answer, and checks that it is the expected one. */
export function ask<T>(code: string, run: () => T, expected: T): T {
  const answer = run()
  const right = isDeepStrictEqual(answer, expected)
  const shown = inspect(answer, { breakLength: Number.POSITIVE_INFINITY, depth: 4 })
  console.log(`   ${pc.yellow(code.padEnd(46))} ${pc.dim('→')} ${shown}${right ? '' : pc.red('  ✗')}`)
  count(right, `${code} gives ${inspect(expected)}`)
  return answer
}

/** A claim about the database, and whether it holds. */
export function check(claim: string, holds: boolean): void {
  console.log(`   ${holds ? pc.green('✓') : pc.red('✗')} ${claim}`)
  count(holds, claim)
}

function count(right: boolean, claim: string): void {
  if (right) passed++
  else failed.push(claim)
}

/** Runs something and returns its answer and its milliseconds. */
export function timed<T>(run: () => T): { answer: T; ms: number } {
  const started = performance.now()
  const answer = run()
  return { answer, ms: performance.now() - started }
}

/** Keeps a time for the table at the end. */
export function keepTime(what: string, ms: number, operations?: number): void {
  const rate = operations === undefined ? '' : `  ${number((operations / ms) * 1000).padStart(11)} per second`
  times.push([what, `${duration(ms).padStart(9)}${rate}`])
}

export function number(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

export function duration(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toFixed(2)} s`
  return ms >= 1 ? `${ms.toFixed(1)} ms` : `${(ms * 1000).toFixed(0)} µs`
}

/** The table of times, and the verdict; returns the exit status. */
export function finish(): number {
  chapter('Times on this machine')
  const width = Math.max(...times.map(([what]) => what.length))
  for (const [what, time] of times) say(`${what.padEnd(width)}  ${time}`)
  console.log()
  if (failed.length === 0) {
    console.log(pc.green(pc.bold(`All ${passed} checks passed.`)))
    return 0
  }
  console.log(pc.red(pc.bold(`${failed.length} of ${passed + failed.length} checks failed:`)))
  for (const claim of failed) console.log(pc.red(`  ✗ ${claim}`))
  return 1
}
