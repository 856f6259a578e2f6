/** COMMAND DOCS: what `documented.ts` and the entries of the families say, as Redis 7 tells it. */
import type { ReplyWriter } from '../protocol/reply.ts'
import { ARGUMENTS, DEPRECATED, HISTORY } from './documented.ts'
import type { Facts } from './facts.ts'

export interface Argument {
  readonly name: string
  readonly type: string
  readonly keySpec: number | undefined
  readonly token: string | undefined
  readonly since: string | undefined
  readonly deprecated: string | undefined
  readonly flags: readonly string[]
  /** Those that it is made of. */
  readonly within: readonly Argument[]
}

const FLAGS: ReadonlyMap<string, string> = new Map([
  ['?', 'optional'],
  ['*', 'multiple'],
  ['+', 'multiple_token'],
])

/** The arguments of a command, as `documented.ts` writes them; none if there is nothing about it. */
export const argumentsOf = (command: string): readonly Argument[] => new Notation(ARGUMENTS[command] ?? '').all(' ')

/** Reads the notation from left to right. */
class Notation {
  private readonly text: string
  private at = 0

  constructor(text: string) {
    this.text = text
  }

  /** Arguments with one character between two of them. */
  all(separator: string): Argument[] {
    const found: Argument[] = []
    if (this.at === this.text.length) return found
    do found.push(this.one())
    while (this.takes(separator))
    return found
  }

  private one(): Argument {
    const name = this.word()
    const keySpec = this.takes('@') ? Number(this.word()) : undefined
    const isOneOf = this.takes('{')
    const isBlock = !isOneOf && this.takes('(')
    const within = isOneOf ? this.all('|') : isBlock ? this.all(' ') : []
    if (isOneOf) this.require('}')
    if (isBlock) this.require(')')
    const given = this.takes('<') ? this.word() : undefined
    if (given !== undefined) this.require('>')
    const token = this.takes('=') ? this.word() : undefined
    const since = this.takes('^') ? this.word() : undefined
    const deprecated = this.takes('~') ? this.word() : undefined
    const flags: string[] = []
    for (const [sign, flag] of FLAGS) if (this.takes(sign)) flags.push(flag)
    const shape = isOneOf ? 'oneof' : isBlock ? 'block' : keySpec !== undefined ? 'key' : undefined
    const type = given ?? shape ?? (token === undefined ? 'string' : 'pure-token')
    return { name, type, keySpec, token, since, deprecated, flags, within }
  }

  private word(): string {
    const [word] = /^[^\s@{}()|<>=^~?*+]+/.exec(this.text.slice(this.at)) ?? []
    if (word === undefined) throw this.problem('a word')
    this.at += word.length
    return word
  }

  private takes(character: string): boolean {
    if (this.text[this.at] !== character) return false
    this.at++
    return true
  }

  private require(character: string): void {
    if (!this.takes(character)) throw this.problem(`'${character}'`)
  }

  private problem(expected: string): Error {
    return new Error(`arguments of a command: ${expected} is missing at ${this.at} of '${this.text}'`)
  }
}

/** What may be documented: a command or a subcommand, by its whole name. */
interface Documented {
  readonly name: string
  readonly facts: Pick<Facts, 'summary' | 'since' | 'group' | 'complexity'>
  readonly within: readonly Documented[]
}

/** Its name, and a map of what there is to be said of it. */
export const document = (out: ReplyWriter, { name, facts, within }: Documented): void => {
  const { summary, since, group, complexity } = facts
  const deprecated = DEPRECATED[name]
  const history = HISTORY[name] ?? []
  const args = argumentsOf(name)
  const texts = { summary, since, group, complexity }
  const entries: [string, () => void][] = Object.entries(texts)
    .filter(([, text]) => text !== '')
    .map(([key, text]) => [key, () => out.text(text)])
  if (deprecated !== undefined)
    entries.push(
      ['doc_flags', () => writeFlags(out, ['deprecated'])],
      ['deprecated_since', () => out.text(deprecated.since)],
      ['replaced_by', () => out.text(deprecated.replacedBy)],
    )
  if (history.length > 0) entries.push(['history', () => writeHistory(out, history)])
  if (args.length > 0) entries.push(['arguments', () => writeArguments(out, args)])
  if (within.length > 0)
    entries.push([
      'subcommands',
      () => {
        out.map(within.length)
        for (const each of within) document(out, each)
      },
    ])
  out.text(name)
  writeMap(out, entries)
}

const writeMap = (out: ReplyWriter, entries: readonly (readonly [key: string, write: () => void])[]): void => {
  out.map(entries.length)
  for (const [key, write] of entries) {
    out.text(key)
    write()
  }
}

const writeFlags = (out: ReplyWriter, flags: readonly string[]): void => {
  out.set(flags.length)
  for (const flag of flags) out.simple(flag)
}

const writeHistory = (out: ReplyWriter, history: readonly (readonly [version: string, change: string])[]): void => {
  out.set(history.length)
  for (const entry of history) {
    out.array(entry.length)
    for (const text of entry) out.text(text)
  }
}

const writeArguments = (out: ReplyWriter, args: readonly Argument[]): void => {
  out.array(args.length)
  for (const { name, type, keySpec, token, since, deprecated, flags, within } of args) {
    const entries: [string, () => void][] = [
      ['name', () => out.text(name)],
      ['type', () => out.text(type)],
    ]
    if (keySpec !== undefined) entries.push(['key_spec_index', () => out.integer(keySpec)])
    for (const [key, text] of Object.entries({ token, since, deprecated_since: deprecated }))
      if (text !== undefined) entries.push([key, () => out.text(text)])
    if (flags.length > 0) entries.push(['flags', () => writeFlags(out, flags)])
    if (within.length > 0) entries.push(['arguments', () => writeArguments(out, within)])
    writeMap(out, entries)
  }
}
