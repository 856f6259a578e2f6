/** What becomes of acknowledged writes when nodes are killed, stand still and hand over (all faults, and more often: `npm run test:cluster-faults`). */
import { describe, test } from 'vitest'
import { survives } from './campaign/expect.ts'
import { NO_NATS, natsProgram } from './nats-servers.ts'

describe.skipIf(natsProgram === undefined)(`nothing is lost, stale or different (else ${NO_NATS})`, () => {
  test('when nodes are killed, stand still and hand over', () =>
    survives(['the leader is killed', 'the leader stands still', 'all nodes are killed', 'the leader hands over']))
})
