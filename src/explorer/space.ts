/** The key space that somebody looks into: where its index and its trees begin, and how its keys are hashed. */
import type { SpaceRoots } from '../engine/space.ts'
import { InvalidArgumentError, shown } from '../errors.ts'
import { FIXED, KeyHash } from '../hash/key-hash.ts'
import { EXPIRY_ROOT, ORDERED_ROOT } from '../pager/layout.ts'
import { listSpaces } from './block.ts'
import type { BlockSource } from './source.ts'

export interface SpaceView extends SpaceRoots {
  /** The names of the sub-databases that lead to it; of the root, none. */
  readonly path: readonly string[]
  readonly isTuple: boolean
}

/** The root, or the sub-database that a path of names leads to. */
export const spaceAt = (source: BlockSource, path: readonly string[]): SpaceView => {
  const { metadata } = source
  if (path.length === 0)
    return {
      index: 0,
      ordered: ORDERED_ROOT,
      expiry: EXPIRY_ROOT,
      hashKey: metadata.identity.hashKey,
      path,
      isTuple: metadata.keyEncoding === 'tuple',
    }
  const wanted = JSON.stringify(path)
  const found = listSpaces(source).find(space => space.kind === 'sub' && JSON.stringify(space.path) === wanted)
  if (found === undefined)
    throw new InvalidArgumentError(`there is no sub-database ${path.map(name => `'${shown(name)}'`).join(' / ')}`)
  return { ...found.facts, path, isTuple: hasTuples(found.facts.note) }
}

export const hashOf = ({ hashKey, index }: SpaceRoots, key: Uint8Array): KeyHash => {
  const hash = new KeyHash(hashKey, index === 0 ? FIXED : { lone: index })
  hash.of(key, 0, key.length)
  return hash
}

/** Whether the note of a sub-database says that its keys are tuples. */
const hasTuples = (note: Uint8Array): boolean => {
  try {
    return (JSON.parse(new TextDecoder().decode(note)) as { keyEncoding?: unknown }).keyEncoding === 'tuple'
  } catch {
    return false
  }
}
