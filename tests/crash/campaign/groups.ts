/**
 * A replica: groups of commands, some of them taken back, and changes that come from elsewhere. Whatever a crash leaves,
 * the state is the one that its mark names.
 */
import { type Change as RecordChange, type Replica, replicaOf } from '../../../src/database/replica.ts'
import type { Random } from '../../../src/testing/random.ts'
import type { Change, Session } from './session.ts'
import { MARK, placeOf } from './spaces.ts'

const utf8 = new TextEncoder()

/** Groups of one run. */
const GROUPS = 24

export const groups = async (session: Session): Promise<void> => {
  const { random } = session
  session.batch(Array.from({ length: 8 }, (_, i) => [`key ${i}`, text(random)] as const))
  session.sub('users')
  let replica = replicaOf(session.db)
  session.begin()
  for (let number = 1; number <= GROUPS; number++) {
    const changes = someChanges(random)
    const mark = `${number}`.repeat(random.between(1, 32))
    if (random.chance(0.35))
      session.by([...changes, [MARK, mark]], () => replica.apply(told(changes), utf8.encode(mark)))
    else await execute(session, replica, changes, mark)
    const roll = random.below(12)
    if (roll === 0) await session.checkpoint()
    else if (roll === 1) await session.flush()
    else if (roll === 2) {
      session.close()
      replica = replicaOf(session.open())
    } else if (roll === 3) await session.backup(`copy ${number}`, () => {})
  }
}

/** The leader's way: commands one by one, and an open group while others have their turn. */
const execute = async (session: Session, replica: Replica, changes: readonly Change[], mark: string): Promise<void> => {
  const { random } = session
  const group = replica.begin()
  const command = ([name, value]: Change): void => {
    const { space, key } = placeOf(session.db, name)
    if (value === undefined) space.delete(key)
    else space.put(key, value)
  }
  for (const change of changes) {
    if (random.chance(0.3)) {
      for (const other of someChanges(random)) group.run(() => command(other))
      group.rollback()
      return execute(session, replica, changes, mark)
    }
    if (random.chance(0.4)) takenBack(() => group.run(() => failing(random, command)))
    group.run(() => command(change))
  }
  if (random.chance(0.3)) await session.flush()
  if (random.chance(0.15)) await session.checkpoint()
  session.by([...changes, [MARK, mark]], () => group.commit(utf8.encode(mark)))
}

const failing = (random: Random, command: (change: Change) => void): never => {
  for (const change of someChanges(random)) command(change)
  throw new Error('taken back')
}

const takenBack = (work: () => unknown): void => {
  try {
    work()
  } catch (error) {
    if ((error as Error).message !== 'taken back') throw error
  }
}

const told = (changes: readonly Change[]): RecordChange[] =>
  changes.map(([name, value]): RecordChange => {
    const [path, key] = name.startsWith('@users/') ? [['users'], name.slice('@users/'.length)] : [[], name]
    return value === undefined
      ? { type: 'delete', space: path, key: utf8.encode(key) }
      : { type: 'put', space: path, key: utf8.encode(key), expiresAt: 0, flags: 0, value: utf8.encode(value) }
  })

/** Each key once: what is told is what is so at the end. */
const someChanges = (random: Random): Change[] => {
  const keys = Array.from({ length: 12 }, (_, i) => `${i % 3 === 0 ? '@users/' : ''}key ${i}`)
  return random
    .shuffle(keys)
    .slice(0, random.between(1, 5))
    .map(key => [key, random.chance(0.3) ? undefined : text(random)])
}

const text = (random: Random): string =>
  `${random.next()}`.padEnd(random.chance(0.1) ? random.between(3000, 9000) : random.between(1, 500), 'abcdefgh')
