/** Where things lie, found from the package and not from the place of the compiled file. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const repositoryRoot: string = findRoot(dirname(fileURLToPath(import.meta.url)))
export const resultsDirectory: string = join(repositoryRoot, 'bench', 'results')
/** Not committed: results of quick runs, which only test the harness. */
export const quickResultsDirectory: string = join(resultsDirectory, 'tmp')
export const peersDirectory: string = join(repositoryRoot, 'bench', 'peers')
export const browserDirectory: string = join(repositoryRoot, 'bench', 'browser')

function findRoot(from: string): string {
  const manifest = join(from, 'package.json')
  if (existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).name === 'xenondb') return from
  const parent = dirname(from)
  if (parent === from) throw new Error('bench: the package.json of xenondb was not found above the benchmarks')
  return findRoot(parent)
}
