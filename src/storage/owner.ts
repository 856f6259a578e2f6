/**
 * Whether the owner of a lock is alive. What cannot be told counts as alive, or as out of sight.
 *
 * | evidence | dead if |
 * | --- | --- |
 * | boot | the system has been started since |
 * | process | there is none of that pid, it is a zombie, or it started at another time |
 * | descriptor | the process has the lock file open no more: the thread that held it has ended |
 * | descriptors elsewhere | the same of an owner in another container, where all processes of that can be seen from here |
 *
 * Descriptors are Linux's (`/proc/<pid>/fd`). The owner opens the one that its claim names before the claim is
 * published, and closes it after the lock is gone; Node closes those of a worker thread when that ends.
 */
import { constants, openSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { threadId } from 'node:worker_threads'
import { type Claim, type Owner, readOwner } from './claim.ts'
import { closeQuietly, codeOf } from './regular-file.ts'

/**
 * `'out of sight'`: a process of another container. `'untold'`: this process may not ask. `here`: its pid as it is seen
 * from here.
 */
export type OwnerState =
  | { state: 'dead' }
  | { state: 'out of sight' }
  | { state: 'untold' }
  | { state: 'alive'; here: number }

/** The initial pid namespace of a system (PROC_PID_INIT_INO): every other one lies below it. */
const INITIAL_NAMESPACE = 'pid:[4026531836]'
/** Its bit in the effective capabilities: without it some processes are hidden, or hide what they have open. */
const CAP_SYS_PTRACE = 19n

export function ownerState(claim: Claim, owner: Owner): OwnerState {
  const here = thisProcess()
  if (differ(owner.boot, here.boot)) return { state: 'dead' }
  if (differ(owner.namespace, here.namespace)) return stateElsewhere(claim, owner)
  const process = processState(owner.pid)
  if (process === 'gone') return { state: 'dead' }
  if (process === 'untold') return { state: 'untold' }
  if (process === 'unknown') return { state: 'alive', here: owner.pid }
  const isOther = differ(owner.start, process.start)
  const hasEnded = !process.isEnding && holds(owner.pid, claim, owner) === false
  return isOther || hasEnded ? { state: 'dead' } : { state: 'alive', here: owner.pid }
}

/** The claim is of this very thread. */
export function isOwnThread(owner: Owner): boolean {
  const here = thisProcess()
  return (
    owner.pid === here.pid &&
    owner.thread === here.thread &&
    owner.start === here.start &&
    owner.boot === here.boot &&
    owner.namespace === here.namespace
  )
}

let identity: Omit<Owner, 'nonce' | 'descriptor'> | undefined

export function thisProcess(): Omit<Owner, 'nonce' | 'descriptor'> {
  if (identity === undefined) {
    const isLinux = process.platform === 'linux'
    identity = {
      pid: process.pid,
      start: isLinux ? (statOf(process.pid)?.[START] ?? null) : null,
      boot: isLinux ? tryRead(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()) : null,
      namespace: isLinux ? tryRead(() => readlinkSync('/proc/self/ns/pid')) : null,
      thread: threadId,
    }
  }
  return identity
}

/**
 * `'unknown'`: it exists, but the system tells no more about it. `'untold'`: whether it exists is not told (Deno without
 * `--allow-run`). `isEnding`: its first thread has ended.
 */
export function processState(pid: number): { start: string; isEnding: boolean } | 'unknown' | 'untold' | 'gone' {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if (codeOf(error) === 'ESRCH') return 'gone'
    // EPERM: that of another user.
    if (codeOf(error) !== 'EPERM') return 'untold'
  }
  if (process.platform !== 'linux') return 'unknown'
  const fields = statOf(pid)
  const start = fields?.[START]
  if (start === undefined) return 'unknown'
  // Killed but not yet waited for by its parent. Its other threads may outlive the first by a moment, and still write.
  const isEnding = fields![0] === 'Z' || fields![0] === 'X'
  if (isEnding && (tryRead(() => readdirSync(`/proc/${pid}/task`)) ?? []).length <= 1) return 'gone'
  return { start, isEnding }
}

/** Of the fields of a process that follow its command: the first is its state. */
const START = 19

