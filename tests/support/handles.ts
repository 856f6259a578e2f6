/** Something like the Origin Private File System, in memory: handles that one at a time has open. */
import type { HandleDirectory, SyncHandle } from '../../src/browser/handles.ts'

/** What a file holds: zero from `size` on. */
export class Held {
  bytes: Uint8Array = new Uint8Array(0)
  size = 0
  open = false
}

const refused = (): Error =>
  Object.assign(new Error('Access Handles cannot be created: there is another open one'), {
    name: 'NoModificationAllowedError',
  })

export class MemoryHandles implements HandleDirectory {
  readonly files: Map<string, Held> = new Map()
  /** Bytes that all files together may have. */
  quota: number = Number.POSITIVE_INFINITY

  async open(name: string): Promise<SyncHandle> {
    const held = this.files.get(name) ?? new Held()
    this.files.set(name, held)
    if (held.open) throw refused()
    held.open = true
    return this.handleOf(held)
  }

  protected handleOf(held: Held): SyncHandle {
    // What was never written takes no memory.
    const grow = (size: number, isWritten: boolean): void => {
      if (size <= held.size && (!isWritten || size <= held.bytes.length)) return
      const all = [...this.files.values()].reduce((sum, { size }) => sum + size, 0)
      if (size > held.size && all + size - held.size > this.quota)
        throw Object.assign(new Error('no capacity available for this operation'), { name: 'QuotaExceededError' })
      if (isWritten && size > held.bytes.length) {
        const grown = new Uint8Array(Math.max(size, 2 * held.bytes.length))
        grown.set(held.bytes)
        held.bytes = grown
      }
      held.size = Math.max(held.size, size)
    }
    return {
      read(target, { at }) {
        const length = Math.max(0, Math.min(target.length, held.size - at))
        target.fill(0, 0, length)
        target.set(held.bytes.subarray(at, at + length))
        return length
      },
      write(source, { at }) {
        grow(at + source.length, true)
        held.bytes.set(source, at)
        return source.length
      },
      truncate(size) {
        if (size < held.size) held.bytes.fill(0, size, held.size)
        else grow(size, false)
        held.size = size
      },
      flush() {},
      getSize: () => held.size,
      close() {
        held.open = false
      },
    }
  }

  async names(): Promise<string[]> {
    return [...this.files.keys()]
  }

  async remove(name: string): Promise<void> {
    this.files.delete(name)
  }
}
