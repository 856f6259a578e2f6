/**
 * Libraries that keep their data in Redis: their calls give the same results against redis-server and `xenondb serve`,
 * and what they and the servers say to each other is the same, byte for byte, but for times and the facts of a server.
 * The libraries are in `libraries/`, with a package-lock.json of their own.
 */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, test } from 'vitest'
import { withDirectory } from '../support/directory.ts'
import { hasRedis, NO_REDIS, startRedis, startXenon } from './servers.ts'

interface Outcome {
  readonly results: unknown
  readonly conversations: readonly { sent: string; received: string }[]
}

const folder = fileURLToPath(new URL('libraries/', import.meta.url))

/** The scenarios as they stand in scenarios.mjs, which cannot be loaded without the libraries. */
const names: readonly string[] = readFileSync(`${folder}scenarios.mjs`, 'utf8')
  .split('\n')
  .flatMap(line => /^ {2}(?:'(.+)'|(\w+)): \{$/.exec(line)?.slice(1).filter(Boolean) ?? [])

let outcomes: Record<string, readonly [redis: Outcome, again: Outcome, xenon: Outcome]> | undefined
let problem = NO_REDIS

beforeAll(async () => {
  if (!hasRedis) return console.log(NO_REDIS)
  try {
    const { install } = (await import(new URL('libraries/install.mjs', import.meta.url).href)) as {
      install(): void
    }
    install()
  } catch (error) {
    problem = `skipped: the packages of tests/redis/libraries cannot be installed: ${(error as Error).message}`
    return console.log(problem)
  }
  await withDirectory(async directory => {
    const redis = await startRedis(directory, '--databases', '16')
    const xenon = await startXenon(`${directory}/db`)
    try {
      // Twice Redis: it shows that what is compared does not change by itself.
      const ports = [redis, redis, xenon].map(({ port }) => `${port}`)
      const { stdout } = await promisify(execFile)(process.execPath, [`${folder}run.mjs`, ...ports], {
        maxBuffer: 2 ** 28,
      })
      outcomes = JSON.parse(stdout)
    } finally {
      await xenon.stop()
      await redis.stop()
    }
  })
}, 300_000)

describe.each(names)('%s', name => {
  test.for([0, 1])('database %i', (database, { skip }) => {
    if (outcomes === undefined) return skip(problem)
    const outcome = outcomes[`${name}, database ${database}`]
    expect(outcome, 'the scenario has run').toBeDefined()
    const [redis, again, xenon] = outcome!
    expect(alike(shown(redis), shown(again))).toBeUndefined()
    expect(shown(redis)).not.toContain('the scenario failed')
    expect(alike(shown(redis), shown(xenon))).toBeUndefined()
  })
})

/** Lines of text: the results, then what was said on each connection. */
function shown({ results, conversations }: Outcome): string {
  return [
    JSON.stringify(results, null, 1),
    ...conversations.flatMap(({ sent, received }, i) => [
      `-- ${i} sent`,
      facts(sent),
      `-- ${i} received`,
      facts(received),
    ]),
  ].join('\n')
}

/**
 * Replaces what is each server's own: its INFO, in the reply to HELLO its version and the number of the client, the
 * order of what SCAN finds, and that Redis has CLIENT SETINFO since 7.2.
 */
function facts(said: string): string {
  let text = said
  for (;;) {
    const info = /[$=](\d+)\r\n(?:txt:)?# Server\r\n/.exec(text)
    if (info === null) break
    const start = info.index + info[0].indexOf('\n') + 1
    text = `${text.slice(0, info.index)}<INFO>${text.slice(start + Number(info[1]))}`
  }
  return text
    .replaceAll("-ERR unknown subcommand 'SETINFO'. Try CLIENT HELP.", '+OK')
    .replaceAll(/(\$7\r\nversion\r\n)\$\d+\r\n[^\r]*/g, '$1<version>')
    .replaceAll(/(\$2\r\nid\r\n):\d+/g, '$1<id>')
    .replaceAll(/(\*2\r\n\$1\r\n0\r\n\*\d+\r\n)((?:\$\d+\r\n[^\r]*\r\n)*)/g, (_, head: string, found: string) => {
      const keys = found.split(/(?=\$\d+\r\n)/)
      return `${head}${keys.sort().join('')}`
    })
}

/** Times differ by so many milliseconds at most between two runs, and so they may as seconds. */
const LATER = 5000

/** Undefined, or the first lines that differ by more than what a time may. */
function alike(expected: string, found: string): string | undefined {
  const [a, b] = [expected, found].map(text => text.split('\n')) as [string[], string[]]
  for (const [i, line] of a.entries()) {
    if (line === b[i] || (b[i] !== undefined && sameBut(line, b[i]))) continue
    const near = (lines: string[]): string => lines.slice(Math.max(0, i - 12), i + 6).join('\n')
    return `line ${i}\nredis:\n${near(a)}\nxenondb:\n${near(b)}`
  }
  return a.length === b.length ? undefined : `more lines: ${b.slice(a.length).join('\n')}`
}

function sameBut(a: string, b: string): boolean {
  const numbers = (line: string): number[] => [...line.matchAll(/\d+/g)].map(Number)
  const [left, right] = [numbers(a), numbers(b)]
  const words = (line: string): string => line.replaceAll(/\d+/g, '#')
  return (
    words(a) === words(b) &&
    left.every((n, i) => n === right[i] || (Math.min(n, right[i]!) > 1000 && Math.abs(n - right[i]!) <= LATER))
  )
}
