/**
 * An image: the files of a database as bytes, by their path inside its directory.
 * Taken while the database is open it is what SIGKILL would leave behind. The lock file is left out.
 */
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { memoryStorage, type Storage } from '../../src/index.ts'

export type Image = Map<string, Uint8Array>

/** Reads a database from disk, or from `storage` when one is given. */
export function readImage(directory: string, storage?: Storage): Image {
  const image: Image = new Map()
  const visit = (path: string, name: string): void => {
    const kind = storage === undefined ? kindOnDisk(path) : storage.kind(path)
    if (kind === 'directory') {
      const entries = storage === undefined ? readdirSync(path) : storage.list(path)
      const below = (entry: string): string => storage?.join(path, entry) ?? join(path, entry)
      for (const entry of entries.sort()) visit(below(entry), name === '' ? entry : `${name}/${entry}`)
    } else if (kind === 'file' && !/^lock\b/.test(name)) {
      image.set(name, storage === undefined ? new Uint8Array(readFileSync(path)) : readAll(storage, path))
    }
  }
  visit(directory, '')
  return image
}

/** Writes the files of an image to disk. Files of the directory that the image has not are left alone. */
export function writeImage(directory: string, image: Image): void {
  mkdirSync(join(directory, 'log'), { recursive: true })
  for (const [name, bytes] of image) {
    mkdirSync(dirname(join(directory, name)), { recursive: true })
    writeFileSync(join(directory, name), bytes)
  }
}

/** A memory storage that holds the image in the directory `db`. */
export function storageOf(image: Image): Storage {
  const storage = memoryStorage()
  storage.makeDirectory('db')
  storage.makeDirectory(storage.join('db', 'log'))
  for (const [name, bytes] of image) {
    const path = storage.join('db', ...name.split('/'))
    const file = storage.open(path, { create: true })
    if (bytes.length > 0) file.write(bytes, 0, bytes.length, 0)
    file.sync()
    file.close()
  }
  storage.syncDirectory('db')
  return storage
}

export function copyImage(image: Image): Image {
  return new Map([...image].map(([name, bytes]) => [name, bytes.slice()]))
}

/** The names of the files that differ between two images, or that only one of them has. */
export function differences(before: Image, after: Image): string[] {
  const names = new Set([...before.keys(), ...after.keys()])
  return [...names].filter(name => {
    const a = before.get(name)
    const b = after.get(name)
    return a === undefined || b === undefined || Buffer.compare(a, b) !== 0
  })
}

/** Names of the log segments of an image. */
export function segments(image: Image): string[] {
  return [...image.keys()].filter(name => name.startsWith('log/') && name.endsWith('.log')).sort()
}

function kindOnDisk(path: string): string {
  if (!existsSync(path)) return 'none'
  const status = lstatSync(path)
  return status.isDirectory() ? 'directory' : status.isFile() ? 'file' : 'other'
}

function readAll(storage: Storage, path: string): Uint8Array {
  const file = storage.open(path, { readOnly: true })
  try {
    const bytes = new Uint8Array(file.size())
    file.read(bytes, 0, bytes.length, 0)
    return bytes
  } finally {
    file.close()
  }
}
