/** A storage that knows which bytes of the data file a loss of power could tear: those written since its last sync. */
import type { File, Storage } from '../../src/index.ts'

export class Unsynced {
  readonly storage: Storage
  /** Positions and lengths of the writes. */
  #writes: { position: number; length: number }[] = []

  constructor(inner: Storage) {
    this.storage = Object.assign(Object.create(inner) as Storage, {
      open: (path: string, options: Parameters<Storage['open']>[1]) => {
        const file = inner.open(path, options)
        return path === inner.join('db', 'data') ? this.#watch(file) : file
      },
    })
  }

  /** True if something was written to [from, to) that is not synced yet. */
  has(from: number, to: number): boolean {
    return this.#writes.some(({ position, length }) => position < to && position + length > from)
  }

  #watch(inner: File): File {
    const note = (position: number, length: number): void => {
      this.#writes.push({ position, length })
    }
    return {
      path: inner.path,
      size: () => inner.size(),
      read: (...args) => inner.read(...args),
      write: (source, offset, length, position) => {
        note(position, length)
        inner.write(source, offset, length, position)
      },
      writeMany: (parts, position) => {
        note(
          position,
          parts.reduce((sum, bytes) => sum + bytes.length, 0),
        )
        inner.writeMany(parts, position)
      },
      truncate: size => inner.truncate(size),
      sync: () => {
        inner.sync()
        this.#writes = []
      },
      syncAsync: () => inner.syncAsync(),
      close: () => inner.close(),
    }
  }
}
