/** A Unix socket that a killed server has left is taken away; one that somebody listens on is not. */
import { lstatSync, unlinkSync } from 'node:fs'
import { connect } from 'node:net'
import { InvalidArgumentError } from '../../errors.ts'

export const freeSocketPath = async (path: string): Promise<void> => {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return
  if (!found.isSocket()) throw new InvalidArgumentError(`${path} is there already, and no socket`)
  const alive = await new Promise<boolean>(resolve => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
  if (alive) throw new InvalidArgumentError(`another server listens on ${path}`)
  unlinkSync(path)
}
