/** `xenondb edit`: opens the value of a key in an editor, and stores what comes back. */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CAC } from 'cac'
import { argument, type Options } from '../arguments.ts'
import { CommandError, EXIT_DONE } from '../errors.ts'
import { prettyJson } from '../json-text.ts'
import { keyFromText } from '../key-text.ts'
import { type GivenPlace, placeOptions, readPlace } from '../place.ts'
import { type Encoding, quoted, TextError, valueFromText, valueToText } from '../text.ts'
import { withViewPlace } from '../view/place.ts'

export function registerEdit(cli: CAC): void {
  placeOptions(cli.command('edit <directory> <key>', 'Open the value of a key in $VISUAL or $EDITOR, and store it'))
    .option('--encoding <encoding>', 'What the value is: utf8 (default), json (shown with line ends), binary (base64)')
    .example(bin => `  $ ${bin} edit config app --encoding json`)
    .action((directory: string, key: string, options: Options) =>
      edit(argument(directory), argument(key), readPlace(options)),
    )
}

/** The database is not open meanwhile: whoever edits may take an hour. */
async function edit(directory: string, key: string, given: GivenPlace): Promise<number> {
  const { value, encoding } = await read(directory, key, given)
  const shown = valueToText(value, encoding)
  if (shown === undefined)
    throw new CommandError(
      `the value of ${quoted(key)} is not ${encoding === 'json' ? 'JSON' : 'UTF-8 text'}; edit it with --encoding binary`,
    )
  const before = encoding === 'json' ? prettyJson(shown) : shown
  const parent = mkdtempSync(join(tmpdir(), 'xenondb-edit-'))
  const file = join(parent, encoding === 'json' ? 'value.json' : 'value.txt')
  const kept = `your text is kept in ${file}`
  writeFileSync(file, endsInLine(before) ? before : `${before}\n`, { mode: 0o600 })
  await runEditor(file, kept)
  let after = readFileSync(file, 'utf8')
  // Editors end the last line. Whether the value had such an end stays as it was.
  if (!endsInLine(before) && endsInLine(after)) after = after.slice(0, after.endsWith('\r\n') ? -2 : -1)
  if (after === before) {
    process.stderr.write('nothing was changed\n')
  } else {
    const changed = decoded(after, encoding, kept)
    await store(directory, key, given, value, changed, kept)
    process.stderr.write(`stored ${quoted(key)}\n`)
  }
  rmSync(parent, { recursive: true, force: true })
  return EXIT_DONE
}

const endsInLine = (text: string): boolean => text.endsWith('\n')

async function read(
  directory: string,
  key: string,
  given: GivenPlace,
): Promise<{ value: Uint8Array; encoding: Encoding }> {
  const access = { createIfMissing: false, onlyReads: true }
  return await withViewPlace(directory, access, given, async ({ view, encoding, keyEncoding }) => {
    const value = await view.get(keyFromText(key, keyEncoding))
    if (value === undefined) throw new CommandError(`no such key: ${quoted(key)}`)
    return { value, encoding }
  })
}

/** What was shown is what is replaced: another value, or none, is somebody else's. */
async function store(
  directory: string,
  key: string,
  given: GivenPlace,
  before: Uint8Array,
  after: Uint8Array,
  kept: string,
): Promise<void> {
  let replaced: boolean
  try {
    replaced = await withViewPlace(directory, { createIfMissing: false }, given, ({ view, keyEncoding }) =>
      view.replace(keyFromText(key, keyEncoding), before, after),
    )
  } catch (error) {
    if (error instanceof Error) error.message += `; ${kept}`
    throw error
  }
  if (!replaced)
    throw new CommandError(`the value of ${quoted(key)} was changed meanwhile; nothing was stored, ${kept}`)
}

function decoded(text: string, encoding: Encoding, kept: string): Uint8Array {
  try {
    return valueFromText(encoding === 'binary' ? text.replace(/\s+/g, '') : text, encoding)
  } catch (error) {
    throw error instanceof TextError
      ? new CommandError(`the value is ${error.message}; nothing was stored, ${kept}`)
      : error
  }
}

/** The editor may be given with arguments of its own (`code --wait`): so a shell runs it, as other tools do. */
async function runEditor(file: string, kept: string): Promise<void> {
  const windows = process.platform === 'win32'
  const editor = process.env.VISUAL || process.env.EDITOR || (windows ? 'notepad' : 'vi')
  const child = windows
    ? spawn(`${editor} "${file}"`, { shell: true, stdio: 'inherit' })
    : spawn('/bin/sh', ['-c', `${editor} "$1"`, editor, file], { stdio: 'inherit' })
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', resolve)
  })
  if (status !== 0) throw new CommandError(`the editor (${editor}) has failed; nothing was stored, ${kept}`)
}
