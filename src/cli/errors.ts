/** What can go wrong on the command line, which exit status it gives, and the one line it prints. */
import { InvalidArgumentError, isError, XenonError } from '../errors.ts'

/** Done. */
export const EXIT_DONE = 0
/** Not found, check failed, or anything else that went wrong while doing what was asked. */
export const EXIT_FAILED = 1
/** What was asked makes no sense: unknown command or option, argument missing or malformed. */
export const EXIT_USAGE = 2
/** Ended by Ctrl-C, after closing cleanly (128 + SIGINT, as shells report it). */
export const EXIT_INTERRUPTED = 130

/** Wrong usage. */
export class UsageError extends Error {
  override name = 'UsageError'
}

/** The command was understood, and the answer is no: a key that is not there, a target that exists. */
export class CommandError extends Error {
  override name = 'CommandError'
}

/** A malformed line of an import. */
export class RecordError extends InvalidArgumentError {
  /** Line of the file where the record begins, from 1. */
  readonly line: number

  constructor(line: number, detail: string) {
    super(`line ${line}: ${detail}`)
    this.line = line
  }
}

export function exitStatus(error: unknown): number {
  if (error instanceof UsageError) return EXIT_USAGE
  return isError(error) && error.name === 'CACError' ? EXIT_USAGE : EXIT_FAILED
}

/** The error as one line without control characters; a stable code follows in brackets when there is one. */
export function oneLine(error: unknown): string {
  const message = isError(error) ? error.message : String(error)
  const code = error instanceof XenonError ? ` [${error.code}]` : ''
  const isTaken = isError(error) && (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
  return `${printable(message)}${isTaken ? '; end the program that listens there, or choose another port' : ''}${code}`
}

/** Text with control characters (line ends, escape sequences, the argument marker) taken out. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: removing them is the point
  return text.replace(/[\r\n]+/g, ' ').replace(/[\u0000-\u001f\u007f-\u009f]/g, '')
}
