/** A shard is not recovered while slots are on their way, or if another shard has by now what its directory says it has. */
import { expect, test } from 'vitest'
import { recoverShard } from '../../src/cli/cluster/recover.ts'
import { storeOf } from '../../src/cluster/engine-store.ts'
import { encodeMark } from '../../src/cluster/mark.ts'
import { encodePaper } from '../../src/cluster/moves/move-channel.ts'
import {
  begun,
  committed,
  copiedMore,
  encodeState,
  frozen,
  handedOver,
  stateOf,
} from '../../src/cluster/moves/slot-state.ts'
import type { ClusterServices } from '../../src/cluster/services.ts'
import type { StoredShardMap } from '../../src/cluster/shard-map.ts'
import { XenonError } from '../../src/errors.ts'
import { nodeStorage, open } from '../../src/index.ts'
import { expectVerified } from '../support/database.ts'
import { withDirectory } from '../support/directory.ts'

const FIRST = stateOf([{ from: 0, to: 8191 }])
const SECOND = stateOf([{ from: 8192, to: 16383 }])
const SLOTS = [{ from: 0, to: 99 }]

const STORED: StoredShardMap = {
  map: {
    shards: [
      { shard: 0, generation: 1, slots: FIRST.owned },
      { shard: 1, generation: 1, slots: SECOND.owned },
    ],
    nodes: [],
  },
  revision: 1,
}

/** Of the states of a move of some slots from shard 0 to shard 1. */
const FROZEN = frozen(FIRST, { id: 'm', slots: SLOTS, to: 1 })
const COPYING = begun(SECOND, { id: 'm', slots: SLOTS, from: 0 })
const COPIED = {
  log: 'l',
  tail: { sequence: 1, epoch: 1, hash: '' },
  last: undefined,
  records: 0,
  bytes: 0,
  isWhole: true,
}
const COMMITTED = committed(copiedMore(COPYING, 'm', COPIED), 'm')
const GIVEN = { ...handedOver(FROZEN, 'm'), outgoing: undefined }
const ARRIVED = { ...COMMITTED, incoming: undefined }

/** What comes of the recovery of shard 0 from a directory with a state, while the leader of shard 1 tells one of its own. */
async function recovered(
  own: typeof FIRST | undefined,
  other: typeof FIRST | undefined,
  force = false,
): Promise<string> {
  const services = {
    moves: () => ({ ask: async () => other && encodePaper({ node: 2, state: other }) }),
    openLog: () => Promise.reject(new XenonError('XENON_NOT_FOUND', 'no log')),
    createLog: () => Promise.reject(new XenonError('XENON_FULL', 'goes on to make a log')),
  } as unknown as ClusterServices
  let found = ''
  await withDirectory(async directory => {
    const path = `${directory}/node`
    const db = open(path)
    const store = storeOf(db, { scratch: `${path}-scratch`, storage: nodeStorage })
    const group = store.begin()
    group.run(() => {
      db.put('a', '1')
      if (own !== undefined) store.moves.writeState(encodeState(own))
    })
    group.commit(encodeMark({ sequence: 7, epoch: 1, time: 1, hash: new Uint8Array(16) }, 'XENON_shop_0_1'))
    await expectVerified(db)
    db.close()
    const settings = { replicas: 1, maxBytes: -1 } as const
    found = await recoverShard(services, 'shop', STORED, 0, path, settings, force).then(
      () => 'recovered',
      (error: Error) => error.message,
    )
  })
  return found
}

const GOES_ON = 'goes on to make a log'

test('it is recovered when no slots are on their way', async () => {
  expect(await recovered(undefined, undefined)).toBe(GOES_ON)
  expect(await recovered(FIRST, undefined)).toBe(GOES_ON)
  expect(await recovered(FIRST, SECOND)).toBe(GOES_ON)
  expect(await recovered(GIVEN, ARRIVED)).toBe(GOES_ON)
})

test('not while the directory or another shard tells of a move, unless it is forced', async () => {
  expect(await recovered(FROZEN, undefined)).toMatch(
    /^the slots 0-99 are on their way from shard 0 to shard 1 \(frozen\)/,
  )
  expect(await recovered(FIRST, COPYING)).toMatch(/ from shard 0 to shard 1 \(copying\): .* move shop --cancel --to 1/)
  expect(await recovered(FROZEN, COMMITTED)).toMatch(/ \(frozen\)/)
  expect(await recovered(FROZEN, undefined, true)).toBe(GOES_ON)
  expect(await recovered(FROZEN, COMMITTED, true)).toBe(GOES_ON)
  expect(await recovered(FIRST, COPYING, true)).toBe(GOES_ON)
})

test('a directory that knows nothing of a hand-over is refused, also if it is forced', async () => {
  for (const force of [false, true])
    for (const other of [COMMITTED, ARRIVED])
      expect(await recovered(FIRST, other, force)).toMatch(/^shard 1 has the slots 0-99, which shard 0 has given away/)
})
