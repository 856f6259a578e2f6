/** The options that choose a part of the keys, as `range` and `keys` take them. */
import type { Command } from 'cac'
import type { Range } from '../types.ts'
import { countOption, flagOption, type Options, textOption } from './arguments.ts'
import { CommandError } from './errors.ts'
import { boundFromText, type KeyEncoding } from './key-text.ts'
import { placeOptions } from './place.ts'
import type { DatabaseView } from './view/view.ts'

const BOUNDS = ['gt', 'gte', 'lt', 'lte', 'prefix'] as const

export function rangeOptions(command: Command): Command {
  return placeOptions(command)
    .option('--gt <key>', 'Only keys behind it')
    .option('--gte <key>', 'Only keys from it on')
    .option('--lt <key>', 'Only keys before it')
    .option('--lte <key>', 'Only keys up to it')
    .option('--prefix <prefix>', 'Only keys that begin so')
    .option('--reverse', 'From the last key to the first')
    .option('--limit <count>', 'At most so many')
}

/** Bounds are written as keys are. */
export function readRange(options: Options, encoding: KeyEncoding): Range {
  const range: Range = {}
  for (const name of BOUNDS) {
    const key = textOption(options, name)
    if (key !== undefined) range[name] = boundFromText(name, key, encoding)
  }
  if (flagOption(options, 'reverse')) range.reverse = true
  const limit = countOption(options, 'limit')
  if (limit !== undefined) range.limit = limit
  return range
}

/** True if the range can be had without the ordered index, by looking at every record. */
export function isFilter(range: Range): boolean {
  return Object.keys(range).every(name => name === 'prefix' || name === 'limit')
}

/** True if it is everything. */
export function isWhole(range: Range): boolean {
  return Object.keys(range).length === 0
}

export function requireOrdered({ ordered, directory }: DatabaseView, what: string): void {
  if (ordered) return
  throw new CommandError(
    `${what} needs the ordered index, which ${directory} does not keep; xenondb convert ${directory} --ordered adds it`,
  )
}
