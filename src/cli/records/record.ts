/** What import and export have in common whatever the format. */
import type { Place } from '../place.ts'

export type Format = 'jsonl' | 'csv'

export const FORMATS: readonly Format[] = ['jsonl', 'csv']

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

/**
 * Reads records from chunks of bytes. A malformed record throws `RecordError` only when its turn comes:
 * every record before it has been yielded by then.
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
export function chooseFormat(asked: Format | undefined, file: string): Format {
  return asked ?? (file.toLowerCase().endsWith('.csv') ? 'csv' : 'jsonl')
}
