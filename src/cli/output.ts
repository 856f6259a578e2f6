/**
 * Writing much to a stream: collected into chunks, waiting when the reader is slower, and quiet when it is gone.
 *
 *     for (const record of records) {
 *       output.add(line(record))
 *       if (output.full && !(await output.flush())) break
 *     }
 *     await output.flush()
 */
import type { Writable } from 'node:stream'

const CHUNK_LENGTH = 64 * 1024

export class Output {
  readonly #stream: Writable
  #parts: string[] = []
  #length = 0
  #failure: NodeJS.ErrnoException | undefined
  #wake: (() => void) | undefined

  constructor(stream: Writable) {
    this.#stream = stream
    stream.on('error', error => {
      this.#failure ??= error
      this.#wake?.()
    })
    stream.on('close', () => this.#wake?.())
    stream.on('drain', () => this.#wake?.())
  }

  add(text: string): void {
    this.#parts.push(text)
    this.#length += text.length
  }

  /** The same for text out of a database: on a terminal, what would steer that is shown in its place, as `\u001b`. */
  addStored(text: string): void {
    this.add((this.#stream as { isTTY?: boolean }).isTTY === true ? shown(text) : text)
  }

  /** Time to `flush`. */
  get full(): boolean {
    return this.#length >= CHUNK_LENGTH
  }

  /** True once the reader has closed its end. */
  get closed(): boolean {
    return this.#failure !== undefined || this.#stream.destroyed
  }

  /**
   * Hands on what was collected and waits until the stream takes more.
   * False when the reader has closed its end (`… | head -1`): nothing more needs writing. Other failures throw.
   */
  async flush(): Promise<boolean> {
    const text = this.#parts.join('')
    this.#parts = []
    this.#length = 0
    if (text !== '' && !this.closed) {
      const taken = this.#stream.write(text)
      // A pipe reports its closed end only after the write has returned.
      await new Promise<void>(resolve => setImmediate(resolve))
      if (!taken) await this.#drained()
    }
    if (this.#failure !== undefined && this.#failure.code !== 'EPIPE') throw this.#failure
    return !this.closed
  }

  async #drained(): Promise<void> {
    while (!this.closed && this.#stream.writableNeedDrain) {
      await new Promise<void>(resolve => {
        this.#wake = resolve
      })
    }
    this.#wake = undefined
  }

  /** Flushes and ends the stream; resolves when the file behind it is written and closed. Not for stdout. */
  async end(): Promise<void> {
    if (!(await this.flush())) return
    await new Promise<void>((resolve, reject) => {
      this.#stream.once('error', reject)
      this.#stream.once('close', () => resolve())
      this.#stream.end()
    })
  }

  /** Closes the stream as it is; resolves when the file behind it is closed. */
  async abandon(): Promise<void> {
    if (this.#stream.closed) return
    await new Promise<void>(resolve => {
      this.#stream.once('close', () => resolve())
      this.#stream.destroy()
    })
  }
}

/** Control characters but for line ends and tabs are escaped. */
const shown = (text: string): string =>
  text.replace(/(?![\t\n])\p{Cc}/gu, char => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)

/** Writes one piece of text to stdout. */
export async function print(text: string): Promise<void> {
  const output = new Output(process.stdout)
  output.add(text)
  await output.flush()
}

/** The same for text out of a database. */
export async function printStored(text: string): Promise<void> {
  const output = new Output(process.stdout)
  output.addStored(text)
  await output.flush()
}

/** Writes bytes to stdout as they are. */
export async function printBytes(bytes: Uint8Array): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    process.stdout.once('error', (error: NodeJS.ErrnoException) => (error.code === 'EPIPE' ? resolve() : reject(error)))
    process.stdout.write(bytes, error => {
      if (!error) resolve()
    })
  })
}
