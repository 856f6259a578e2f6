/** `xenondb repl`: commands typed line by line, to a running server or to a database of one's own. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import type { CAC } from 'cac'
import { type Argument, type ConnectOptions, type Reply, ServerError } from '../../client/index.ts'
import { argument, flagOption, type Options } from '../arguments.ts'
import {
  type ByteClient,
  commandOf,
  connectionOptions,
  nameOf,
  namesServer,
  readConnection,
  withClient,
} from '../connection.ts'
import { withDatabase } from '../database.ts'
import { CommandError, EXIT_DONE, EXIT_FAILED, oneLine, UsageError } from '../errors.ts'
import { Output } from '../output.ts'
import { isText, prettyReply, prettyText } from '../reply.ts'
import { appendOwnLine } from '../target-file.ts'
import { connectLiveBytes, isLocked, withHint } from '../view/open.ts'
import { splitWords } from '../words.ts'

const HISTORY_LINES = 1000
const HELP = `Any command of the server, for example: PUT a 1, GET a, DELETE a, RANGE - + LIMIT 10, BEGIN, COMMIT,
IN users GET a (of a sub-database), SUB LIST.
"quotes" hold spaces and \\n, \\xff; Tab completes the name of a command; exit or Ctrl-D ends.`
const OWN_NAMES = ['PUT', 'DELETE', 'HELP', 'EXIT']

export function registerRepl(cli: CAC): void {
  connectionOptions(
    cli
      .command('repl [directory]', 'Type commands, to a database or to a running server')
      .option('--force', 'Make the database even where other files lie'),
  )
    .example(bin => `  $ ${bin} repl students`)
    .example(bin => `  $ ${bin} repl --connect localhost:6399`)
    .action((directory: string | undefined, options: Options) =>
      repl(directory === undefined ? undefined : argument(directory), options),
    )
}

async function repl(directory: string | undefined, options: Options): Promise<number> {
  const connection = readConnection(options)
  if (directory !== undefined) {
    if (namesServer(options)) throw new UsageError('a directory or --connect, not both')
    const force = flagOption(options, 'force')
    try {
      return await withLocalServer(directory, force, local => withClient({ ...connection, ...local }, converse))
    } catch (error) {
      const live = isLocked(error) ? await connectLiveBytes(directory, error.pid) : undefined
      if (live === undefined) throw isLocked(error) ? withHint(error) : error
      try {
        return await converse(live.client)
      } finally {
        await live.client.close()
      }
    }
  }
  if (!namesServer(options)) throw new UsageError('a directory is needed, or --connect HOST:PORT')
  return await withClient(connection, converse)
}

/** A server for nobody but us: its socket lies in a directory that only we may enter. */
async function withLocalServer<R>(
  directory: string,
  force: boolean,
  work: (place: ConnectOptions<Uint8Array>) => Promise<R>,
): Promise<R> {
  return await withDatabase(directory, { createIfMissing: true, force }, async db => {
    const parent = mkdtempSync(join(tmpdir(), 'xenondb-repl-'))
    try {
      const path = join(parent, 'socket')
      const { createServer } = await import('../../server/index.ts')
      const server = createServer(db, { socket: path })
      await server.listen()
      try {
        return await work({ socket: path })
      } finally {
        await server.close()
      }
    } finally {
      rmSync(parent, { recursive: true, force: true })
    }
  })
}

/** Exit status 1 if commands came from a pipe and one of them failed. */
async function converse(client: ByteClient): Promise<number> {
  const terminal = process.stdin.isTTY === true
  const names = terminal ? await commandNames(client) : []
  const lines = createInterface({
    input: process.stdin,
    ...(terminal && { output: process.stdout }),
    terminal,
    prompt: 'xenondb> ',
    history: terminal ? readHistory() : [],
    historySize: HISTORY_LINES,
    removeHistoryDuplicates: true,
    completer: (line: string) => complete(line, names),
  })
  const output = new Output(process.stdout)
  let failed = false
  if (terminal) lines.prompt()
  for await (const line of typed(lines)) {
    const text = line.trim()
    if (/^(exit|quit)$/i.test(text)) break
    if (text !== '') {
      if (terminal) remember(text)
      if (!(await answer(client, text, output))) failed = true
      if (!(await output.flush())) break
      // Another connection would not be in the transaction that this one was in.
      if (!client.connected) throw new CommandError('the connection is lost')
    }
    if (terminal) lines.prompt()
  }
  lines.close()
  return failed && !terminal ? EXIT_FAILED : EXIT_DONE
}

/** Lines as they come; none is lost while a command is on its way. */
async function* typed(lines: Interface): AsyncGenerator<string> {
  const waiting: string[] = []
  let wake = (): void => {}
  let ended = false
  lines.on('line', line => {
    waiting.push(line)
    wake()
  })
  lines.on('SIGINT', () => lines.close())
  lines.on('close', () => {
    ended = true
    wake()
  })
  for (;;) {
    while (waiting.length > 0) yield waiting.shift()!
    if (ended) return
    await new Promise<void>(resolve => {
      wake = resolve
    })
  }
}

async function answer(client: ByteClient, line: string, output: Output): Promise<boolean> {
  if (/^help$/i.test(line)) {
    output.add(`${HELP}\n`)
    return true
  }
  let reply: Reply
  let command: readonly Argument[]
  try {
    command = commandOf(splitWords(line))
    reply = await client.commandBytes(...command)
  } catch (error) {
    output.add(`(error) ${oneLine(error)}\n`)
    return false
  }
  output.add(`${isText(command, reply) ? prettyText(reply) : prettyReply(reply)}\n`)
  return !(reply instanceof ServerError)
}

function complete(line: string, names: readonly string[]): [string[], string] {
  if (/\s/.test(line)) return [[], line]
  const found = names.filter(name => name.startsWith(line.toUpperCase()))
  const lower = line !== '' && line === line.toLowerCase()
  return [found.map(name => `${lower ? name.toLowerCase() : name} `), line]
}

async function commandNames(client: ByteClient): Promise<string[]> {
  const reply = await client.commandBytes('COMMAND')
  const names = Array.isArray(reply) ? reply.map(item => nameOf([Array.isArray(item) ? String(item[0]) : ''])) : []
  return [...new Set([...names, ...OWN_NAMES])].filter(name => name !== '').sort()
}

function historyFile(): string {
  return process.env.XENONDB_HISTORY ?? join(homedir(), '.xenondb_history')
}

/** The latest first, as readline has it. */
function readHistory(): string[] {
  try {
    return readFileSync(historyFile(), 'utf8').split('\n').filter(Boolean).slice(-HISTORY_LINES).reverse()
  } catch {
    return []
  }
}

/** What has a password in it is not kept; where nothing can be kept, nothing is. */
function remember(line: string): void {
  if (/^(auth|hello|config\s+set)\b/i.test(line)) return
  try {
    appendOwnLine(historyFile(), line)
  } catch {
    // The conversation goes on.
  }
}
