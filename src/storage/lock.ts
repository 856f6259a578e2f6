/**
 * The lock of a database directory: the file `lock`, which names its owner.
 *
 * | file                 | meaning |
 * | -------------------- | ------- |
 * | `lock`               | the owner, as JSON: `pid`, `start` (clock tick the process started at), `boot`, `namespace`, `nonce` |
 * | `lock.<pid>.<nonce>` | the same before it is published; lives for the moment of taking the lock |
 * | `lock.after.<nonce>` | who takes over from the dead owner with that nonce; lives for the moment of taking over |
 *
 * 1. A name is published whole and once: written under a name of its own, then `link`ed, which fails if the name exists.
 * 2. A nonce is random and never used again. A live owner's lock is removed by nobody else.
 * 3. A dead owner is judged by its process, never by time: other boot, no such process, a zombie, or a pid that
 *    started at another time. What cannot be told counts as alive: a process of another container (pid namespace), or a
 *    reused pid where the system gives no start times (macOS, Windows).
 * 4. A nonce has at most one successor: whoever publishes `lock.after.<nonce>`. If that one dies as well before it has
 *    replaced the lock, its own nonce has a successor, and so on; the last of the chain is the one in charge.
 *    Having published, a taker walks the chain again from `lock`: it is in charge only if it stands at the end. If not,
 *    its link hangs from a lock that was replaced in the meantime; it withdraws and begins anew.
 * 5. The one in charge renames its file over `lock` (so the name is never free in between) and only then removes the
 *    chain. Hence a `lock.after.<nonce>` can be published twice only when `lock` no longer leads to it, and rule 4
 *    withdraws the second.
 *
 * A lock that cannot be read is damage: by rule 1 no live owner leaves one, but a power failure may (the name reached
 * the disk, the content did not; syncing it would cost every open an fsync). Its owner went with the power: it is taken
 * over like a dead one's, its nonce standing for "what was unreadable under that name".
 *
 * File systems without links (FAT, some FUSE): the name is created with O_EXCL and then written, so a reader may catch it
 * half-written. Rule 1 is kept up by a note `lock.<pid>.<nonce>.writing` for as long: an unreadable file counts as held
 * while the note of a live process stands beside it.
 */
