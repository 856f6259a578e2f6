/** A push that several clients are sent: its bytes are made once, for RESP3, and for RESP2 if somebody asks for them. */

const STAR = 42
const CRLF = Buffer.from('\r\n')

/** What a client is sent that it has not asked for. */
export interface Push {
  /** As it is sent in RESP3 or in RESP2. */
  bytes(resp3: boolean): Buffer
}

export class Message implements Push {
  private readonly push: Buffer
  private array: Buffer | undefined

  /** Of bulk strings. */
  constructor(parts: readonly Uint8Array[]) {
    const heads = parts.map(part => `$${part.length}\r\n`)
    const first = `>${parts.length}\r\n`
    let length = first.length
    for (let i = 0; i < parts.length; i++) length += heads[i]!.length + parts[i]!.length + 2
    const bytes = Buffer.allocUnsafe(length)
    let at = bytes.write(first, 0, 'latin1')
    for (let i = 0; i < parts.length; i++) {
      at += bytes.write(heads[i]!, at, 'latin1')
      bytes.set(parts[i]!, at)
      at += parts[i]!.length
      bytes.set(CRLF, at)
      at += 2
    }
    this.push = bytes
  }

  /** A push in RESP3, an array in RESP2. */
  bytes(resp3: boolean): Buffer {
    if (resp3) return this.push
    if (this.array === undefined) {
      this.array = Buffer.from(this.push)
      this.array[0] = STAR
    }
    return this.array
  }
}
