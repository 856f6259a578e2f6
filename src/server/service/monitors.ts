/** MONITOR: clients that are sent every command that the server executes. */
import { nextTurn } from '../../runtime/timers.ts'
import type { ReplyWriter } from '../protocol/reply.ts'
import { type Arguments, textAt } from '../protocol/request.ts'
import type { Source, Traits } from './traits.ts'

/** A client that watches. One that takes too little is closed when it has too much unsent, as any other. */
export interface Monitor {
  readonly closed: boolean
  answer(write: (out: ReplyWriter) => void): void
}

export class Monitors {
  private readonly monitors: Set<Monitor> = new Set()
  /** Of this turn. */
  private lines: string[] = []

  get count(): number {
    return this.monitors.size
  }

  add(monitor: Monitor): void {
    this.monitors.add(monitor)
  }

  delete(monitor: Monitor): boolean {
    return this.monitors.delete(monitor)
  }

  has(client: object): boolean {
    return this.monitors.has(client as Monitor)
  }

  /** The command of a client was executed. Nothing may be written to others while its reply is: that comes later. */
  feed(source: Source, isSecret: Traits['isSecret'], request: Arguments): void {
    if (this.lines.length === 0) nextTurn(() => this.send())
    this.lines.push(lineOf(source, isSecret, request))
  }

  private send(): void {
    const { lines } = this
    this.lines = []
    for (const monitor of [...this.monitors])
      monitor.answer(out => {
        for (const line of lines) out.simple(line)
      })
  }
}

/** 1339518083.107412 [0 127.0.0.1:60866] "keys" "*" */
const lineOf = (
  { address, database, isScript = false }: Source,
  isSecret: Traits['isSecret'],
  request: Arguments,
): string => {
  const now = Date.now()
  const seconds = Math.floor(now / 1000)
  const words: string[] = []
  for (let i = 0; i < request.count; i++)
    words.push(isSecret?.(request, i) ? '"(redacted)"' : quoted(textAt(request, i)))
  const client = address.includes('/') ? `unix:${address}` : address
  const place = isScript ? 'lua' : client
  return `${seconds}.${String((now % 1000) * 1000).padStart(6, '0')} [${database} ${place}] ${words.join(' ')}`
}

const ESCAPED: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '"': '\\"',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\x07': '\\a',
  '\b': '\\b',
}

/** As C would write it: what is not ASCII, or cannot be printed, by its number. */
const quoted = (text: string): string =>
  `"${text.replace(/[^ !#-[\]-~]/g, character => ESCAPED[character] ?? `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`)}"`
