/**
 * Random bytes: names of locks, identities of files, keys of hashes. They come from the system's device where there is
 * one, because Node takes 5 ms to load its module for cryptography, a third of what a small program needs to load this
 * package; else from there. A browser has no device.
 */
interface Files {
  openSync(path: string, flags: string): number
  fstatSync(fd: number, options: { bigint: true }): { isCharacterDevice(): boolean }
  readSync(fd: number, target: Uint8Array): number
  closeSync(fd: number): void
}

interface Host {
  platform?: string
  versions?: { deno?: string }
  getBuiltinModule?(name: 'node:fs'): Files
}

const DEVICE = '/dev/urandom'
/** Bytes that `getRandomValues` gives at most. */
const MOST_AT_ONCE = 65536

export const randomBytes = (length: number): Uint8Array<ArrayBuffer> => {
  const bytes = new Uint8Array(length)
  if (fillFromDevice(bytes)) return bytes
  for (let at = 0; at < length; at += MOST_AT_ONCE)
    globalThis.crypto.getRandomValues(bytes.subarray(at, at + MOST_AT_ONCE))
  return bytes
}

/** False where there is no such device, or it may not be read. */
const fillFromDevice = (bytes: Uint8Array): boolean => {
  const { process: host } = globalThis as { process?: Host }
  // Deno asks the user whether a program may read a file.
  if (host?.getBuiltinModule === undefined || host.platform === 'win32' || host.versions?.deno !== undefined)
    return false
  try {
    const files = host.getBuiltinModule('node:fs')
    const fd = files.openSync(DEVICE, 'r')
    try {
      return files.fstatSync(fd, { bigint: true }).isCharacterDevice() && files.readSync(fd, bytes) === bytes.length
    } finally {
      files.closeSync(fd)
    }
  } catch {
    return false
  }
}
