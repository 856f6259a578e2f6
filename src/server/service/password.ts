/** The password is kept as a digest, and compared in constant time. */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

export class Password {
  private readonly key: Buffer = randomBytes(32)
  private readonly digest: Buffer

  constructor(password: string) {
    this.digest = this.of(Buffer.from(password))
  }

  is(candidate: Uint8Array): boolean {
    return timingSafeEqual(this.of(candidate), this.digest)
  }

  private of(bytes: Uint8Array): Buffer {
    return createHmac('sha256', this.key).update(bytes).digest()
  }
}
