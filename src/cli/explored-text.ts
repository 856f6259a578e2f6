/** What `inspect` prints: blocks, ways and the log as tables. Keys and values are data of others: one line each. */
import type { LogRecordView, LogView } from '../explorer/log.ts'
import type { KeyPath } from '../explorer/path.ts'
import type { BlockView, BucketView, MetadataView, NodeView, Use } from '../explorer/shapes.ts'
import type { ShownBytes } from '../explorer/shown.ts'
import { printable } from './errors.ts'
import { bad, bar, count, heading, percent, size, table } from './render.ts'

/** Longest text of a key or value in a table. */
const SHOWN = 48
const HEX_ROW = 16
/** What would steer a terminal or turn a line around, as on the page: shown as its number, so that no two keys look alike. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\u2028\u2029]/gu

/** Blocks of one use, and how full they are on average. */
export interface FileFigures {
  readonly use: Use
  readonly blocks: number
  readonly fill: number
}

const section = (title: string, rows: string[][], right: number[] = []): string =>
  rows.length === 0 ? '' : `\n${heading(title)}\n${table(rows, right)}\n`

/** A key or a value in one line: its text, or its first bytes in hexadecimal digits. */
const bytesText = ({ bytes, text, hex }: ShownBytes): string => {
  if (text === undefined) return `0x${hex.slice(0, SHOWN)}${2 * bytes > SHOWN ? `… ${bytes} bytes` : ''}`
  const shown = text.replace(UNSEEN, character => `\\u{${character.codePointAt(0)!.toString(16)}}`)
  return shown.length > SHOWN || (shown === text && bytes > 4 * text.length + 8)
    ? `${shown.slice(0, SHOWN)}… ${bytes} bytes`
    : shown
}

const time = (milliseconds: number): string => {
  const date = new Date(milliseconds)
  return Number.isNaN(date.getTime()) ? String(milliseconds) : date.toISOString()
}

export const blockText = (view: BlockView, hex: boolean): string => {
  const facts = [
    ['kind', view.kindName],
    [
      'in the file',
      `at ${count(view.offset)}, ${count(view.blockSize)} bytes${view.origin === 'blank' ? ', never written' : ''}`,
    ],
    ['fill', percent(view.fill)],
  ]
  if (view.dirty) facts.push(['state', 'newer in memory than in the file'])
  const { header } = view
  if (header !== undefined) {
    const { checksum, level, lsn, next } = header
    facts.push(['checksum', `0x${checksum.toString(16).padStart(8, '0')}`], ['LSN', count(lsn)])
    if (level > 0) facts.push(['level', String(level)])
    if (next !== 0) facts.push(['next block', String(next)])
  }
  const problem = view.problem === undefined ? '' : `${bad(printable(view.problem))}\n`
  const parts = [
    `${heading(`block ${view.block}`)}\n${table(facts)}\n${problem}`,
    view.metadata === undefined ? '' : section('what it says', metadataRows(view.metadata)),
    view.bucket === undefined ? '' : bucketText(view.bucket),
    view.node === undefined ? '' : nodeText(view.node),
    directoryText(view),
    otherText(view),
    hex ? hexText(view) : '',
  ]
  return parts.join('')
}

const metadataRows = (metadata: MetadataView): string[][] =>
  Object.entries(metadata).map(([name, value]) => [name, name === 'createdAt' ? time(value) : printable(String(value))])

const bucketText = (bucket: BucketView): string => {
  const records = bucket.records.map(record => [
    String(record.slot),
    record.tag.toString(16).padStart(4, '0'),
    String(record.at),
    String(record.bytes),
    bytesText(record.key),
    record.large === undefined
      ? `${bytesText(record.value!)}${record.compressed === undefined ? '' : ' (compressed)'}`
      : `${size(record.large.bytes)} in ${record.large.blocks} blocks from ${record.large.head} on`,
    record.expiresAt === undefined ? '' : `expires ${time(record.expiresAt)}`,
  ])
  const title = ['slot', 'tag', 'at', 'bytes', 'key', 'value', '']
  const figures = [
    ['slots', `${bucket.slots}, of which ${bucket.live} in use`],
    ['between slots and records', `${bucket.gap} bytes`],
    ['holes', `${bucket.garbage} bytes in ${bucket.holes.length}`],
    ['overflow block', bucket.next === 0 ? 'none' : String(bucket.next)],
  ]
  const free = bucket.freeSlots.map(({ slot, hole }) => [String(slot), hole === 0 ? '' : `hole at ${hole}`])
  const holes = bucket.holes.map(({ at, bytes }) => [String(at), `${bytes} bytes`])
  return [
    section('bucket', figures),
    section('records', records.length === 0 ? [] : [title, ...records], [0, 2, 3]),
    section('free slots, in the order of their list', free, [0]),
    section('holes', holes, [0]),
  ].join('')
}

