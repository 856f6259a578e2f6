/**
 * An answer with typed arrays as one message:
 *
 *   0  4  bytes of the JSON that follows
 *   4     JSON of the answer without its arrays, and in `$arrays` of each: name, type, offset from the message's start,
 *         length; then, each from a multiple of 4 on, the arrays
 *
 * The page takes it apart (`explorer/page/transport.ts`).
 */

type Packed = Uint8Array | Uint32Array

const isPacked = (value: unknown): value is Packed => value instanceof Uint8Array || value instanceof Uint32Array

/** True of an answer that has typed arrays. */
export const hasArrays = (answer: object): boolean => Object.values(answer).some(isPacked)

export const pack = (answer: object): Uint8Array => {
  const entries = Object.entries(answer)
  const arrays = entries.filter((entry): entry is [string, Packed] => isPacked(entry[1]))
  const plain = Object.fromEntries(entries.filter(([, value]) => !isPacked(value)))
  const headerOf = (start: number): { json: Uint8Array; places: number[]; end: number } => {
    let at = start
    const places: number[] = []
    const listed = arrays.map(([name, array]) => {
      places.push(at)
      const place = [name, array instanceof Uint32Array ? 'u32' : 'u8', at, array.length]
      at = align(at + array.byteLength)
      return place
    })
    return { json: new TextEncoder().encode(JSON.stringify({ ...plain, $arrays: listed })), places, end: at }
  }
  // The offsets are part of the JSON, whose length they depend on: with room for a few digits more they fit.
  const room = align(4 + headerOf(0).json.length + 12 * arrays.length)
  const { json, places, end } = headerOf(room)
  const message = new Uint8Array(end)
  new DataView(message.buffer).setUint32(0, json.length, true)
  message.set(json, 4)
  for (const [i, [, array]] of arrays.entries())
    message.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), places[i]!)
  return message
}

const align = (at: number): number => (at + 3) & ~3
