/** What import and export have in common whatever the format. */
import type { RecordError } from '../errors.ts'
import type { Place } from '../place.ts'
import type { KeyFields } from './key-fields.ts'
import type { RecordLimit } from './limit.ts'

export type Format = 'jsonl' | 'csv'

export const FORMATS: readonly Format[] = ['jsonl', 'csv']

/** What an import takes: JSON is an array of objects, which `jsonl` takes too, by its first character. */
export type ImportFormat = Format | 'json'

export const IMPORT_FORMATS: readonly ImportFormat[] = ['jsonl', 'json', 'csv']

export interface FileRecord {
  key: Uint8Array
  value: Uint8Array
  /** When it expires, in milliseconds since 1970; `undefined` if it does not. */
  expiresAt: number | undefined
}

/** A record on its way into the database, and the line of the file where it began. */
export interface ImportedRecord extends FileRecord {
  line: number
  /** Where it belongs. */
  place: Place
}

/** How records are read. */
export interface Reading {
  readonly limit: RecordLimit
  /** The key is made of these fields, and the whole object is the value. */
  readonly key?: KeyFields | undefined
  /** Hears of a malformed record, which is passed over; undefined: it is thrown. */
  readonly onBad?: ((error: RecordError) => void) | undefined
}

/**
 * Reads records from chunks of bytes. A malformed record throws `RecordError`, unless it is to be passed over, only when
 * its turn comes: every record before it has been yielded by then. Where nobody knows where the next record begins (a
 * quote in the middle of a CSV field, an endless line) it is thrown always.
 */
export interface RecordReader {
  push(chunk: Uint8Array): Iterable<ImportedRecord>
  /** What is left when the input has ended. */
  end(): Iterable<ImportedRecord>
}

/** Writes records as text. */
export interface RecordWriter {
  /** What stands in front of all records. */
  header(): string
  record(record: FileRecord): string
}

/** The format asked for, or else the one that the file name suggests; JSON Lines when nothing does. */
export function chooseFormat<F extends string>(asked: F | undefined, file: string): F | Format {
  return asked ?? (file.toLowerCase().endsWith('.csv') ? 'csv' : 'jsonl')
}
