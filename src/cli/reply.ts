/** Replies of a server for people, and for pipes, as redis-cli prints them. */

import { isUtf8 } from 'node:buffer'
import { type Argument, type Reply, ServerError } from '../client/index.ts'
import { isBytes } from '../runtime/bytes.ts'
import { nameOf } from './connection.ts'

/** For a terminal: types and quotes are shown, and whatever does not print is escaped. */
export function prettyReply(reply: Reply, indent: string = ''): string {
  if (reply === null) return '(nil)'
  if (typeof reply === 'string') return escaped(reply)
  if (isBytes(reply)) return quotedBytes(reply)
  if (reply instanceof ServerError) return `(error) ${escaped(reply.message)}`
  if (typeof reply === 'boolean') return `(${reply})`
  if (typeof reply === 'bigint') return `(integer) ${reply}`
  if (typeof reply === 'number') return Number.isInteger(reply) ? `(integer) ${reply}` : `(double) ${reply}`
  if (reply instanceof Map) {
    const items = [...reply].map(([key, value]) => (inside: string) => {
      const name = prettyReply(key)
      return `${name} => ${prettyReply(value, `${inside}${' '.repeat(name.length + 4)}`)}`
    })
    return items.length === 0 ? '(empty hash)' : numbered(items, '#', indent)
  }
  if (reply.length === 0) return '(empty array)'
  return numbered(
    reply.map(item => (inside: string) => prettyReply(item, inside)),
    ')',
    indent,
  )
}

/** A reply of several lines that are meant for people. */
export function isText(command: readonly Argument[], reply: Reply): reply is Uint8Array {
  if (!isBytes(reply)) return false
  const name = nameOf(command)
  return name === 'INFO' || (name === 'CLIENT' && /^(info|list)$/i.test(String(command[1])))
}

/** Its lines as they are, but for control characters. */
export function prettyText(reply: Uint8Array): string {
  return Buffer.from(reply).toString('utf8').trimEnd().split(/\r?\n/).map(escaped).join('\n')
}

function numbered(items: readonly ((inside: string) => string)[], mark: string, indent: string): string {
  const width = String(items.length).length
  const inside = `${indent}${' '.repeat(width + 2)}`
  return items
    .map((item, i) => `${i === 0 ? '' : indent}${String(i + 1).padStart(width)}${mark} ${item(inside)}`)
    .join('\n')
}

/** For a pipe: bytes as they are, an element a line. */
export function rawReply(reply: Reply): Buffer {
  if (reply === null) return Buffer.alloc(0)
  if (isBytes(reply)) return reply as Buffer
  if (Array.isArray(reply)) return joined(reply)
  if (reply instanceof Map) return joined([...reply].flat())
  return Buffer.from(reply instanceof ServerError ? reply.message : String(reply))
}

function joined(replies: readonly Reply[]): Buffer {
  const lines = replies.map(rawReply)
  return Buffer.concat(lines.flatMap((line, i) => (i === 0 ? [line] : [Buffer.from('\n'), line])))
}

/** Text that is UTF-8 stays readable, where redis-cli shows bytes. */
function quotedBytes(bytes: Uint8Array): string {
  const buffer = bytes as Buffer
  if (isUtf8(bytes)) return `"${escaped(buffer.toString('utf8').replace(/["\\]/g, '\\$&'))}"`
  const hex = (byte: number): string =>
    byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c
      ? String.fromCharCode(byte)
      : `\\x${byte.toString(16).padStart(2, '0')}`
  return `"${[...bytes].map(hex).join('')}"`
}

const NAMED: Readonly<Record<string, string>> = {
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\b': '\\b',
  '\x07': '\\a',
}

function escaped(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escaping them is the point
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, character => {
    const bytes = [...Buffer.from(character)].map(byte => `\\x${byte.toString(16).padStart(2, '0')}`)
    return NAMED[character] ?? bytes.join('')
  })
}
