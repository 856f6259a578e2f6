/** `xenondb explore`: a page on which one sees the database, for a browser of this machine. */
import { spawn } from 'node:child_process'
import type { CAC } from 'cac'
import { ViewLostError } from '../../errors.ts'
import { Explorer, type ExplorerOptions } from '../../explorer/api.ts'
import { serveExplorer } from '../../explorer/http.ts'
import { CorruptionError, type Database, MovedError, nodeStorage, open } from '../../index.ts'
import { argument, countOption, flagOption, type Options } from '../arguments.ts'
import { requireOwnRecords } from '../database.ts'
import { EXIT_DONE, oneLine, UsageError } from '../errors.ts'
import { opening } from '../opening.ts'
import { print } from '../output.ts'
import { recoveryReporter } from '../recovery.ts'

export function registerExplore(cli: CAC): void {
  cli
    .command('explore <directory>', 'Show blocks, keys, log and cache on a page in your browser')
    .option('--port <port>', 'Port on 127.0.0.1 (default: any free one)')
    .option('--open', 'Open the page in the browser')
    .option('--write', 'The page may change records; else it only looks')
    .example(bin => `  $ ${bin} explore cities --open`)
    .action((directory: string, options: Options) => explore(argument(directory), options))
}

async function explore(directory: string, options: Options): Promise<number> {
  const port = countOption(options, 'port') ?? 0
  if (port > 65535) throw new UsageError('--port must be at most 65535')
  const writable = flagOption(options, 'write')
  const subject = subjectOf(directory, writable)
  if (subject.note !== undefined) process.stderr.write(`xenondb: ${subject.note}\n`)
  const explorer = new Explorer(subject)
  try {
    const server = await serveExplorer(explorer, port)
    await print(`${server.url}\n`)
    if (flagOption(options, 'open')) openBrowser(server.url)
    await untilStopped()
    await server.close()
    return EXIT_DONE
  } finally {
    await explorer.close()
    closed(subject.db)
  }
}

/** That it was removed or replaced meanwhile the page has said; there is nothing left to close by its name. */
function closed(db: ExplorerOptions['db']): void {
  try {
    db?.close()
  } catch (error) {
    if (!(error instanceof MovedError)) throw error
  }
}

/** The database, opened as its bytes; what cannot be opened is shown as it lies in its files. */
function subjectOf(directory: string, writable: boolean): ExplorerOptions {
  const common = { directory, storage: nodeStorage, writable }
  try {
    return { ...common, db: openBytes(directory, writable) }
  } catch (error) {
    if (writable || !(error instanceof CorruptionError || error instanceof ViewLostError)) throw error
    return { ...common, note: `${oneLine(error)}: the page shows what lies in its files` }
  }
}

function openBytes(directory: string, writable: boolean): Database<Uint8Array, Uint8Array> {
  const db = open<Uint8Array>(directory, {
    keyEncoding: 'binary',
    valueEncoding: 'binary',
    storedEncoding: 'ignore',
    createIfMissing: false,
    readOnly: !writable,
    takeover: opening().takeover,
    onRecovery: recoveryReporter(directory),
  })
  if (writable) requireOwnRecords(db, 'leave --write away to look at it, and change records through the cluster')
  return db
}

/** Without a shell: nothing in the address is a command. What cannot be started was only a convenience. */
function openBrowser(url: string): void {
  const [command, args] =
    process.platform === 'darwin'
      ? ['open', [url]]
      : process.platform === 'win32'
        ? ['rundll32', ['url.dll,FileProtocolHandler', url]]
        : ['xdg-open', [url]]
  const child = spawn(command as string, args as string[], { stdio: 'ignore', detached: true })
  child.on('error', () => process.stderr.write('xenondb: no browser could be started; open the address yourself\n'))
  child.unref()
}

const untilStopped = (): Promise<void> =>
  new Promise(resolve => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve())
  })
