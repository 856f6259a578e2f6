/** What a golden database is: see README.md. */
import { readdirSync, readFileSync } from 'node:fs'
import { brotliDecompressSync } from 'node:zlib'
import { nodeStorage, type OpenOptions, type Storage } from '../../src/index.ts'
import { type Image, storageOf } from '../support/image.ts'

export interface Golden {
  /** Its folder and name. */
  name: string
  what: string
  madeBy: string
  format: number
  /** What the clock said when it was made. */
  now: number
  /** To open it with. */
  options: OpenOptions<unknown>
  /** False if its process was killed. */
  closed: boolean
  /** Blocks that a loss of power has torn. */
  torn: readonly number[]
  /** All that were committed, expired or not. */
  records: readonly GoldenRecord[]
  /** Sub-databases, and their records in the order of keys. */
  subs: readonly GoldenSub[]
  /** Of a replica of a cluster. */
  mark?: string
  files: Image
}

export interface GoldenSub {
  path: readonly string[]
  records: readonly GoldenRecord[]
}

export interface GoldenRecord {
  key: string | Uint8Array
  value: unknown
  /** When it expires, in milliseconds since 1970. */
  expiresAt: number | undefined
}

type Packed = string | { bytes: string }
type PackedRecord = [key: Packed, value: unknown, expiresAt?: number]

const recordOf = ([key, value, expiresAt]: PackedRecord): GoldenRecord => ({
  key: typeof key === 'string' ? key : unpacked(key.bytes),
  value,
  expiresAt,
})

const root: URL = new URL('./', import.meta.url)

/** Names of all golden databases, such as `2-images-in-log/ordered`. */
export const goldenNames = (): string[] =>
  readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter(path => path.endsWith('.json.br'))
    .map(path => path.replaceAll('\\', '/').slice(0, -'.json.br'.length))
    .sort()

export const readGolden = (name: string): Golden => {
  const text = brotliDecompressSync(readFileSync(new URL(`${name}.json.br`, root))).toString()
  const { records, files, torn = [], subs = [], ...rest } = JSON.parse(text)
  return {
    ...rest,
    name,
    torn,
    records: records.map(recordOf),
    subs: subs.map((sub: { path: string[]; records: PackedRecord[] }) => ({
      ...sub,
      records: sub.records.map(recordOf),
    })),
    files: new Map(
      Object.entries<string | number>(files).map(([path, bytes]) => [
        path,
        typeof bytes === 'string' ? unpacked(bytes) : new Uint8Array(bytes).fill(0xa5),
      ]),
    ),
  }
}

/** Its files in memory, in the directory `db`; the clock says `now`. */
export const goldenStorage = ({ files }: Golden, now: number): Storage => {
  const { crc32, deflate } = nodeStorage
  return { ...storageOf(files), crc32, deflate, now: () => now }
}

/** A character for each byte. */
const unpacked = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'))
