/**
 * All sequences of up to three operations, from every operation that a database knows, over a small database in which
 * one more record splits a bucket. A sequence is crashed in its last operation; the ones before are sequences of their
 * own.
 */
import { Random } from '../../../src/testing/random.ts'
import { type Recording, Session } from './session.ts'
import { keysOfRoots } from './workloads.ts'

type Step = (session: Session, keys: readonly string[]) => unknown

const VALUE = 'v'.repeat(600)

const steps: readonly Step[] = [
  (session, [a]) => session.put(a!, `${session.state.size} small`),
  (session, keys) => session.put(keys[6]!, VALUE),
  (session, [a]) => session.delete(a!),
  (session, keys) => session.put(keys[1]!, 'large'.repeat(3000)),
  (session, [a, b, c]) => session.transaction([[a!, undefined], [b!, VALUE], [c!, 'c']]), // biome-ignore format: one line each
  (session, [a, b]) => session.rollback([[a!, 'never'], [b!, undefined]]), // biome-ignore format: one line each
  (session, keys) => session.batch(keys.slice(6, 12).map(key => [key, VALUE] as const)),
  async (session, keys) => {
    session.async([[keys[2]!, 'in flight']])
    session.async([[keys[3]!, undefined]])
    await session.settle()
  },
  session => session.checkpoint(),
  session => {
    session.close()
    session.open()
  },
]

/** Numbers of steps, one to three of them. */
export const sequences: readonly (readonly number[])[] = steps.flatMap((_, a) => [
  [a],
  ...steps.flatMap((__, b) => [[a, b], ...steps.map((___, c) => [a, b, c])]),
])

export const recordSequence = async (sequence: readonly number[]): Promise<Recording> => {
  const random = new Random(7)
  const session = new Session(
    { durability: 'power', cacheBytes: 16 * 4096, checkpointBytes: 65536, logSegmentBytes: 131072 },
    random,
  )
  const keys = keysOfRoots(session, [5], 12)
  session.batch(keys.slice(0, 6).map(key => [key, VALUE] as const))
  for (const [i, step] of sequence.entries()) {
    if (i === sequence.length - 1) session.begin()
    await steps[step]!(session, keys)
  }
  return session.recording
}