function statOf(pid: number): string[] | undefined {
  // Node reads UTF-8 in one call, and other encodings in ten.
  const stat = tryRead(() => readFileSync(`/proc/${pid}/stat`, 'utf8'))
  // The second field is the command in parentheses, and may hold any character.
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
}

/**
 * Whether the process has the lock file open as its claim says; undefined if that cannot be told. A file of the same
 * device and another inode is another file. One of another device may be this one by way of another mount (an overlay,
 * its upper directory), and is if it says the same.
 */
function holds(pid: number, claim: Claim, owner: Owner): boolean | undefined {
  const { descriptor } = owner
  if (descriptor === null || !claim.isShown) return undefined
  const path = `/proc/${pid}/fd/${descriptor}`
  try {
    const found = statSync(path, { bigint: true })
    if (!found.isFile()) return false
    if (found.dev !== claim.file.dev) return says(path, claim.nonce)
    // Whoever looks at the lock just now has it open too, but only for reading.
    return found.ino === claim.file.ino && isWritable(pid, descriptor)
  } catch (error) {
    // ESRCH: it has just ended.
    return ['ENOENT', 'ESRCH'].includes(codeOf(error)) ? false : undefined
  }
}

function says(path: string, nonce: string): boolean {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    return readOwner(fd)?.nonce === nonce
  } finally {
    closeQuietly(fd)
  }
}

function isWritable(pid: number, descriptor: number): boolean {
  const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/${pid}/fdinfo/${descriptor}`, 'utf8'))?.[1]
  // Not to be told: then it may be the owner's.
  if (flags === undefined) return true
  return (Number.parseInt(flags, 8) & (constants.O_WRONLY | constants.O_RDWR)) !== 0
}

/**
 * An owner of another pid namespace is dead if all processes of that can be seen from here and none has the lock open:
 * where this one is the initial namespace, or one of those processes is seen; and nothing is hidden.
 */
function stateElsewhere(claim: Claim, owner: Owner): OwnerState {
  const outOfSight = { state: 'out of sight' } as const
  if (owner.descriptor === null || !claim.isShown || !seesEverything()) return outOfSight
  let sees = thisProcess().namespace === INITIAL_NAMESPACE
  let isCertain = true
  for (const name of tryRead(() => readdirSync('/proc')) ?? []) {
    if (!/^\d+$/.test(name)) continue
    const pid = Number(name)
    const inside = pidInside(pid)
    // A process of this namespace, which the owner was not, or one that is gone by now.
    if (inside === undefined) continue
    const namespace = tryRead(() => readlinkSync(`/proc/${pid}/ns/pid`))
    if (differ(namespace, owner.namespace)) continue
    sees ||= namespace === owner.namespace
    if (inside !== owner.pid) continue
    const isThere = holds(pid, claim, owner)
    if (isThere === true) return { state: 'alive', here: pid }
    if (isThere === undefined) isCertain = false
  }
  return sees && isCertain ? { state: 'dead' } : outOfSight
}

/** The number of a process in its own namespace, if that lies below this one. */
function pidInside(pid: number): number | undefined {
  const status = tryRead(() => readFileSync(`/proc/${pid}/status`, 'utf8'))
  const pids = /^NSpid:\t(.*)$/m.exec(status ?? '')?.[1]?.split('\t')
  return pids === undefined || pids.length < 2 ? undefined : Number(pids.at(-1))
}

/** `/proc` is that of this namespace, tells how namespaces are nested, and shows all processes. */
function seesEverything(): boolean {
  const found = tryRead(() => {
    if (readlinkSync('/proc/self') !== String(process.pid)) return false
    readdirSync('/proc/1/fd')
    if (!/^NSpid:/m.test(readFileSync('/proc/self/status', 'utf8'))) return false
    const capabilities = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
    return capabilities !== undefined && ((BigInt(`0x${capabilities}`) >> CAP_SYS_PTRACE) & 1n) === 1n
  })
  return found === true
}

/** Two facts that are both known, and not the same. */
function differ(a: string | null, b: string | null): boolean {
  return a !== null && b !== null && a !== b
}

export function tryRead<T>(read: () => T): T | null {
  try {
    return read()
  } catch {
    return null
  }
}
