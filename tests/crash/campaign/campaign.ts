/** Crashes a recording at every change of the disk, under every policy, and counts. */
import { IMAGES_MAGIC } from '../../../src/buffer/image-format.ts'
import { type CrashPolicy, crashPolicies, FaultDisk } from '../../../src/testing/fault.ts'
import type { Operation } from '../../../src/testing/fault-nodes.ts'
import { Random } from '../../../src/testing/random.ts'
import { crc32 } from './checksum.ts'
import { type Expectation, recover, requireContinuation, requireCopies, requireNewCommit } from './examine.ts'
import { expected, FIRST_TIME, type Recording, statesAt, timeAt } from './session.ts'

/** `kill`: the process ends, the system does not; then, while the next process recovers, the power fails as well. */
export type Policy = CrashPolicy | 'kill'

export const policies: readonly Policy[] = ['kill', ...crashPolicies]

/** Tries at each crash point; a policy that decides by chance is tried more than once, and counts when it differs. */
const TRIES: Record<Policy, number> = {
  kill: 1,
  none: 1,
  all: 1,
  last: 1,
  prefix: 3,
  sectors: 3,
  holes: 2,
  garbage: 2,
}
/** Share of the images whose recovery is itself crashed. */
const NESTED = 0.3
/** As many recoveries are crashed one after the other. */
const DEEPEST = 4
/** Share of the images that are opened a second time and take another commit. */
const CONTINUED = 0.3

export class Tally {
  points = 0
  images = 0
  nested = 0
  /** Of those: in the recovery of a disk that had crashed in a recovery. */
  again = 0
  /** Checkpoints in the workloads, and those whose syncs were all done aside. */
  checkpoints = 0
  endedAside = 0
  /** Time of the threads that did it. */
  seconds = 0
  /** Images by policy. */
  readonly byPolicy: Record<string, number> = {}

  count(policy: Policy): void {
    this.images++
    this.byPolicy[policy] = (this.byPolicy[policy] ?? 0) + 1
  }

  add(other: Tally): void {
    this.points += other.points
    this.images += other.images
    this.nested += other.nested
    this.again += other.again
    this.checkpoints += other.checkpoints
    this.endedAside += other.endedAside
    this.seconds += other.seconds
    for (const [policy, images] of Object.entries(other.byPolicy))
      this.byPolicy[policy] = (this.byPolicy[policy] ?? 0) + images
  }
}

/** A crash that was not survived. */
export class CrashFailure extends Error {
  override name = 'CrashFailure'
  readonly index: number
  readonly policy: Policy

  constructor(index: number, policy: Policy, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    super(`crash before operation ${index}, policy ${policy}: ${reason}`, { cause })
    this.index = index
    this.policy = policy
  }
}

export interface CrashOptions {
  /** Only this crash point, or only this policy. */
  index?: number
  policy?: Policy
  /** Crash at every n-th point only. */
  stride?: number
}

/** Crashes a recording everywhere. @throws CrashFailure at the first image that is not survived. */
export const crashEverywhere = async (
  recording: Recording,
  seed: number,
  tally: Tally,
  { index: onlyIndex, policy: onlyPolicy, stride = 1 }: CrashOptions = {},
): Promise<void> => {
  const { journal } = recording
  tally.checkpoints += recording.checkpoints
  tally.endedAside += recording.endedAside
  const points = onlyIndex === undefined ? crashPoints(recording, seed, stride) : new Set([onlyIndex])
  let now = FIRST_TIME
  const disk = new FaultDisk({ seed, crc32, now: () => now })
  for (let index = 0; index <= journal.length; index++) {
    if (points.has(index)) {
      tally.points++
      now = timeAt(recording, index)
      await crashAt(disk, { ...recording, states: statesAt(recording, index) }, index, seed, tally, onlyPolicy)
    }
    if (index < journal.length) disk.apply(journal[index]!)
  }
}

/**
 * Every n-th place in the journal, or as many as the recording says: half of them spread over it, half of them while a
 * sync aside is under way, where whoever waited for it goes on, and behind a new state in block 0 or a new header of a
 * segment; or behind images of blocks.
 */
const crashPoints = ({ journal, from, points, nearImages }: Recording, seed: number, stride: number): Set<number> => {
  const random = new Random(seed ^ 0x2545f491)
  const count = journal.length + 1 - from
  const wanted = Math.ceil(points / stride)
  if (count / stride <= wanted)
    return new Set(Array.from({ length: Math.ceil(count / stride) }, (_, i) => from + i * stride))
  const aside: [from: number, to: number][] = []
  journal.forEach((operation, at) => {
    if (at < from) return
    if (nearImages) {
      // Written, then synced, then the blocks are written in place.
      if (isImages(operation)) aside.push([at + 2, at + 2])
      return
    }
    if (operation.kind === 'sync' && operation.before !== undefined)
      aside.push([Math.max(from, operation.before + 1), at])
    if (isHeader(operation)) aside.push([at, at + 6])
  })
  const chosen = new Set<number>()
  for (const [begin, end] of random.shuffle(aside).slice(0, wanted >> 1)) {
    const at = random.chance(0.5) ? random.between(begin, end) : end + random.between(1, 4)
    chosen.add(Math.min(journal.length, at))
  }
  const spread = wanted - chosen.size
  for (let i = 0; i < spread; i++) chosen.add(from + Math.floor(((i + random.below(1000) / 1000) * count) / spread))
  return chosen
}

