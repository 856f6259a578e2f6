/** Where the example keeps its databases: a temporary directory, or one that is named and kept. */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

export interface Place {
  /** Path of a database in it. */
  database(name: string): string
  kept: boolean
  directory: string
  /** Removes a temporary directory. */
  leave(): void
}

export function choosePlace(directory: string | undefined): Place {
  if (directory === undefined) {
    const temporary = mkdtempSync(join(tmpdir(), 'xenondb-'))
    const leave = () => rmSync(temporary, { recursive: true, force: true })
    return { directory: temporary, kept: false, database: name => join(temporary, name), leave }
  }
  const named = resolve(directory)
  for (const name of ['students', 'cities']) {
    if (existsSync(join(named, name))) throw new Error(`${join(named, name)} exists; name a fresh directory`)
  }
  mkdirSync(named, { recursive: true })
  return { directory: named, kept: true, database: name => join(named, name), leave() {} }
}
