/**
 * Puts many short pieces for a client together, so that the socket takes them as one. Subscribers of the same channel
 * are sent the same pieces one after the other: these are put together once.
 */

import type { Socket } from 'node:net'

/** More is not copied. */
const MOST_BYTES = 65536

export class Joiner {
  private pieces: readonly Buffer[] = []
  private joined: Buffer | undefined

  /** Gives the pieces to a socket; `bytes`: how many there are in all. */
  write(socket: Socket, pieces: readonly Buffer[], bytes: number): void {
    const joined = this.join(pieces, bytes)
    if (joined.length === 1) socket.write(joined[0]!)
    else {
      socket.cork()
      for (const piece of joined) socket.write(piece)
      socket.uncork()
    }
  }

  private join(pieces: readonly Buffer[], bytes: number): readonly Buffer[] {
    if (pieces.length < 2 || bytes > MOST_BYTES) return pieces
    if (this.joined === undefined || !areSame(pieces, this.pieces)) {
      this.pieces = pieces
      this.joined = Buffer.concat(pieces, bytes)
    }
    return [this.joined]
  }

  /** Keeps nothing of them any longer. */
  forget(): void {
    this.pieces = []
    this.joined = undefined
  }
}

const areSame = (a: readonly Buffer[], b: readonly Buffer[]): boolean => {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}
