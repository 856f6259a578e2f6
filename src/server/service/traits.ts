/** What is known of a command and of its caller when it is counted, timed and shown. */
import type { Arguments } from '../protocol/request.ts'

/** What is to be known of a command, or of a subcommand. */
export interface Traits {
  /** Its place among all of them. */
  readonly index: number
  /** `get`, `client|list` */
  readonly name: string
  readonly isFast: boolean
  /** With few arguments it takes a few microseconds, unless it waits for the disk. */
  readonly isQuick: boolean
  /** SLOWLOG and MONITOR are not to show it. */
  readonly skipsSlowLog: boolean
  readonly skipsMonitor: boolean
  /** Arguments that nobody is to see: passwords. */
  readonly isSecret: ((request: Arguments, index: number) => boolean) | undefined
}

/** Whoever has sent a request. */
export interface Source {
  readonly address: string
  readonly name: string
  readonly database: number
  /** A script of his has. */
  readonly isScript?: boolean
}

export interface ActivitySettings {
  /** Microseconds; below 0: never. */
  slowlogLogSlowerThan: number
  slowlogMaxLen: number
  /** Milliseconds; 0: never. */
  latencyMonitorThreshold: number
}
