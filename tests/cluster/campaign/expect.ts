/** A campaign as a test: nothing may be lost, stale or different. */
import { expect } from 'vitest'
import { withDirectory } from '../../support/directory.ts'
import { seeded } from '../../support/random.ts'
import { runCampaign } from './campaign.ts'
import type { ClusterSettings } from './cluster.ts'

export const survives = (faults: readonly string[], settings: Partial<ClusterSettings> = {}): Promise<void> =>
  seeded(random =>
    withDirectory(async directory => {
      const result = await runCampaign(directory, faults, random, settings)
      expect(result.problems).toEqual([])
      expect(result.rounds.map(({ fault }) => fault)).toEqual(faults)
      expect(result.acknowledged).toBeGreaterThan(100)
    }),
  )
