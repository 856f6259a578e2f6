/** A storage whose syncs aside end when the test says so: nothing of theirs is done before. */
import { type File, memoryStorage, type Storage } from '../../src/index.ts'

export class Gate {
  readonly storage: Storage
  /** Syncs in line of files of the log. */
  inLine = 0
  #waiting: { path: string; end: (error?: Error) => void }[] = []
  #ticks = 0

  /** Syncs seem to take `milliseconds`: from 1 on, commits go aside. */
  constructor(inner: Storage = memoryStorage(), milliseconds: number = 10) {
    this.storage = {
      ...inner,
      syncsAside: true,
      monotonic: () => (this.#ticks += milliseconds),
      open: (path, options) => this.#watch(inner.open(path, options)),
    }
  }

  /** Syncs under way, of files of the log, or of the others. */
  waiting(ofLog: boolean = true): number {
    return this.#waiting.filter(({ path }) => isOfLog(path) === ofLog).length
  }

  /** Ends the syncs that are under way; with an error, none of them has done anything. */
  letGo(error?: Error): void {
    for (const { end } of this.#waiting.splice(0)) end(error)
  }

  /** Ends those that `chosen` says yes to. */
  letGoSome(chosen: () => boolean): void {
    for (const sync of this.#waiting.splice(0))
      if (chosen()) sync.end()
      else this.#waiting.push(sync)
  }

  #watch(file: File): File {
    let closed = false
    return {
      path: file.path,
      size: () => file.size(),
      read: (...place) => file.read(...place),
      write: (...place) => file.write(...place),
      writeMany: (...place) => file.writeMany(...place),
      truncate: size => file.truncate(size),
      sync: () => {
        if (isOfLog(file.path)) this.inLine++
        file.sync()
      },
      syncAsync: () =>
        new Promise((resolve, reject) => {
          const end = (error?: Error): void => {
            if (error !== undefined) reject(error)
            else {
              if (!closed) file.sync()
              resolve()
            }
          }
          this.#waiting.push({ path: file.path, end })
        }),
      inPlace: () => file.inPlace?.() ?? true,
      close: () => {
        closed = true
        file.close()
      },
    }
  }
}

const isOfLog = (path: string): boolean => path.includes('log/')

/** Some turns of the event loop: whatever waits for nothing but them is done. */
export const turns = async (): Promise<void> => {
  for (let i = 0; i < 4; i++) await new Promise(resolve => setImmediate(resolve))
}
