/** `xenondb inspect`: what lies in the files, taken apart: one block, the way to a key, the log, the map of the file. */
import type { CAC } from 'cac'
import { metadataFacts, viewBlock } from '../../explorer/block.ts'
import { viewLog } from '../../explorer/log.ts'
import { FileMap } from '../../explorer/map.ts'
import { pathOf } from '../../explorer/path.ts'
import { USES } from '../../explorer/shapes.ts'
import { BlockSource } from '../../explorer/source.ts'
import { spaceAt } from '../../explorer/space.ts'
import { nodeStorage } from '../../index.ts'
import { argument, countOption, flagOption, type Options, textOption } from '../arguments.ts'
import { EXIT_DONE, EXIT_FAILED, UsageError } from '../errors.ts'
import { withExplored } from '../explored.ts'
import { blockText, type FileFigures, logText, mapText, pathText } from '../explored-text.ts'
import { givenKeyEncoding, keyEncodingOption, keyFromText } from '../key-text.ts'
import { print, printStored } from '../output.ts'
import { readSub, subOption } from '../place.ts'
import { textToBytes } from '../text.ts'

export function registerInspect(cli: CAC): void {
  subOption(
    keyEncodingOption(
      cli.command('inspect <directory>', 'Take a block, the way to a key, the log or the whole file apart'),
    ),
  )
    .option('--block <n>', 'This block: header, slots, records, holes')
    .option('--key <key>', 'The way to this key: hash, directories, bucket, slot; and through the tree')
    .option('--log', 'The log: segments, groups, records, what each changes')
    .option('--blocks', 'How many blocks there are of each kind, and how full they are (default)')
    .option('--hex', 'With --block: also its bytes')
    .option('--limit <n>', 'With --log: so many groups, the last ones (default 100)')
    .option('--before <lsn>', 'With --log: the groups before this LSN')
    .option('--disk', 'As the files lie on the disk; else as a recovery would leave them')
    .option('--json', 'Print all of it as JSON')
    .example(bin => `  $ ${bin} inspect cities --key FR/Paris/2988507`)
    .example(bin => `  $ ${bin} inspect cities --block 17 --hex`)
    .action((directory: string, options: Options) => inspect(argument(directory), options))
}

async function inspect(directory: string, options: Options): Promise<number> {
  const block = countOption(options, 'block')
  const key = textOption(options, 'key')
  const log = flagOption(options, 'log')
  const blocks = flagOption(options, 'blocks')
  const json = flagOption(options, 'json')
  const hex = flagOption(options, 'hex')
  const asked = [block !== undefined, key !== undefined, log, blocks].filter(each => each).length
  if (asked > 1) throw new UsageError('inspect takes one of --block, --key, --log and --blocks at a time')
  requireFitting(options, { block: block !== undefined, key: key !== undefined, log })
  const show = async (view: object, text: () => string): Promise<void> => {
    if (json) await print(`${JSON.stringify(view, null, 2)}\n`)
    else await printStored(text())
  }
  if (log) return await inspectLog(directory, options, show)
  return await withExplored(directory, flagOption(options, 'disk'), async source => {
    if (block !== undefined) {
      const view = viewBlock(source, block)
      await show(view, () => blockText(view, hex))
      return view.problem === undefined ? EXIT_DONE : EXIT_FAILED
    }
    if (key !== undefined) {
      const space = spaceAt(source, readSub(options))
      const isTuple = (givenKeyEncoding(options) ?? (space.isTuple ? 'tuple' : 'utf8')) === 'tuple'
      const bytes = isTuple ? (keyFromText(key, 'tuple') as Uint8Array) : textToBytes(key)
      const path = pathOf(source, { ...space, isTuple }, bytes)
      await show(path, () => pathText(path))
      return path.found ? EXIT_DONE : EXIT_FAILED
    }
    const view = { directory, metadata: metadataFacts(source), uses: figuresOf(FileMap.of(source)) }
    await show(view, () => mapText(view))
    return view.uses.some(({ use, blocks }) => use === 'damaged' && blocks > 0) ? EXIT_FAILED : EXIT_DONE
  })
}

/** Options that say more of one view, and which view that is. */
const PARTNERS = {
  hex: 'block',
  limit: 'log',
  before: 'log',
  sub: 'key',
  keyEncoding: 'key',
} as const

function requireFitting(options: Options, asked: Readonly<Record<'block' | 'key' | 'log', boolean>>): void {
  for (const [option, partner] of Object.entries(PARTNERS)) {
    if (options[option] === undefined || asked[partner]) continue
    const name = option === 'keyEncoding' ? 'key-encoding' : option
    throw new UsageError(`--${name} says more of --${partner}, which is not given; give both, or neither`)
  }
  if (asked.log && flagOption(options, 'disk'))
    throw new UsageError('--log always shows what lies on the disk; leave out --disk')
}

type Show = (view: object, text: () => string) => Promise<void>

/** The log is always what lies on the disk: whoever opens the database may cut it. */
async function inspectLog(directory: string, options: Options, show: Show): Promise<number> {
  const source = BlockSource.ofFiles(directory, nodeStorage)
  try {
    const view = viewLog(source, { limit: countOption(options, 'limit'), before: countOption(options, 'before') })
    await show(view, () => logText(view))
    return EXIT_DONE
  } finally {
    source.close()
  }
}

function figuresOf(map: FileMap): FileFigures[] {
  const fills = USES.map(() => 0)
  for (let block = 0; block < map.blocks; block++) {
    const use = map.uses[block]!
    fills[use] = fills[use]! + map.fills[block]! / 255
  }
  const counts = map.counts()
  return USES.map((use, i) => ({ use, blocks: counts[use], fill: counts[use] === 0 ? 0 : fills[i]! / counts[use] }))
}
