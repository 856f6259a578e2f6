/** Indexes in a campaign: their functions, by name, and whether they are what these make of the records. */
import type { Database } from '../../../src/database/database.ts'
import type { Sub } from '../../../src/database/sub.ts'
import type { Engine } from '../../../src/engine/engine.ts'
import { subsOf } from './spaces.ts'

type Space = Database | Sub

const functions: Record<string, (value: string, key: string) => string | string[] | undefined> = {
  first: value => value.slice(0, 1),
  last: value => [...new Set(value.slice(-4))],
  /** Unique, since the key is a part of it; some records have none. */
  length: (value, key) => (value.length % 5 === 0 ? undefined : `${key} ${value.length}`),
}

const declare = (space: Space, name: string) => space.index(name, functions[name]!, { unique: name === 'length' })

export const declareIndexes = (space: Space): void => {
  for (const name of Object.keys(functions)) declare(space, name)
}

/** All indexes that there are are right; of those that would have to be built, only if `all` says so. */
export const requireIndexes = (db: Database, all: boolean): void => {
  for (const space of [db, ...subsOf(db).map(({ sub }) => sub)])
    for (const name of space.indexes()) if (all || isReady(space, name)) requireIndex(space, name)
}

const isReady = (space: Space, name: string): boolean => {
  const { space: own, handle } = space as unknown as { space: { number: number }; handle: { engine: Engine } }
  const { spaces } = handle.engine
  const { note } = spaces.factsOf(spaces.find(own.number, `i${name}`)!)
  return (JSON.parse(Buffer.from(note).toString()) as { state: string }).state === 'ready'
}

const requireIndex = (space: Space, name: string): void => {
  const expected = [...space.entries()].flatMap(([key, value]) =>
    [functions[name]!(value, key) ?? []].flat().map(indexKey => `${indexKey}, ${key}`),
  )
  const found = [...declare(space, name).keys()].map(([indexKey, key]) => `${indexKey}, ${key}`)
  const missing = expected.find(entry => !found.includes(entry))
  if (missing !== undefined) throw new Error(`the index '${name}' lacks ${missing}`)
  if (found.length !== expected.length)
    throw new Error(`the index '${name}' has ${found.length} entries, there should be ${expected.length}`)
}
