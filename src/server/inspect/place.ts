/**
 * Where the socket of an open database lies (`inspect` of `open`).
 *
 * | system | the socket |
 * | --- | --- |
 * | Unix | `inspect.sock` in the directory of the database |
 * | Unix, the path has more bytes than the system takes, or the file system has no sockets | `socket` in a directory of its own in the temporary one; `inspect.json` in the directory of the database says where: `{"path": …}` |
 * | Windows | a named pipe, whose name is made from the path of the directory |
 *
 * Whoever finds a socket asks the server which database it has (INSPECT DATABASE), and believes it only if the answer
 * names the lock of this directory: a socket may be left over from a killed process, a pointer may have been copied.
 */
import { createHash } from 'node:crypto'
import { lstatSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { userId } from '../../storage/system.ts'

export const SOCKET = 'inspect.sock'
export const POINTER = 'inspect.json'

/** macOS takes 103 bytes, Linux 107. */
export const MOST_SOCKET_BYTES = 103

export const isTooLong = (path: string): boolean => Buffer.byteLength(path) > MOST_SOCKET_BYTES

/** `directory`: its real path. */
export const pipeOf = (directory: string): string =>
  `\\\\.\\pipe\\xenondb-${createHash('sha256').update(directory.toLowerCase()).digest('hex').slice(0, 32)}`

/** The socket that may belong to the database in a directory, given by its real path; undefined if there is none. */
export const findSocket = (directory: string): string | undefined => {
  if (process.platform === 'win32') return pipeOf(directory)
  const path = join(directory, SOCKET)
  if (isOwnSocket(path)) return isTooLong(path) ? undefined : path
  const elsewhere = readPointer(join(directory, POINTER))
  return elsewhere !== undefined && isOwnSocket(elsewhere) ? elsewhere : undefined
}

/** Where a pointer leads to. */
export const readPointer = (file: string): string | undefined => {
  try {
    const { path } = JSON.parse(readFileSync(file, 'utf8')) as { path?: unknown }
    return typeof path === 'string' ? path : undefined
  } catch {
    return undefined
  }
}

/** Of this user, or of root who looks at it: nobody else's is to be asked anything. */
const isOwnSocket = (path: string): boolean => {
  try {
    const found = lstatSync(path)
    const user = userId()
    return found.isSocket() && (user === undefined || user === 0 || found.uid === user)
  } catch {
    return false
  }
}
