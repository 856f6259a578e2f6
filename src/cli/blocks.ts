/** Blocks by kind, as rows of a table with a small bar each. */
import type { BlockCounts } from '../index.ts'
import { bar, count, percent } from './render.ts'

const KINDS: readonly [keyof BlockCounts, string][] = [
  ['metadata', 'metadata'],
  ['index', 'hash index'],
  ['directory', 'directory'],
  ['overflow', 'overflow'],
  ['large', 'large values'],
  ['tree', 'trees'],
  ['space', 'sub-databases'],
  ['condemned', 'cleared'],
  ['free', 'free'],
]

export function kindRows(blocks: BlockCounts): string[][] {
  const rows = KINDS.map(([kind, name]) => row(name, blocks[kind], blocks.total))
  return [...rows, ['total', count(blocks.total), '', '']]
}

function row(name: string, blocks: number, total: number): string[] {
  const share = total === 0 ? 0 : blocks / total
  return [name, count(blocks), percent(share), bar(share, 40)]
}
