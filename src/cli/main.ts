#!/usr/bin/env node
/** The `xenondb` command: reads the arguments, runs one command, turns its outcome into an exit status. */
import { readFileSync } from 'node:fs'
import { type CAC, cac } from 'cac'
import { markArguments } from './arguments.ts'
import { registerBackup } from './commands/backup.ts'
import { registerClient } from './commands/client.ts'
import { registerCompact } from './commands/compact.ts'
import { registerConvert } from './commands/convert.ts'
import { registerDelete } from './commands/delete.ts'
import { registerExport } from './commands/export.ts'
import { registerGet } from './commands/get.ts'
import { registerImport } from './commands/import.ts'
import { registerKeys } from './commands/keys.ts'
import { registerPut } from './commands/put.ts'
import { registerRange } from './commands/range.ts'
import { registerRepl } from './commands/repl.ts'
import { registerSalvage } from './commands/salvage.ts'
import { registerServe } from './commands/serve.ts'
import { registerStats } from './commands/stats.ts'
import { registerTtl } from './commands/ttl.ts'
import { registerVerify } from './commands/verify.ts'
import { EXIT_DONE, exitStatus, oneLine, UsageError } from './errors.ts'
import { chooseOpening, registerOpening } from './opening.ts'

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

async function run(argv: readonly string[]): Promise<number> {
  const cli = commands()
  cli.parse(['node', 'xenondb', ...markArguments(argv, cli)], { run: false })
  if (cli.options.help === true || cli.options.version === true) return EXIT_DONE
  if (cli.matchedCommand === undefined) {
    const asked = cli.args[0]
    const what = asked === undefined ? 'no command given' : `unknown command "${asked}"`
    throw new UsageError(`${what}; xenondb --help lists the commands`)
  }
  chooseOpening(cli.options)
  return await cli.runMatchedCommand()
}

function commands(): CAC {
  const cli = cac('xenondb')
  const registrations = [
    registerGet,
    registerPut,
    registerDelete,
    registerTtl,
    registerKeys,
    registerRange,
    registerImport,
    registerExport,
    registerStats,
    registerVerify,
    registerCompact,
    registerBackup,
    registerConvert,
    registerSalvage,
    registerServe,
    registerClient,
    registerRepl,
  ]
  registerOpening(cli)
  for (const register of registrations) register(cli)
  cli.usage('<command> <directory> …').help().version(packageVersion())
  return cli
}

function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  return version
}
