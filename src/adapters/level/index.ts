/**
 * xenondb as an `abstract-level` database: `new XenonLevel(directory, options)` goes wherever a Level database does.
 */
export { LevelError } from './errors.ts'
export { LevelIterator, LevelKeyIterator, LevelValueIterator } from './iterators.ts'
export {
  type SyncOption,
  XenonLevel,
  type XenonLevelBatchOptions,
  type XenonLevelDelOptions,
  type XenonLevelOptions,
  type XenonLevelPutOptions,
} from './level.ts'
export { LevelSnapshot } from './snapshot.ts'
