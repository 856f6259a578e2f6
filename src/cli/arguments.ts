/**
 * Arguments exactly as they were typed.
 *
 * cac reads argv through mri, which turns `--prefix 007` into the number 7, drops a lone `-`, and takes a value that
 * begins with `-` for an option. A key-value store must not do that to keys. So every argument that is not the command
 * or an option gets a marker in front (a NUL, which no real argument can contain), and the readers below take it off.
 */
import type { CAC } from 'cac'
import { UsageError } from './errors.ts'

const MARK = '\0'

/** `argv` without node and script, ready for `cli.parse`. Everything behind `--` is an argument, not an option. */
export function markArguments(argv: readonly string[], cli: CAC): string[] {
  const valued = optionsWithValue(cli)
  const marked: string[] = []
  let commandSeen = false
  let optionsEnded = false
  let isDashed = false
  // What `client` sends is the server's business, whatever it begins with.
  const endsOptions = () => marked[0] === 'client' && commandSeen
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i]!
    if (!optionsEnded && argument === '--') {
      optionsEnded = true
      isDashed = true
    } else if (optionsEnded || argument === '-' || !argument.startsWith('-')) {
      if (!isDashed && endsOptions()) refuseOwnOption(argument, cli)
      optionsEnded ||= endsOptions()
      marked.push(commandSeen ? MARK + argument : argument)
      commandSeen = true
    } else {
      const equals = argument.indexOf('=')
      const name = equals < 0 ? argument : argument.slice(0, equals)
      if (equals >= 0 && !valued.has(name)) throw new UsageError(`${name} does not take a value`)
      if (equals >= 0) marked.push(`${name}=${MARK}${argument.slice(equals + 1)}`)
      else if (valued.has(name) && i + 1 < argv.length) marked.push(`${name}=${MARK}${argv[++i]}`)
      else marked.push(name)
    }
  }
  return marked
}

/** An option behind the command for the server would be sent to it as a word, which nobody means who types `--port`. */
function refuseOwnOption(word: string, cli: CAC): void {
  const [name] = word.split('=')
  const own = cli.commands.find(command => command.name === 'client')?.options ?? []
  if (own.some(option => typed(option.name) === name))
    throw new UsageError(
      `${name} stands behind the command, and would be sent to the server: put it before the command; to send it, write -- before the command`,
    )
}

function optionsWithValue(cli: CAC): Set<string> {
  const options = [cli.globalCommand, ...cli.commands].flatMap(command => command.options)
  return new Set(options.filter(option => option.required).map(option => typed(option.name)))
}

/** The option as one types it: cac calls `--log-level` logLevel. */
function typed(name: string): string {
  return `--${name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}`
}

/** A positional argument as typed. */
export function argument(value: string): string {
  return value.startsWith(MARK) ? value.slice(MARK.length) : value
}

/** What cac hands to an action behind the positional arguments. */
export type Options = Record<string, unknown>

/** The value of `--name VALUE`, or undefined when it was not given. */
export function textOption(options: Options, name: string): string | undefined {
  const value = options[name]
  if (value === undefined) return undefined
  if (Array.isArray(value)) throw new UsageError(`${typed(name)} was given more than once`)
  return argument(String(value))
}

export function choiceOption<T extends string>(options: Options, name: string, choices: readonly T[]): T | undefined {
  const value = textOption(options, name)
  if (value === undefined) return undefined
  const choice = choices.find(each => each === value)
  if (choice === undefined) throw new UsageError(`${typed(name)} must be one of ${choices.join(', ')}`)
  return choice
}

/** A whole number, at least 0. */
export function countOption(options: Options, name: string): number | undefined {
  const value = textOption(options, name)
  if (value === undefined) return undefined
  const number = Number(value)
  if (!/^\d+$/.test(value) || !Number.isSafeInteger(number)) {
    throw new UsageError(`${typed(name)} must be a whole number, at least 0`)
  }
  return number
}

/** A whole number in a range, both ends in it. */
export function rangedOption(options: Options, name: string, least: number, most: number): number | undefined {
  const value = textOption(options, name)
  if (value === undefined) return undefined
  const number = Number(value)
  if (!/^\d+$/.test(value) || number < least || number > most)
    throw new UsageError(`${typed(name)} must be a whole number from ${least} to ${most}`)
  return number
}

/** A time in milliseconds: a whole number, at least 1. */
export function millisecondsOption(options: Options, name: string): number | undefined {
  const milliseconds = countOption(options, name)
  if (milliseconds === 0) throw new UsageError(`${typed(name)} must be a number of milliseconds, at least 1`)
  return milliseconds
}

/** True for `--name`. */
export function flagOption(options: Options, name: string): boolean {
  const value = options[name]
  if (value === undefined || value === false) return false
  if (value === true) return true
  throw new UsageError(`${typed(name)} takes no value and is given once`)
}
