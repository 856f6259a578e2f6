/** The database of a node of the campaign: texts by texts, as durable as a node's is. */
import { storeOf } from '../../../src/cluster/engine-store.ts'
import type { GroupStore } from '../../../src/cluster/group-store.ts'
import { nodeStorage, open } from '../../../src/index.ts'

export interface CampaignStore {
  readonly groups: GroupStore
  put(key: string, value: string): void
  get(key: string): string | undefined
  entries(): [string, string][]
}

export function openStore(directory: string): CampaignStore {
  const db = open(directory, { durability: 'process', inspect: false })
  const options = { scratch: `${directory}-scratch`, storage: nodeStorage }
  return {
    groups: storeOf(db, options),
    put: (key, value) => void db.put(key, value),
    get: key => db.get(key),
    entries: () => [...db.entries()],
  }
}
