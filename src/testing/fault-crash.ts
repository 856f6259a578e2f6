/**
 * What a loss of power leaves of the changes that were not synced. The disk may have made any of them durable, in any
 * order and in part; the policies are corners and samples of that space. The smallest unit is the 512-byte sector:
 * a write changes nothing outside the sectors it touches, but may leave one that it touches half old and half new.
 */
import { applyChange, applyName, DirectoryNode, type DiskNode, FileNode, type PendingChange } from './fault-nodes.ts'
import type { PagedBytes } from './paged-bytes.ts'
import type { Random } from './random.ts'

const SECTOR = 512

/**
 * | policy | of the changes since the last sync |
 * | --- | --- |
 * | `none` | nothing is kept |
 * | `all` | everything is kept |
 * | `prefix` | what came before a moment is kept, the write of that moment in part |
 * | `sectors` | each sector of each write is kept with p = ½ |
 * | `last` | only the last write is kept |
 * | `holes` | each write is kept with p = ½ |
 * | `garbage` | each sector is old, new, or full of random bytes; so is new space of the file |
 *
 * From `sectors` on, the size of each file and each name of a directory is old or new independently of content.
 */
export type CrashPolicy = 'none' | 'all' | 'prefix' | 'sectors' | 'last' | 'holes' | 'garbage'

/** All policies, to go through them. */
export const crashPolicies: readonly CrashPolicy[] = ['none', 'all', 'prefix', 'sectors', 'last', 'holes', 'garbage']

/** The nodes that the next start of the system finds. */
export const crashNodes = (
  nodes: ReadonlyMap<number, DiskNode>,
  policy: CrashPolicy,
  random: Random,
): { nodes: Map<number, DiskNode>; signature: number } => {
  const crash = new Crash(nodes, policy, random)
  const left = new Map<number, DiskNode>()
  for (const [number, node] of nodes)
    left.set(number, node instanceof FileNode ? crash.file(number, node) : crash.directory(number, node))
  return { nodes: left, signature: crash.signature }
}

class Crash {
  /** Hash of all that was kept: two crashes of one disk with the same signature leave the same bytes. */
  signature = 0x811c9dc5
  private readonly policy: CrashPolicy
  private readonly random: Random
  /** `prefix`: changes below it are kept, this one in part. */
  private readonly cut: number
  private readonly lastWrite: number
  private readonly nameKept: Map<number, boolean> = new Map()

  constructor(nodes: ReadonlyMap<number, DiskNode>, policy: CrashPolicy, random: Random) {
    this.policy = policy
    this.random = random
    const sequences = [...nodes.values()].flatMap(node => node.pending.map(({ sequence }) => sequence))
    sequences.sort((a, b) => a - b)
    this.cut = sequences[random.below(sequences.length + 1)] ?? Number.POSITIVE_INFINITY
    const writes = [...nodes.values()].flatMap(node => (node instanceof FileNode ? node.pending : []))
    this.lastWrite = Math.max(-1, ...writes.map(({ sequence }) => sequence))
  }

  file(number: number, node: FileNode): FileNode {
    const { policy } = this
    const bytes = node.durable.clone()
    if (node.pending.length === 0) return settled(bytes)
    for (const change of node.pending) {
      const { sequence } = change
      if (this.keepsWhole(change)) {
        applyChange(bytes, change)
        this.sign(number, sequence, 'size' in change ? change.size : change.bytes.length)
      } else if ('size' in change) continue
      else if (policy === 'sectors' || policy === 'garbage')
        this.writeSectors(sequence, bytes, change.bytes, change.position)
      else if (policy === 'prefix' && sequence === this.cut)
        this.writePart(sequence, bytes, change.bytes, change.position)
    }
    if (!['none', 'all', 'prefix'].includes(policy)) this.chooseSize(number, node, bytes)
    return settled(bytes)
  }

  directory(number: number, node: DirectoryNode): DirectoryNode {
    const left = new DirectoryNode()
    left.live = new Map(node.durable)
    for (const change of node.pending) {
      if (!this.keepsName(change.sequence)) continue
      applyName(left.live, change)
      this.sign(number, change.sequence)
    }
    left.durable = new Map(left.live)
    return left
  }

  private sign(...values: readonly number[]): void {
    for (const value of values) this.signature = Math.imul(this.signature ^ value, 0x01000193) >>> 0
  }

  private keepsWhole(change: PendingChange): boolean {
    const { policy } = this
    if (policy === 'all' || policy === 'none') return policy === 'all'
    if (policy === 'prefix') return change.sequence < this.cut
    if (policy === 'last') return change.sequence === this.lastWrite
    return (policy === 'holes' || 'size' in change) && this.random.chance(0.5)
  }

  /** One decision for both sides of a rename. */
  private keepsName(sequence: number): boolean {
    if (this.policy === 'none' || this.policy === 'all') return this.policy === 'all'
    if (this.policy === 'prefix') return sequence < this.cut
    const known = this.nameKept.get(sequence) ?? this.random.chance(0.5)
    this.nameKept.set(sequence, known)
    return known
  }

  private writePart(sequence: number, bytes: PagedBytes, source: Uint8Array, position: number): void {
    const { random } = this
    const unit = random.chance(0.5) ? 1 : SECTOR
    const kept = Math.min(source.length, unit * random.below(Math.ceil(source.length / unit) + 1))
    bytes.write(source.subarray(0, kept), position)
    this.sign(sequence, kept)
  }

  private writeSectors(sequence: number, bytes: PagedBytes, source: Uint8Array, position: number): void {
    const { random } = this
    const end = position + source.length
    for (let at = position; at < end; ) {
      const next = Math.min(end, (Math.floor(at / SECTOR) + 1) * SECTOR)
      const fate = this.policy === 'garbage' ? random.below(3) : random.below(2)
      if (fate === 1) bytes.write(source.subarray(at - position, next - position), at)
      else if (fate === 2) bytes.write(random.bytes(SECTOR), Math.floor(at / SECTOR) * SECTOR)
      this.sign(sequence, fate === 2 ? random.next() : fate)
      at = next
    }
  }

  private chooseSize(number: number, node: FileNode, bytes: PagedBytes): void {
    const before = Math.min(bytes.size, Math.max(node.durable.size, node.live.size))
    const size = this.random.pick([node.durable.size, node.live.size, before])
    bytes.truncate(size)
    this.sign(number, size)
    if (this.policy !== 'garbage' || before >= size) return
    this.sign(this.random.next())
    for (let at = before; at < size; at += SECTOR)
      if (this.random.chance(0.5)) bytes.write(this.random.bytes(Math.min(SECTOR, size - at)), at)
  }
}

const settled = (bytes: PagedBytes): FileNode => {
  const node = new FileNode()
  node.durable = bytes.clone()
  node.live = bytes
  return node
}
