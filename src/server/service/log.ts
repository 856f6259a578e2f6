/** Structured logs: one line of JSON per event. */

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

export const LOG_LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent']

export class Log {
  level: LogLevel
  private readonly write: (line: string) => void

  constructor(level: LogLevel, write: (line: string) => void) {
    this.level = level
    this.write = write
  }

  debug(event: string, details: object = {}): void {
    this.line('debug', event, details)
  }

  info(event: string, details: object = {}): void {
    this.line('info', event, details)
  }

  warn(event: string, details: object = {}): void {
    this.line('warn', event, details)
  }

  error(event: string, details: object = {}): void {
    this.line('error', event, details)
  }

  private line(level: LogLevel, event: string, details: object): void {
    if (LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(this.level)) return
    this.write(JSON.stringify({ time: new Date().toISOString(), level, event, ...details }))
  }
}