import { randomBytes } from 'node:crypto'
import {
  closeSync,
  constants,
  linkSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { CorruptionError, DatabaseLockedError, isError } from '../errors.ts'
import { codeOf, openRegularFile, storageError } from './regular-file.ts'
import type { DirectoryLock } from './storage.ts'

interface Owner {
  pid: number
  /** Null where the system does not tell. */
  start: string | null
  boot: string | null
  /** The pid namespace (container): a pid means nothing outside it. */
  namespace: string | null
  nonce: string
}

/** A file that names nobody; its nonce is made from its name. */
interface Unreadable {
  pid: undefined
  nonce: string
}

type Claim = Owner | Unreadable

/** Nonces of the locks that this process holds, shared by all copies of this module in the thread. */
const registry = Symbol.for('xenondb.locks')
const shared = globalThis as { [registry]?: Set<string> }
shared[registry] ??= new Set()
const heldHere: Set<string> = shared[registry]

/** Takes the lock or throws `DatabaseLockedError` with the owner's pid. Never waits. */
export function lockDirectory(path: string): DirectoryLock {
  // Absolute, because the process may change its directory before it releases.
  const directory = resolve(path)
  const me: Owner = { ...thisProcess(), nonce: randomBytes(12).toString('hex') }
  const mine = join(directory, `lock.${me.pid}.${me.nonce}`)
  try {
    writeFileSync(mine, `${JSON.stringify(me)}\n`, { flag: 'wx', mode: 0o600 })
    acquire(directory, mine, me)
  } catch (cause) {
    removeIfThere(mine)
    if (isError(cause) && 'syscall' in cause) {
      // Whoever goes on without a lock, since none can be written, must at least not meet a live owner.
      refuseIfHeld(directory)
      const isRefused = ['EACCES', 'EPERM', 'EROFS'].includes(codeOf(cause))
      const advice = isRefused
        ? '; to open it for writing, the directory must be writable: change that, or open it with readOnly'
        : ''
      throw storageError('create the lock', join(directory, 'lock'), cause, advice)
    }
    throw cause
  }
  heldHere.add(me.nonce)
  return {
    release(): void {
      if (heldHere.delete(me.nonce)) release(directory, me.nonce)
    },
  }
}

/** Throws `DatabaseLockedError` if a live process has the lock; writes nothing. */
export function refuseIfHeld(directory: string): void {
  const owner = tryRead(() => readChain(directory))?.at(-1)
  if (owner !== undefined) refuseIfAlive(directory, owner)
}

function acquire(directory: string, mine: string, me: Owner): void {
  const lock = join(directory, 'lock')
  // Each further round means that another process took or gave up the lock in the meantime.
  for (let round = 0; round < 1000; round++) {
    if (publish(mine, lock)) {
      removeIfThere(mine)
      return
    }
    const chain = readChain(directory)
    const last = chain.at(-1)
    if (last === undefined) continue
    refuseIfAlive(directory, last)
    const claim = join(directory, successorOf(last.nonce))
    if (!publish(mine, claim)) continue
    let withdraw = true
    try {
      const confirmed = readChain(directory)
      if (confirmed.length > 1 && confirmed.at(-1)?.nonce === me.nonce) {
        renameSync(mine, lock)
        withdraw = false
        sweep(directory)
        return
      }
    } finally {
      if (withdraw) removeIfThere(claim)
    }
  }
  throw new DatabaseLockedError(`${directory} changes hands too fast; try again`)
}

/** Gives the file at `from` a second name. False if the name is taken. */
function publish(from: string, name: string): boolean {
  try {
    linkSync(from, name)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL'].includes(codeOf(error))) throw error
  }
  const note = `${from}.writing`
  writeFileSync(note, '')
  try {
    writeFileSync(name, readFileSync(from), { flag: 'wx', mode: 0o600 })
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  } finally {
    removeIfThere(note)
  }
}

/** The owner of the lock, its successor, the successor's successor … Empty when there is no lock. */
function readChain(directory: string): Claim[] {
  const chain: Claim[] = []
  let claim = readClaim(directory, 'lock')
  while (claim !== undefined) {
    chain.push(claim)
    const name = successorOf(claim.nonce)
    claim = readClaim(directory, name)
    // Rule 2 makes this impossible; a forged circle must not hang.
    if (chain.some(({ nonce }) => nonce === claim?.nonce)) {
      throw new CorruptionError(join(directory, name), 'names an earlier owner as the successor')
    }
  }
  return chain
}

function successorOf(nonce: string): string {
  return `lock.after.${nonce}`
}

function readClaim(directory: string, name: string): Claim | undefined {
  // A claim takes some 200 bytes, whatever more there is makes it unreadable.
  const bytes = Buffer.alloc(1024)
  let length: number
  try {
    const fd = openRegularFile(join(directory, name), constants.O_RDONLY)
    try {
      length = readSync(fd, bytes, 0, bytes.length, 0)
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    if (isError(error) && codeOf(error.cause) === 'ENOENT') return undefined
    throw error
  }
  return parse(bytes.toString('utf8', 0, length)) ?? { pid: undefined, nonce: `unreadable-${name}` }
}

function parse(text: string): Owner | undefined {
  let value: Partial<Owner> | null
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const { pid, nonce } = value
  const string = (field: unknown): string | null => (typeof field === 'string' ? field : null)
  if (typeof pid !== 'number' || !Number.isInteger(pid) || pid <= 0 || pid > 0x7fffffff) return undefined
  if (typeof nonce !== 'string' || !/^[0-9a-f]{1,64}$/.test(nonce)) return undefined
  const { start, boot, namespace } = value
  return { pid, start: string(start), boot: string(boot), namespace: string(namespace), nonce }
}

function refuseIfAlive(directory: string, claim: Claim): void {
  const { pid, nonce } = claim
  if (pid === undefined) {
    const writer = readdirSync(directory)
      .map(name => Number(/^lock\.(\d+)\.[0-9a-f]+\.writing$/.exec(name)?.[1] ?? process.pid))
      .find(writer => writer !== process.pid && processState(writer) !== 'gone')
    if (writer === undefined) return
    throw new DatabaseLockedError(`${directory} is being opened by process ${writer}`, writer)
  }
  if (pid === process.pid && heldHere.has(nonce)) {
    throw new DatabaseLockedError(
      `${directory} is already open in this process (${pid}); close it first`,
      pid,
    )
  }
  const state = ownerState(claim)
  if (state === 'dead') return
  const lock = join(directory, 'lock')
  const message =
    state === 'alive'
      ? `${directory} is open in process ${pid}; close it there first (${lock})`
      : `${directory} is locked by process ${pid} of another container, which cannot be seen from here; if that container is gone, remove ${lock}`
  throw new DatabaseLockedError(message, pid)
}

function ownerState(owner: Owner): 'dead' | 'alive' | 'out of sight' {
  const here = thisProcess()
  if (differ(owner.boot, here.boot)) return 'dead'
  if (differ(owner.namespace, here.namespace)) return 'out of sight'
  const state = processState(owner.pid)
  if (state === 'gone') return 'dead'
  return state !== 'unknown' && differ(owner.start, state.start) ? 'dead' : 'alive'
}

/** Two facts that are both known, and not the same. */
function differ(a: string | null, b: string | null): boolean {
  return a !== null && b !== null && a !== b
}

let identity: Omit<Owner, 'nonce'> | undefined

function thisProcess(): Omit<Owner, 'nonce'> {
  if (identity === undefined) {
    const state = processState(process.pid)
    const isLinux = process.platform === 'linux'
    identity = {
      pid: process.pid,
      start: typeof state === 'object' ? state.start : null,
      boot: isLinux ? tryRead(() => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()) : null,
      namespace: isLinux ? tryRead(() => readlinkSync('/proc/self/ns/pid')) : null,
    }
  }
  return identity
}

/** `'unknown'`: it exists, but the system tells no more about it. */
function processState(pid: number): { start: string } | 'unknown' | 'gone' {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if (codeOf(error) === 'ESRCH') return 'gone'
  }
  if (process.platform !== 'linux') return 'unknown'
  const stat = tryRead(() => readFileSync(`/proc/${pid}/stat`, 'latin1'))
  if (stat === null) return 'unknown'
  // The second field is the command in parentheses, and may hold any character; state is the third, start the 22nd.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const start = fields[19]
  if (start === undefined) return 'unknown'
  // Killed but not yet waited for by its parent. Its other threads may outlive the first by a moment, and still write.
  const isZombie = fields[0] === 'Z' || fields[0] === 'X'
  if (isZombie && (tryRead(() => readdirSync(`/proc/${pid}/task`)) ?? []).length <= 1) return 'gone'
  return { start }
}

function tryRead<T>(read: () => T): T | null {
  try {
    return read()
  } catch {
    return null
  }
}

/** The lock is ours: no chain is valid any more, and what dead processes left is nobody's. */
function sweep(directory: string): void {
  for (const name of tryRead(() => readdirSync(directory)) ?? []) {
    if (name.startsWith('lock.after.') || isLeftover(directory, name)) removeIfThere(join(directory, name))
  }
}

function isLeftover(directory: string, name: string): boolean {
  const pid = /^lock\.(\d+)\.[0-9a-f]+(\.writing)?$/.exec(name)?.[1]
  if (pid === undefined) return false
  const claim = tryRead(() => readClaim(directory, name))
  if (claim?.pid === undefined) return processState(Number(pid)) === 'gone'
  return ownerState(claim) === 'dead'
}

function release(directory: string, nonce: string): void {
  if (readClaim(directory, 'lock')?.nonce !== nonce) return
  const lock = join(directory, 'lock')
  try {
    unlinkSync(lock)
  } catch (cause) {
    if (codeOf(cause) !== 'ENOENT') throw storageError('remove', lock, cause)
  }
}

function removeIfThere(path: string): void {
  try {
    unlinkSync(path)
  } catch {
    // Litter does no harm; the next takeover sweeps it.
  }
}
