/** One request: the arguments as places in a buffer, so that nothing is copied unless somebody keeps it. */
export interface Arguments {
  readonly source: Buffer
  readonly starts: readonly number[]
  readonly ends: readonly number[]
  /** Arguments with the command's name, at least 1. */
  readonly count: number
}

export const bytesAt = (request: Arguments, index: number): Uint8Array =>
  request.source.subarray(request.starts[index]!, request.ends[index]!)

/** One character per byte. */
export const textAt = (request: Arguments, index: number): string =>
  request.source.toString('latin1', request.starts[index]!, request.ends[index]!)

/** An argument as it is shown in an error: up to a NUL, as in C. */
export const shownAt = (request: Arguments, index: number): string => textAt(request, index).split('\0')[0]!

/** True if the argument is this word (in small letters), however it is written. */
export const isWord = (request: Arguments, index: number, word: string): boolean => {
  const start = request.starts[index]!
  const { length } = word
  if (request.ends[index]! - start !== length) return false
  for (let i = 0; i < length; i++) if (lower(request.source[start + i]!) !== word.charCodeAt(i)) return false
  return true
}

const lower = (code: number): number => (code >= 65 && code <= 90 ? code + 32 : code)

/** The same request with bytes of its own, which stay when the connection reads on. */
export const keep = (request: Arguments): Arguments => {
  const { count } = request
  const from = request.starts[0]!
  const starts: number[] = []
  const ends: number[] = []
  for (let i = 0; i < count; i++) {
    starts.push(request.starts[i]! - from)
    ends.push(request.ends[i]! - from)
  }
  return { source: Buffer.from(request.source.subarray(from, from + ends[count - 1]!)), starts, ends, count }
}

/** The request without its first arguments. */
export const behind = ({ source, starts, ends, count }: Arguments, first: number): Arguments => ({
  source,
  starts: starts.slice(first, count),
  ends: ends.slice(first, count),
  count: count - first,
})

export const argumentBytes = (request: Arguments): number => request.ends[request.count - 1]! - request.starts[0]!
