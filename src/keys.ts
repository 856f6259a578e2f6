/** The shape of tuple keys: errors name keys, and types name errors. */

/**
 * A key with `keyEncoding: 'tuple'`, encoded in 1 to 1024 bytes. Keys are ordered by type (null, false, true, numbers,
 * text, bytes, arrays) and then by value: numbers and bigints together as numbers, text by code points, arrays item by
 * item.
 */
export type TupleKey = null | boolean | number | bigint | string | Uint8Array | readonly TupleKey[]
