/** Where an import reads from: a file or stdin, as chunks of bytes, with the size for a progress bar when known. */
import { createReadStream, fstatSync, type Stats, statSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { CommandError } from './errors.ts'

export interface Input {
  /** For messages. */
  name: string
  stream: Readable
  /** Bytes to come; undefined for a pipe or a terminal. */
  size: number | undefined
}

/** `-` is stdin. */
export function openInput(file: string): Input {
  if (file === '-') return { name: 'stdin', stream: process.stdin, size: sizeOf(fstatSync(0)) }
  const stats = statOf(file)
  if (stats.isDirectory()) throw new CommandError(`${file} is a directory`)
  return { name: file, stream: createReadStream(file), size: sizeOf(stats) }
}

function statOf(file: string): Stats {
  try {
    return statSync(file)
  } catch (error) {
    throw new CommandError(`cannot read ${file}: ${(error as Error).message}`)
  }
}

function sizeOf(stats: Stats): number | undefined {
  return stats.isFile() ? stats.size : undefined
}

/** Passes bytes on without the byte order mark that some editors put in front of UTF-8. */
export class BomFilter {
  #head: Uint8Array | undefined = new Uint8Array(0)

  push(chunk: Uint8Array): Uint8Array {
    if (this.#head === undefined) return chunk
    const head = Buffer.concat([this.#head, chunk])
    if (head.length < BOM.length && BOM.subarray(0, head.length).equals(head)) {
      this.#head = head
      return new Uint8Array(0)
    }
    this.#head = undefined
    return head.subarray(0, BOM.length).equals(BOM) ? head.subarray(BOM.length) : head
  }

  /** What was held back, once the input has ended. */
  end(): Uint8Array {
    return this.#head ?? new Uint8Array(0)
  }
}

const BOM = Buffer.from([0xef, 0xbb, 0xbf])
