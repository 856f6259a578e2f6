/** What a loss of power made of the blocks of a data file, and how that looks in the terminal. */
import pc from 'picocolors'

const BLOCK = 4096
const COLUMNS = 51

/** `idle`: the same before and after the checkpoint. `torn`: neither what it was nor what it was to become. */
export type BlockState = 'metadata' | 'idle' | 'old' | 'new' | 'torn'

const LOOKS: Record<BlockState, { glyph: string; colour: (text: string) => string; meaning: string }> = {
  metadata: { glyph: 'M', colour: pc.magenta, meaning: 'block 0: metadata, in two copies of its own' },
  idle: { glyph: '·', colour: pc.dim, meaning: 'sound: not touched by the checkpoint' },
  old: { glyph: '░', colour: pc.blue, meaning: 'sound: old, as before the checkpoint' },
  new: { glyph: '█', colour: pc.green, meaning: 'sound: new, as the checkpoint wrote it' },
  torn: { glyph: 'X', colour: pc.red, meaning: 'torn: some sectors old, some new; the checksum is wrong' },
}
const ORDER = Object.keys(LOOKS) as BlockState[]

/** The state of each block of a data file, given the file before and after a checkpoint. */
export function compareBlocks(file: Uint8Array, before: Uint8Array, after: Uint8Array): BlockState[] {
  const states: BlockState[] = ['metadata']
  for (let at = BLOCK; at < Math.max(file.length, after.length); at += BLOCK) {
    const [now, was, willBe] = [file, before, after].map(bytes => Buffer.from(bytes.subarray(at, at + BLOCK)))
    const isOld = now!.equals(was!)
    const isNew = now!.equals(willBe!)
    states.push(isOld && isNew ? 'idle' : isOld ? 'old' : isNew ? 'new' : 'torn')
  }
  return states
}

export function countStates(states: readonly BlockState[]): Record<BlockState, number> {
  const counts: Record<BlockState, number> = { metadata: 0, idle: 0, old: 0, new: 0, torn: 0 }
  for (const state of states) counts[state]++
  return counts
}

/** Lines of one glyph per block. */
export function stateMap(states: readonly BlockState[]): string[] {
  const glyphs = states.map(state => LOOKS[state].colour(LOOKS[state].glyph))
  const lines: string[] = []
  for (let i = 0; i < glyphs.length; i += COLUMNS) lines.push(glyphs.slice(i, i + COLUMNS).join(''))
  return lines
}

/** What the glyphs of a map mean, and how many there are of each. */
export function stateLegend(states: readonly BlockState[]): string[] {
  const counts = countStates(states)
  return ORDER.filter(state => counts[state] > 0).map(state => {
    const { glyph, colour, meaning } = LOOKS[state]
    return `${colour(glyph)} ${String(counts[state]).padStart(3)}  ${meaning}`
  })
}