const isHeader = (operation: Operation): boolean =>
  operation.kind === 'write' && operation.bytes.length === 512 && operation.position <= 1024

const isImages = (operation: Operation): boolean =>
  operation.kind === 'write' && IMAGES_MAGIC.every((byte, at) => operation.bytes[at] === byte)

const crashAt = async (
  disk: FaultDisk,
  recording: Recording,
  index: number,
  seed: number,
  tally: Tally,
  onlyPolicy: Policy | undefined,
): Promise<void> => {
  const seen = new Set<number>()
  // With everything durable there is one image only, whatever the policy.
  for (const policy of disk.settled ? (['none'] as const) : policies) {
    if (onlyPolicy !== undefined && policy !== onlyPolicy) continue
    for (let attempt = 0; attempt < TRIES[policy]; attempt++) {
      // Each image has random numbers of its own, so that one can be replayed without the others.
      const random = new Random(seed ^ Math.imul(index + 1, 0x9e3779b1) ^ (policies.indexOf(policy) << 8) ^ attempt)
      try {
        if (policy === 'kill') await killImage(disk, recording, index, random, tally)
        else {
          const image = disk.crash(policy, random)
          if (seen.has(image.signature)) continue
          seen.add(image.signature)
          tally.count(policy)
          await powerImage(image, { ...recording, ...expected(recording, index, true) }, random, tally)
          await requireCopies(image, recording, index)
        }
      } catch (error) {
        throw new CrashFailure(index, policy, error)
      }
    }
  }
}

const powerImage = async (image: FaultDisk, expectation: Expectation, random: Random, tally: Tally): Promise<void> => {
  const before = random.chance(NESTED) ? image.kill(random) : undefined
  const { commit, operations } = await recover(image, expectation)
  const { states, options } = expectation
  if (random.chance(CONTINUED)) await requireContinuation(image, states[commit]!, options, random)
  if (before !== undefined)
    await crashRecovery(before, operations, { ...expectation, low: commit, high: commit }, random, tally)
}

/** The recovery that makes these changes crashes as well, and so does the next one: all must come to the same. */
const crashRecovery = async (
  disk: FaultDisk,
  operations: readonly Operation[],
  expectation: Expectation,
  random: Random,
  tally: Tally,
): Promise<void> => {
  let before = disk
  let changes = operations
  for (let depth = 1; changes.length > 0; depth++) {
    for (const operation of changes.slice(0, random.below(changes.length))) before.apply(operation)
    const policy = random.pick(policies)
    tally.count(policy)
    tally.nested++
    if (depth > 1) tally.again++
    const image = policy === 'kill' ? before.kill(random) : before.crash(policy, random)
    before = image.kill(random)
    try {
      changes = (await recover(image, expectation)).operations
    } catch (error) {
      const where = `crash in the recovery${' of a recovery'.repeat(depth - 1)}`
      throw new Error(`${where} (${policy}): ${(error as Error).message}`, { cause: error })
    }
    if (depth === DEEPEST || random.chance(0.5)) return
  }
}

const killImage = async (
  disk: FaultDisk,
  recording: Recording,
  index: number,
  random: Random,
  tally: Tally,
): Promise<void> => {
  const image = disk.kill(random)
  const before = disk.kill(random)
  tally.count('kill')
  const { db, commit, operations } = await recover(image, {
    ...recording,
    ...expected(recording, index, false),
  })
  // What the first process left unsynced is still unsynced when the power fails during, or after, the recovery.
  const done = random.below(operations.length + 1)
  for (const operation of operations.slice(0, done)) before.apply(operation)
  const policy = random.pick(crashPolicies)
  tally.count(policy)
  tally.nested++
  const bounds = expected(recording, index, true)
  const low = done === operations.length ? commit : bounds.low
  const left = before.crash(policy, random)
  const again = random.chance(NESTED) ? left.kill(random) : undefined
  const expectation = { ...recording, low, high: Math.max(commit, bounds.low) }
  try {
    const next = await recover(left, expectation)
    const same = { ...expectation, low: next.commit, high: next.commit }
    if (again !== undefined) await crashRecovery(again, next.operations, same, random, tally)
  } catch (error) {
    const when = done === operations.length ? 'after the recovery' : 'in the recovery'
    throw new Error(`loss of power ${when} from a kill (${policy}): ${(error as Error).message}`, {
      cause: error,
    })
  }
  await requireNewCommit(image, db, recording.states[commit]!, recording.options, random)
}
