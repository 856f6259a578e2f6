/** What becomes of acknowledged writes when the leader is cut off from the log, a database is lost, and everything is killed (all faults, and more often: `npm run test:cluster-faults`). */
import { describe, test } from 'vitest'
import { survives } from './campaign/expect.ts'
import { NO_NATS, natsProgram } from './nats-servers.ts'

describe.skipIf(natsProgram === undefined)(`nothing is lost, stale or different (else ${NO_NATS})`, () => {
  test('when the leader is cut off from the log, a database is lost, and everything is killed', () =>
    survives(['the leader is cut off from the log', 'a node loses its database', 'everything is killed']))
})
