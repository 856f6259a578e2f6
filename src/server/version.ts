/** The version of the package. */
import { readFileSync } from 'node:fs'

/** Found from here and from `dist/shared`, where the bundle has this file: both are two folders below package.json. */
const MANIFEST = '../../package.json'

let version: string | undefined

export function packageVersion(): string {
  version ??= JSON.parse(readFileSync(new URL(MANIFEST, import.meta.url), 'utf8')).version as string
  return version
}
