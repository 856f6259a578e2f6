#!/usr/bin/env node
/** The `xenondb` command: reads the arguments, runs one command, turns its outcome into an exit status. */
import { type CAC, cac } from 'cac'
import { PACKAGE_VERSION } from '../server/version.ts'
import { markArguments } from './arguments.ts'
import { EXIT_DONE, exitStatus, oneLine, UsageError } from './errors.ts'
import { chooseOpening, registerOpening } from './opening.ts'

type Register = (cli: CAC) => void

/** Each command is loaded when it is asked for: all of them take three times as long to load as one. */
const COMMANDS: Readonly<Record<string, () => Promise<Register>>> = {
  get: async () => (await import('./commands/get.ts')).registerGet,
  put: async () => (await import('./commands/put.ts')).registerPut,
  delete: async () => (await import('./commands/delete.ts')).registerDelete,
  edit: async () => (await import('./commands/edit.ts')).registerEdit,
  ttl: async () => (await import('./commands/ttl.ts')).registerTtl,
  keys: async () => (await import('./commands/keys.ts')).registerKeys,
  ls: async () => (await import('./commands/ls.ts')).registerLs,
  count: async () => (await import('./commands/count.ts')).registerCount,
  range: async () => (await import('./commands/range.ts')).registerRange,
  import: async () => (await import('./commands/import.ts')).registerImport,
  export: async () => (await import('./commands/export.ts')).registerExport,
  subs: async () => (await import('./commands/subs.ts')).registerSubs,
  drop: async () => (await import('./commands/drop.ts')).registerDrop,
  stats: async () => (await import('./commands/stats.ts')).registerStats,
  verify: async () => (await import('./commands/verify.ts')).registerVerify,
  inspect: async () => (await import('./commands/inspect.ts')).registerInspect,
  explore: async () => (await import('./commands/explore.ts')).registerExplore,
  compact: async () => (await import('./commands/compact.ts')).registerCompact,
  backup: async () => (await import('./commands/backup.ts')).registerBackup,
  restore: async () => (await import('./commands/restore.ts')).registerRestore,
  convert: async () => (await import('./commands/convert.ts')).registerConvert,
  salvage: async () => (await import('./commands/salvage.ts')).registerSalvage,
  serve: async () => (await import('./commands/serve.ts')).registerServe,
  cluster: async () => (await import('./commands/cluster.ts')).registerCluster,
  client: async () => (await import('./commands/client.ts')).registerClient,
  repl: async () => (await import('./commands/repl.ts')).registerRepl,
}

keepCompiled()
process.stderr.on('error', () => {})
process.exitCode = await main(process.argv.slice(2))

async function main(argv: readonly string[]): Promise<number> {
  try {
    return await run(argv)
  } catch (error) {
    process.stderr.write(`xenondb: ${oneLine(error)}\n`)
    return exitStatus(error)
  }
}

/** From version 22.8 on Node keeps what it has compiled of the modules that are loaded from now on, for the next start. */
function keepCompiled(): void {
  try {
    const loader = process.getBuiltinModule('node:module') as { enableCompileCache?: () => unknown }
    loader.enableCompileCache?.()
  } catch {
    // It is slower without, and that is all.
  }
}

async function run(typed: readonly string[]): Promise<number> {
  const argv = typed[0] === 'help' ? helpArguments(typed.slice(1)) : typed
  const cli = await commands(argv)
  cli.parse(['node', 'xenondb', ...markArguments(argv, cli)], { run: false })
  if (cli.options.help === true || cli.options.version === true) return EXIT_DONE
  if (cli.matchedCommand === undefined) {
    const asked = cli.args[0]
    const what = asked === undefined ? 'no command given' : `unknown command "${asked}"`
    throw new UsageError(`${what}; xenondb help lists the commands`)
  }
  chooseOpening(cli.options)
  return await cli.runMatchedCommand()
}

/** `help` and `help COMMAND` are the same as `--help` and `COMMAND --help`. */
function helpArguments([name, ...others]: readonly string[]): string[] {
  if (name === undefined) return ['--help']
  if (others.length > 0) throw new UsageError('help takes the name of one command')
  if (!Object.hasOwn(COMMANDS, name)) throw new UsageError(`unknown command "${name}"; xenondb help lists the commands`)
  return [name, '--help']
}

async function commands(argv: readonly string[]): Promise<CAC> {
  const cli = cac('xenondb')
  registerOpening(cli)
  const named = argv.filter(word => Object.hasOwn(COMMANDS, word))
  // What is named may be an argument, such as a key, and its command is loaded for nothing. All, for the help.
  for (const name of named.length > 0 ? new Set(named) : Object.keys(COMMANDS)) (await COMMANDS[name]!())(cli)
  cli.usage('<command> <directory> …    (xenondb help <command>: more about one)').help().version(PACKAGE_VERSION)
  return cli
}
