/** Memory of large values goes with them: no buffer keeps the last one. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { withDirectory } from '../support/directory.ts'

test('after a value of 12 MiB was written or read, by whichever way, nothing is left of it', { timeout: 120_000 }, () =>
  withDirectory(directory => {
    const script = fileURLToPath(new URL('./large-value-kept.mjs', import.meta.url))
    const child = spawnSync(process.execPath, ['--expose-gc', script, directory], { encoding: 'utf8' })
    expect(child.stderr).toBe('')
    const left = JSON.parse(child.stdout) as Record<string, number>
    expect(Object.keys(left).length).toBeGreaterThan(10)
    // Half a value: what else there is, pools and the like, has been there before.
    expect(Object.entries(left).filter(([, megabytes]) => megabytes > 6)).toEqual([])
  }),
)
