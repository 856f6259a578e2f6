/**
 * The Node that a store runs in: this one, but for `node:sqlite`, which Node 20 does not have. That runs in the one
 * that `XENON_BENCH_NODE` names, or else in Node 24 from the registry.
 */
import { spawnSync } from 'node:child_process'
import type { StoreName } from './job.ts'

let withSqlite: string | undefined

export function nodeFor(store: StoreName): string {
  return store === 'node-sqlite' ? (withSqlite ?? process.execPath) : process.execPath
}

/** Looks for a Node that has `node:sqlite`; says why there is none, or returns undefined. */
export function findSqlite(): string | undefined {
  const named = process.env.XENON_BENCH_NODE
  if (named !== undefined) {
    withSqlite = named
    return hasSqlite(named) ? undefined : `XENON_BENCH_NODE: ${named} has no node:sqlite`
  }
  if (hasSqlite(process.execPath)) return undefined
  withSqlite = execPathOf('npx', ['--yes', 'node@24'])
  if (withSqlite !== undefined && hasSqlite(withSqlite)) return undefined
  return `Node ${process.version} has no node:sqlite, and npx node@24 gives none; XENON_BENCH_NODE may name another Node`
}

function hasSqlite(node: string): boolean {
  return spawnSync(node, ['--eval', "require('node:sqlite')"], { stdio: 'ignore' }).status === 0
}

function execPathOf(command: string, parameters: readonly string[]): string | undefined {
  const { status, stdout } = spawnSync(command, [...parameters, '--print', 'process.execPath'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    shell: process.platform === 'win32',
  })
  return status === 0 ? stdout.trim() : undefined
}
