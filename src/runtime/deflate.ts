/** Deflate, where the runtime has it. */
export interface Deflate {
  compress(bytes: Uint8Array): Uint8Array
  /** Throws when there would be more than `limit` bytes. */
  decompress(bytes: Uint8Array, limit: number): Uint8Array
}
