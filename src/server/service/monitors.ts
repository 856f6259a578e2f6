/** MONITOR: clients that are sent every command that the server executes. */
import { nextTurn } from '../../runtime/timers.ts'
import type { ReplyWriter } from '../protocol/reply.ts'
import { type Arguments, bytesAt } from '../protocol/request.ts'
import type { Source, Traits } from './traits.ts'

/** A client that watches. One that takes too little is closed when it has too much unsent, as any other. */
export interface Monitor {
  readonly closed: boolean
  tell(write: (out: ReplyWriter) => void): void
}

export class Monitors {
  private readonly monitors: Set<Monitor> = new Set()
  /** Of this turn. */
  private lines: Buffer[] = []

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
      monitor.tell(out => {
        for (const line of lines) out.raw(line)
      })
  }
}

/** 1339518083.107412 [0 127.0.0.1:60866] "keys" "*" */
const lineOf = (
  { address, database, isScript = false }: Source,
  isSecret: Traits['isSecret'],
  request: Arguments,
): Buffer => {
  const now = Date.now()
  const seconds = Math.floor(now / 1000)
  const client = address.includes('/') ? `unix:${address}` : address
  const place = isScript ? 'lua' : client
  const micros = String((now % 1000) * 1000).padStart(6, '0')
  const parts: Buffer[] = [Buffer.from(`+${seconds}.${micros} [${database} ${place}]`)]
  for (let i = 0; i < request.count; i++)
    parts.push(SPACE, isSecret?.(request, i) ? REDACTED : quoted(bytesAt(request, i)))
  parts.push(END)
  return Buffer.concat(parts)
}

const SPACE = Buffer.from(' ')
const END = Buffer.from('\r\n')
const REDACTED = Buffer.from('"(redacted)"')

const ESCAPED: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '"': '\\"',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\x07': '\\a',
  '\b': '\\b',
}

/** Each byte as C would write it: what is not ASCII, or cannot be printed, by its number. */
const TEXTS: readonly Buffer[] = Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte)
  const isPlain = byte >= 0x20 && byte < 0x7f
  return Buffer.from(ESCAPED[character] ?? (isPlain ? character : `\\x${byte.toString(16).padStart(2, '0')}`))
})

/** Made byte by byte: a value of 16 MiB would take seconds as a text of JavaScript. */
const quoted = (bytes: Uint8Array): Buffer => {
  let length = 2
  for (let i = 0; i < bytes.length; i++) length += TEXTS[bytes[i]!]!.length
  const line = Buffer.allocUnsafe(length)
  line[0] = QUOTE
  let at = 1
  for (let i = 0; i < bytes.length; i++) {
    const text = TEXTS[bytes[i]!]!
    for (let j = 0; j < text.length; j++) line[at++] = text[j]!
  }
  line[at] = QUOTE
  return line
}
const QUOTE = 34
