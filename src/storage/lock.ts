/**
 * The lock of a database directory: the file `lock`, which names its owner.
 *
 * | file                 | meaning |
 * | -------------------- | ------- |
 * | `lock`               | the owner, as JSON: `pid`, `start` (clock tick the process started at), `boot`, `namespace`, `thread`, `descriptor`, `nonce` |
 * | `lock.<pid>.<nonce>` | the same before it is published; lives for the moment of taking the lock |
 * | `lock.after.<nonce>` | who takes over from the dead owner with that nonce; lives for the moment of taking over |
 *
 * 1. A name is published whole and once: written under a name of its own, then `link`ed, which fails if the name
 *    exists.
 * 2. A nonce is random and never used again. A live owner's lock is removed by nobody else.
 * 3. A dead owner is judged by its process and its descriptor, never by time (owner.ts): other boot, no such process, a
 *    zombie, a pid that started at another time, or a process that has the file open no more, since its thread has
 *    ended. What cannot be told counts as alive: a process of another container (pid namespace) that cannot be seen
 *    from here, unless the caller vouches for its death (`takeover`), or a reused pid where the system gives no start
 *    times (macOS, Windows).
 * 4. A nonce has at most one successor: whoever publishes `lock.after.<nonce>`. If that one dies as well before it has
 *    replaced the lock, its own nonce has a successor, and so on; the last of the chain is the one in charge.
 *    Having published, a taker walks the chain again from `lock`: it is in charge only if it stands at the end. If not,
 *    its link hangs from a lock that was replaced in the meantime; it withdraws and begins anew.
 * 5. The one in charge renames its file over `lock` (so the name is never free in between) and only then removes the
 *    chain. Hence a `lock.after.<nonce>` can be published twice only when `lock` no longer leads to it, and rule 4
 *    withdraws the second.
 *
 * 6. The owner has each file that names it open for writing from before it is published until after its name is gone.
 *    So the descriptor that a claim names is there for as long as the claim counts, and its inode is nobody else's: by
 *    it an owner knows its lock again, and a lock that was moved away with its directory, where no name leads to it any
 *    more, is emptied through it instead of removed.
 *
 * A lock that cannot be read is damage, or what rule 6 emptied: by rule 1 no live owner leaves one, but a power failure
 * may (the name reached the disk, the content did not; syncing it would cost every open an fsync). Its owner went with
 * the power: it is taken over like a dead one's, its nonce standing for "what was unreadable under that name".
 *
 * File systems without links (FAT, some FUSE): the name is created with O_EXCL and then written, so a reader may catch
 * it half-written. Rule 1 is kept up by a note `lock.<pid>.<nonce>.writing` for as long: an unreadable file counts as
 * held while the note of a live process stands beside it.
 */
import { closeSync, ftruncateSync, linkSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CorruptionError, DatabaseLockedError, isError, openHereAlready } from '../errors.ts'
import { toHex } from '../runtime/bytes.ts'
import { type Claim, createClaim, type Owner, readClaim, readOwner } from './claim.ts'
import { identityOfEntry, identityOfOpen, realPath } from './identity.ts'
import { isOwnThread, ownerState, processState, thisProcess, tryRead } from './owner.ts'
import { randomBytes } from './random.ts'
import { closeQuietly, codeOf, storageError, unlinkFile } from './regular-file.ts'
import type { DirectoryLock, LockOptions } from './storage.ts'

/** Nonces of the locks that this process holds, shared by all copies of this module in the thread. */
const registry = Symbol.for('xenondb.locks')
const shared = globalThis as { [registry]?: Set<string> }
shared[registry] ??= new Set()
const heldHere: Set<string> = shared[registry]

