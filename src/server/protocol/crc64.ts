/** The CRC-64 of Redis's RDB: Jones's polynomial, reflected, beginning with 0. */

/** Its bits reversed. */
const POLYNOMIAL = 0x95ac9329ac4bc9b5n
let tables: { high: Uint32Array; low: Uint32Array } | undefined

const makeTables = (): { high: Uint32Array; low: Uint32Array } => {
  const [high, low] = [new Uint32Array(256), new Uint32Array(256)]
  for (let byte = 0; byte < 256; byte++) {
    let crc = BigInt(byte)
    for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ POLYNOMIAL : crc >> 1n
    high[byte] = Number(crc >> 32n)
    low[byte] = Number(crc & 0xffffffffn)
  }
  return { high, low }
}

export const crc64 = (bytes: Uint8Array): bigint => {
  tables ??= makeTables()
  let [high, low] = [0, 0]
  for (let i = 0; i < bytes.length; i++) {
    const index = (low ^ bytes[i]!) & 0xff
    low = ((low >>> 8) | (high << 24)) ^ tables.low[index]!
    high = (high >>> 8) ^ tables.high[index]!
  }
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0)
}
