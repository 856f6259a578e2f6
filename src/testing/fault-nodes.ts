/**
 * What the simulated disk holds: files and directories, each as the running system sees it (live), as the platters
 * hold it (durable), and the changes in between (pending), in the order they were made.
 *
 * | | becomes durable by |
 * | --- | --- |
 * | bytes and size of a file | `sync` of the file |
 * | a created, renamed or removed name | `sync` of the directory; syncing the file does not help its name |
 */
import { PagedBytes } from './paged-bytes.ts'

/** A change of the disk. Files and directories go by their numbers, which are never used again. */
export type Operation =
  | { kind: 'write'; node: number; position: number; bytes: Uint8Array }
  | { kind: 'truncate'; node: number; size: number }
  /** Covers what was written before this number of the disk's changes; everything when it is left out. */
  | { kind: 'sync'; node: number; before?: number }
  | { kind: 'create'; directory: number; name: string; node: number }
  | { kind: 'makeDirectory'; directory: number; name: string; node: number }
  | { kind: 'rename'; from: number; fromName: string; to: number; toName: string }
  | { kind: 'remove'; directory: number; name: string }
  | { kind: 'syncDirectory'; node: number }
  /** Damage: one bit, on the platters too. */
  | { kind: 'flip'; node: number; bit: number }

/** Writes and truncates since the last sync. `sequence` orders them over the whole disk. */
export type PendingChange =
  | { sequence: number; position: number; bytes: Uint8Array }
  | { sequence: number; size: number }

/** A name that now leads to `node`, or to nothing. Both sides of a rename have the same sequence. */
export interface PendingName {
  sequence: number
  name: string
  node: number | undefined
}

export class FileNode {
  live: PagedBytes = new PagedBytes()
  durable: PagedBytes = new PagedBytes()
  pending: PendingChange[] = []
  /** After a sync that lost data: what is live is no longer what a sync makes durable. */
  diverged = false

  /** What the process that ends leaves to the next one: everything, in the same state. */
  clone(): FileNode {
    const copy = new FileNode()
    copy.live = this.live.clone()
    copy.durable = this.durable.clone()
    copy.pending = this.pending.slice()
    copy.diverged = this.diverged
    return copy
  }

  /** What was written later than `before` stays pending. */
  sync(before: number = Number.POSITIVE_INFINITY): void {
    const covered = this.pendingBefore(before)
    if (covered === 0) return
    if (this.diverged || covered < this.pending.length)
      for (const change of this.pending.slice(0, covered)) applyChange(this.durable, change)
    else this.durable = this.live.clone()
    this.pending = this.pending.slice(covered)
  }

  /** How many of the pending changes were made before that one. */
  pendingBefore(before: number): number {
    let count = 0
    while (count < this.pending.length && this.pending[count]!.sequence < before) count++
    return count
  }

  flip(bit: number): void {
    this.live.flip(bit)
    if (bit < 8 * this.durable.size) this.durable.flip(bit)
  }

  /** A sync that fails, and after which the system holds the lost data for clean. */
  lose(): void {
    this.diverged = true
    this.pending = []
  }
}

export class DirectoryNode {
  live: Map<string, number> = new Map()
  durable: Map<string, number> = new Map()
  pending: PendingName[] = []

  clone(): DirectoryNode {
    const copy = new DirectoryNode()
    copy.live = new Map(this.live)
    copy.durable = new Map(this.durable)
    copy.pending = this.pending.slice()
    return copy
  }

  change(sequence: number, name: string, node: number | undefined): void {
    applyName(this.live, { sequence, name, node })
    this.pending.push({ sequence, name, node })
  }

  sync(): void {
    this.durable = new Map(this.live)
    this.pending = []
  }
}

export type DiskNode = FileNode | DirectoryNode

export const applyChange = (bytes: PagedBytes, change: PendingChange): void => {
  if ('size' in change) bytes.truncate(change.size)
  else bytes.write(change.bytes, change.position)
}

export const applyName = (names: Map<string, number>, change: PendingName): void => {
  if (change.node === undefined) names.delete(change.name)
  else names.set(change.name, change.node)
}