const nodeText = ({ level, prefix, gap, garbage, entries }: NodeView): string => {
  const figures = [
    ['level', level === 0 ? '0, a leaf' : String(level)],
    ['entries', count(entries.length)],
    ['prefix of all keys', prefix.bytes === 0 ? 'none' : bytesText(prefix)],
    ['free', `${gap} bytes in one piece, ${garbage} in holes`],
  ]
  const rows = entries.map(({ key, child, at }, i) => [
    String(i),
    String(at),
    bytesText(key),
    child === undefined ? '' : `block ${child}`,
  ])
  return section('node of a tree', figures) + section('entries', [['entry', 'at', 'key', ''], ...rows], [0, 1])
}

const directoryText = ({ directory }: BlockView): string => {
  if (directory === undefined) return ''
  const rows = directory.entries.map(({ from, child }, i) => [String(i), positionText(from), `block ${child}`])
  return section(`directory of level ${directory.level}: ${rows.length} of ${directory.capacity} entries`, rows, [0])
}

const otherText = ({ large, space, condemned }: BlockView): string => {
  if (large !== undefined)
    return section('part of a large value', [
      ['holds', `${count(large.held)} bytes`],
      ['next part', String(large.next)],
    ])
  if (space !== undefined)
    return section(
      'key space',
      Object.entries(space).map(([name, value]) => [
        name,
        name === 'createdAt' ? time(value) : printable(typeof value === 'object' ? bytesText(value) : String(value)),
      ]),
    )
  if (condemned === undefined) return ''
  return section(
    'cleared, and not free yet',
    condemned.roots.map(root => [`block ${root}`]),
  )
}

const positionText = (position: number): string => `0x${position.toString(16).padStart(8, '0')}`

/** Sixteen bytes a line, with their text; lines that repeat the one before are left out. */
const hexText = ({ hex, blockSize }: BlockView): string => {
  const lines: string[] = []
  let before = ''
  for (let at = 0; at < blockSize; at += HEX_ROW) {
    const row = hex.slice(2 * at, 2 * (at + HEX_ROW))
    if (row === before) {
      if (lines.at(-1) !== '  *') lines.push('  *')
      continue
    }
    before = row
    const bytes = row.match(/../g) ?? []
    const text = bytes.map(byte => {
      const code = Number.parseInt(byte, 16)
      return code >= 32 && code < 127 ? String.fromCharCode(code) : '.'
    })
    lines.push(`  ${String(at).padStart(5)}  ${bytes.join(' ').padEnd(3 * HEX_ROW - 1)}  ${text.join('')}`)
  }
  return `\n${heading('bytes')}\n${lines.join('\n')}\n`
}