/** Takes the lock or throws `DatabaseLockedError` with the owner's pid. Never waits. */
export function lockDirectory(path: string, { takeover = false }: LockOptions = {}): DirectoryLock {
  // Absolute, because the process may change its directory before it releases.
  const directory = realPath(path)
  const contender = new Contender(directory)
  try {
    contender.begin()
    acquire(directory, contender, takeover)
  } catch (cause) {
    contender.giveUp()
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
  return new HeldLock(join(directory, 'lock'), contender.nonce, contender.keepLock())
}

/** Throws `DatabaseLockedError` if a live process has the lock; writes nothing. */
export function refuseIfHeld(directory: string): void {
  const owner = tryRead(() => readChain(directory))?.at(-1)
  if (owner !== undefined) refuseIfAlive(directory, owner, false)
}

class HeldLock implements DirectoryLock {
  readonly nonce: string
  private readonly path: string
  private readonly identity: string
  /** Open for as long as the lock is held (rule 6); −1 afterwards. */
  private fd: number

  constructor(path: string, nonce: string, fd: number) {
    this.path = path
    this.nonce = nonce
    this.fd = fd
    try {
      this.identity = identityOfOpen(fd, path)
    } catch (error) {
      removeIfThere(path)
      closeQuietly(fd)
      throw error
    }
    heldHere.add(nonce)
  }

  inPlace(): boolean {
    return this.fd >= 0 && identityOfEntry(this.path) === this.identity
  }

  release(): void {
    const { fd, path, nonce } = this
    if (fd < 0) return
    heldHere.delete(nonce)
    try {
      if (!this.inPlace()) empty(fd)
      else if (nonceOf(fd, path) === nonce) remove(path)
    } finally {
      this.fd = -1
      close(fd, path)
    }
  }
}

const nonceOf = (fd: number, path: string): string | undefined => {
  try {
    return readOwner(fd)?.nonce
  } catch (cause) {
    throw storageError('read', path, cause)
  }
}

/** Whoever wants the lock: the files that name it, under names of its own and published, and their descriptors. */
class Contender {
  readonly nonce: string = toHex(randomBytes(12))
  private readonly mine: string
  private readonly lock: string
  private readonly me: Omit<Owner, 'descriptor'>
  private readonly descriptors: Map<string, number> = new Map()

  constructor(directory: string) {
    this.me = { ...thisProcess(), nonce: this.nonce }
    this.mine = join(directory, `lock.${this.me.pid}.${this.nonce}`)
    this.lock = join(directory, 'lock')
  }

  begin(): void {
    this.descriptors.set(this.mine, createClaim(this.mine, this.me))
  }

  /** Gives its file a second name. False if the name is taken. */
  publish(name: string): boolean {
    const { mine } = this
    try {
      linkSync(mine, name)
      this.descriptors.set(name, this.descriptors.get(mine)!)
      return true
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false
      if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL'].includes(codeOf(error))) throw error
    }
    const note = `${mine}.writing`
    writeFileSync(note, '')
    try {
      this.descriptors.set(name, createClaim(name, this.me))
      return true
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false
      throw error
    } finally {
      removeIfThere(note)
    }
  }

  /** Takes back a claim that did not lead to the lock. */
  withdraw(name: string): void {
    removeIfThere(name)
    this.forget(name)
  }

  /** Its own file becomes the lock. */
  replaceLock(): void {
    const { mine, lock, descriptors } = this
    renameSync(mine, lock)
    descriptors.set(lock, descriptors.get(mine)!)
    descriptors.delete(mine)
  }

  /** The descriptor of the lock; whatever else there is goes. */
  keepLock(): number {
    const fd = this.descriptors.get(this.lock)!
    this.descriptors.delete(this.lock)
    for (const other of new Set(this.descriptors.values())) if (other !== fd) closeQuietly(other)
    return fd
  }

  giveUp(): void {
    removeIfThere(this.mine)
    for (const fd of new Set(this.descriptors.values())) closeQuietly(fd)
  }

  removeOwnName(): void {
    removeIfThere(this.mine)
  }

  private forget(name: string): void {
    const { descriptors } = this
    const fd = descriptors.get(name)
    descriptors.delete(name)
    if (fd !== undefined && ![...descriptors.values()].includes(fd)) closeQuietly(fd)
  }
}

function acquire(directory: string, contender: Contender, takeover: boolean): void {
  const lock = join(directory, 'lock')
  // Each further round means that another process took or gave up the lock in the meantime.
  for (let round = 0; round < 1000; round++) {
    if (contender.publish(lock)) {
      contender.removeOwnName()
      return
    }
    const chain = readChain(directory)
    const last = chain.at(-1)
    if (last === undefined) continue
    refuseIfAlive(directory, last, takeover)
    const claim = join(directory, successorOf(last.nonce))
    if (!contender.publish(claim)) continue
    let withdraw = true
    try {
      const confirmed = readChain(directory)
      if (confirmed.length > 1 && confirmed.at(-1)?.nonce === contender.nonce) {
        contender.replaceLock()
        withdraw = false
        sweep(directory)
        return
      }
    } finally {
      if (withdraw) contender.withdraw(claim)
    }
  }
  throw new DatabaseLockedError(`${directory} changes hands too fast; try again`)
}

/** The owner of the lock, its successor, the successor's successor … Empty when there is no lock. */
function readChain(directory: string): Claim[] {
  const chain: Claim[] = []
  const read = (name: string): Claim | undefined => readClaim(join(directory, name), name)
  let claim = read('lock')
  while (claim !== undefined) {
    chain.push(claim)
    const name = successorOf(claim.nonce)
    claim = read(name)
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

/** `takeover`: the caller vouches that an owner that cannot be seen from here is dead. */
function refuseIfAlive(directory: string, claim: Claim, takeover: boolean): void {
  const { owner, nonce } = claim
  if (owner === undefined) {
    const writer = writersIn(directory).find(writer => writer !== process.pid && processState(writer) !== 'gone')
    if (writer === undefined) return
    throw new DatabaseLockedError(`${directory} is being opened by process ${writer}`, writer)
  }
  const { pid } = owner
  const isHeldHere = pid === process.pid && heldHere.has(nonce)
  const found = isHeldHere ? ({ state: 'alive', here: pid } as const) : ownerState(claim, owner)
  if (found.state === 'dead' || ((found.state === 'out of sight' || found.state === 'untold') && takeover)) return
  const lock = join(directory, 'lock')
  if (found.state === 'untold')
    throw new DatabaseLockedError(
      `${directory} is locked, and it cannot be told whether process ${pid}, which has locked it, still runs, since this one may not ask (Deno: --allow-run). If it has ended, open the database with the option takeover (--takeover), or remove ${lock}`,
      pid,
    )
  if (found.state === 'out of sight')
    throw new DatabaseLockedError(
      `${directory} is locked by process ${pid} of another container, which cannot be seen from here; if that container is gone, open the database with the option takeover (--takeover), or remove ${lock}`,
      pid,
    )
  if (found.here !== pid)
    throw new DatabaseLockedError(
      `${directory} is open in process ${pid} of another container, which is process ${found.here} here; close it there first (${lock})`,
      found.here,
    )
  if (isHeldHere || isOwnThread(owner)) throw openHereAlready(directory, pid)
  throw new DatabaseLockedError(
    pid === process.pid
      ? `${directory} is open in another thread of this process${owner.thread === null ? '' : ` (thread ${owner.thread})`}: open it in one thread and let that serve the others (docs/workers.md), or close it there first`
      : `${directory} is open in process ${pid}; close it there first (${lock})`,
    pid,
  )
}

/** Processes that write a claim just now, where there are no links. */
function writersIn(directory: string): number[] {
  let names: string[]
  try {
    names = readdirSync(directory)
  } catch (cause) {
    throw storageError('list', directory, cause)
  }
  return names.map(name => Number(/^lock\.(\d+)\.[0-9a-f]+\.writing$/.exec(name)?.[1] ?? process.pid))
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
  const claim = tryRead(() => readClaim(join(directory, name), name))
  if (claim?.owner === undefined) return processState(Number(pid)) === 'gone'
  return ownerState(claim, claim.owner).state === 'dead'
}

function remove(path: string): void {
  try {
    unlinkFile(path)
  } catch (cause) {
    if (codeOf(cause) !== 'ENOENT') throw storageError('remove', path, cause)
  }
}

/** Wherever the file lies now, it names nobody from here on. */
function empty(fd: number): void {
  try {
    ftruncateSync(fd, 0)
  } catch {
    // Then the closed descriptor shows it, or the end of this process.
  }
}

function close(fd: number, path: string): void {
  try {
    closeSync(fd)
  } catch (cause) {
    throw storageError('close', path, cause)
  }
}

function removeIfThere(path: string): void {
  try {
    unlinkFile(path)
  } catch {
    // Litter does no harm; the next takeover sweeps it.
  }
}
