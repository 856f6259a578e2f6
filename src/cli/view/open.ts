/**
 * Opens the database that a command names, or, if another process has it open, connects to the socket on which that
 * one lets it be looked into (`inspect` of `open`).
 */
import { waitForLockAside } from '../../database/lock-wait.ts'
import { DatabaseLockedError, XenonError } from '../../errors.ts'
import type { Live } from '../../shared/live.ts'
import { type Access, openBeside, openBytes } from '../database.ts'
import { CommandError, printable } from '../errors.ts'
import { opening } from '../opening.ts'
import { LocalDatabase } from './local.ts'
import { RemoteDatabase } from './remote.ts'
import type { DatabaseView } from './view.ts'

/** How long the process that has the database may be busy with something else. */
const GREETING_MS = 5000

/** Runs `work` and closes whatever happens. */
export async function withDatabaseView<R>(
  directory: string,
  access: Access,
  work: (view: DatabaseView) => R | Promise<R>,
): Promise<R> {
  const { view, close } = await openView(directory, access)
  try {
    return await work(view)
  } finally {
    await close()
  }
}

interface Opened {
  view: DatabaseView
  close(): void | Promise<void>
}

async function openView(directory: string, access: Access): Promise<Opened> {
  const local = async (lockWait: number): Promise<Opened> => {
    const db = await waitForLockAside(lockWait, () => openBytes(directory, access), access.signal)
    return { view: new LocalDatabase(db), close: () => db.close() }
  }
  try {
    return await local(0)
  } catch (error) {
    if (!isLocked(error)) throw error
    const live = await connectLiveBytes(directory, error.pid)
    if (live !== undefined) {
      const { client, facts } = live
      return { view: new RemoteDatabase(directory, client, facts.ordered), close: () => client.close() }
    }
    if (access.onlyReads === true) {
      const db = openBeside(directory, error.pid)
      return { view: new LocalDatabase(db), close: () => db.close() }
    }
  }
  try {
    return await local(opening().lockWait)
  } catch (error) {
    throw isLocked(error) ? withHint(error) : error
  }
}

/** What the command line is connected to. */
export type LiveBytes = Live<Uint8Array, Uint8Array>

/**
 * Connects to the process that has the database in a directory open, and says so on stderr; undefined if it does not
 * listen.
 */
export async function connectLiveBytes(directory: string, owner: number | undefined): Promise<LiveBytes | undefined> {
  // Only here, since few runs need it.
  const [{ connect }, { connectLive }] = await Promise.all([
    import('../../client/index.ts'),
    import('../../shared/live.ts'),
  ])
  let live: LiveBytes | undefined
  try {
    live = await connectLive(directory, socket =>
      connect<Uint8Array>({
        socket,
        keyEncoding: 'binary',
        valueEncoding: 'binary',
        reconnect: false,
        requestTimeout: Number.POSITIVE_INFINITY,
        connectTimeout: GREETING_MS,
      }),
    )
  } catch (error) {
    if (!(error instanceof XenonError) || error.code !== 'XENON_TIMEOUT') return undefined
    throw new CommandError(
      `${directory} is open in process ${owner ?? '?'}, which has not answered on its socket in ${GREETING_MS / 1000} s: it is busy, or stopped`,
    )
  }
  if (live !== undefined)
    process.stderr.write(
      `xenondb: ${printable(directory)} is open in process ${live.facts.pid}: going through its socket\n`,
    )
  return live
}

export const isLocked = (error: unknown): error is DatabaseLockedError =>
  error instanceof DatabaseLockedError && !error.isOwn

/** The same refusal, with the way to look into it all the same. */
export const withHint = (error: DatabaseLockedError): DatabaseLockedError =>
  new DatabaseLockedError(
    `${error.message}; a program that opens it with inspect: true lets this command look into it meanwhile`,
    error.pid,
  )
