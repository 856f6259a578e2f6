/** `xenondb client`: one command to a running server. */
import type { CAC } from 'cac'
import { type Argument, type Reply, ServerError } from '../../client/index.ts'
import { isBytes } from '../../runtime/bytes.ts'
import { argument, type Options } from '../arguments.ts'
import { commandOf, connectionOptions, nameOf, readConnection, withClient } from '../connection.ts'
import { EXIT_DONE, EXIT_FAILED, UsageError } from '../errors.ts'
import { printBytes } from '../output.ts'
import { isText, prettyReply, prettyText, rawReply } from '../reply.ts'

/** Of whose answers 0 means that there was nothing. */
const COUNTS_WHAT_WAS_THERE: ReadonlySet<string> = new Set(['DEL', 'UNLINK'])

export function registerClient(cli: CAC): void {
  connectionOptions(
    cli.command('client [...command]', 'Send a command to a running server: PUT, GET, DELETE, or any of its own'),
  )
    .example(bin => `  $ ${bin} client PUT user:42 '{"name": "Alice"}'`)
    .example(bin => `  $ ${bin} client --connect db.example:6400 GET user:42`)
    .action((words: string[], options: Options) => client(words.map(argument), options))
}

async function client(words: readonly string[], options: Options): Promise<number> {
  if (words.length === 0) throw new UsageError('no command for the server; for example: xenondb client GET key')
  const command = commandOf(words)
  return await withClient(readConnection(options), async server => {
    const reply = await server.commandBytes(...command)
    if (reply instanceof ServerError) throw reply
    await printBytes(shown(command, reply))
    return isNothing(command, reply) ? EXIT_FAILED : EXIT_DONE
  })
}

/** In a pipe a value is its bytes alone; other replies are lines. */
function shown(command: readonly Argument[], reply: Reply): Uint8Array {
  if (process.stdout.isTTY === true)
    return Buffer.from(`${isText(command, reply) ? prettyText(reply) : prettyReply(reply)}\n`)
  return reply === null || isBytes(reply) ? rawReply(reply) : Buffer.concat([rawReply(reply), Buffer.from('\n')])
}

function isNothing(command: Parameters<typeof nameOf>[0], reply: Reply): boolean {
  return reply === null || (reply === 0 && COUNTS_WHAT_WAS_THERE.has(nameOf(command)))
}