export const pathText = (path: KeyPath): string => {
  const { hash, directories, buckets, record, parts, tree } = path
  const steps: string[][] = [
    ['hash', `position ${positionText(hash.position)}, tag ${hash.tag.toString(16).padStart(4, '0')}`],
    [
      `block ${hash.indexBlock}`,
      hash.indexBlocks === 1
        ? 'the index block of this sub-database'
        : `index block: position mod ${hash.indexBlocks} + 1`,
    ],
  ]
  for (const step of directories)
    steps.push([
      `block ${step.block}`,
      `directory of level ${step.level}: entry ${step.entry} of ${step.entries}, positions ${positionText(step.from)} up to ${positionText(step.to)}, leads to block ${step.child}`,
    ])
  for (const step of buckets)
    steps.push([
      `block ${step.block}`,
      `bucket: ${step.slots} slots, ${step.tagged.length} with this tag${step.slot === undefined ? ', none of this key' : `; slot ${step.slot} is the key's`}`,
    ])
  if (record !== undefined)
    steps.push([
      'record',
      `${record.bytes} bytes at ${record.at} of block ${record.block}: ${record.large === undefined ? bytesText(record.value!) : `${size(record.large.bytes)} in ${record.large.blocks} blocks`}`,
    ])
  for (const { block, bytes } of parts) steps.push([`block ${block}`, `part of the value, ${count(bytes)} bytes`])
  const through = tree?.map(step => [
    `block ${step.block}`,
    step.level === 0
      ? `leaf: ${path.inTree ? `entry ${step.entry} of ${step.entries} is the key` : `not here, it would be entry ${step.entry} of ${step.entries}`}`
      : `level ${step.level}: entry ${step.entry} of ${step.entries}, from ${step.key === undefined || step.key.bytes === 0 ? 'the beginning' : bytesText(step.key)}, leads to block ${step.child}`,
  ])
  const verdict = path.found ? '' : `\n${bad('no such key')}\n`
  return [
    `${heading(`the way to ${bytesText(path.key)}`)}\n${table(steps)}\n`,
    section('through the tree over the keys', through ?? []),
    verdict,
  ].join('')
}

export const logText = (log: LogView): string => {
  const marks = [
    ['recovery begins at', count(log.redoLsn)],
    ['synced at least up to', count(log.syncedLsn)],
    ['ends at', count(log.endLsn)],
    ['groups', `${count(log.groupCount)}, the last ${count(log.groups.length)} of these below`],
  ]
  const segments = log.segments.map(({ name, startLsn, endLsn, bytes, groups, needed }) => [
    name,
    `LSN ${count(startLsn)} to ${count(endLsn)}`,
    `${count(groups)} groups`,
    size(bytes),
    needed ? 'needed by a recovery' : '',
  ])
  const groups = log.groups.map(({ lsn, synced, segment, records }) => {
    const rows = records.flatMap(recordRows)
    return `\n${heading(`group ${count(lsn)}`)} in ${segment}, synced through ${count(synced)}\n${table(rows, [0])}\n`
  })
  const warnings = log.warnings.map(warning => `${bad(printable(warning))}\n`)
  return [`${heading('log')}\n${table(marks)}\n`, section('segments', segments, [2, 3]), ...warnings, ...groups].join(
    '',
  )
}

const recordRows = (record: LogRecordView): string[][] => {
  const { undo } = record
  const whose = record.transaction === 0 ? '' : `transaction ${record.transaction}`
  const marks = [record.commits ? 'commits itself' : '', record.compensation ? 'takes back' : ''].filter(Boolean)
  const undoes =
    undo === undefined
      ? ''
      : `undo: ${undo.key === undefined ? `free ${undo.blocks.join(', ')}` : `${undo.kind === 'insert' ? 'remove' : 'put back'} ${bytesText(undo.key)}`}`
  const rows = [[String(record.lsn), record.type, [whose, ...marks].filter(Boolean).join(', '), undoes]]
  if (record.problem !== undefined) rows.push(['', bad(printable(record.problem))])
  for (const { block, operations } of record.parts)
    for (const { text, data } of operations)
      rows.push(['', `  block ${block}`, text, data === undefined ? '' : bytesText(data)])
  return rows
}

export const mapText = (view: { directory: string; metadata: MetadataView; uses: readonly FileFigures[] }): string => {
  const { blocks } = view.metadata
  const rows = view.uses
    .filter(use => use.blocks > 0)
    .map(({ use, blocks: some, fill }) => [
      NAMES[use],
      count(some),
      percent(some / blocks),
      percent(fill),
      bar(some / blocks, 30),
    ])
  const title = ['', 'blocks', 'of all', 'full', '']
  return [
    `${heading(printable(view.directory))}\n${table(metadataRows(view.metadata))}\n`,
    section('blocks', [title, ...rows], [1, 2, 3]),
  ].join('')
}

const NAMES: Readonly<Record<Use, string>> = {
  metadata: 'metadata',
  index: 'hash index',
  directory: 'directories',
  overflow: 'other buckets',
  large: 'large values',
  leaf: 'tree leaves',
  inner: 'inner tree nodes',
  free: 'free',
  space: 'sub-databases',
  condemned: 'cleared',
  damaged: 'damaged',
}
