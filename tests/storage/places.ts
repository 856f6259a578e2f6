import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'

/** An empty directory of its own, removed after the last test of the file. */
export function freshDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'xenondb-storage-'))
  afterAll(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

export function text(content: Uint8Array): string {
  return new TextDecoder().decode(content)
}

/** What `action` throws. */
export function thrown(action: () => unknown): Error & { code?: string; cause?: unknown } {
  try {
    action()
  } catch (error) {
    return error as Error
  }
  throw new Error('nothing was thrown')
}
