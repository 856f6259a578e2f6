/** What becomes of acknowledged writes when the log runs full, and is purged behind a node (all faults, and more often: `npm run test:cluster-faults`). */
import { describe, test } from 'vitest'
import { logBytesFor } from './campaign/campaign.ts'
import { survives } from './campaign/expect.ts'
import { NO_NATS, natsProgram } from './nats-servers.ts'

describe.skipIf(natsProgram === undefined)(`nothing is lost, stale or different (else ${NO_NATS})`, () => {
  // Each in a cluster of its own: nobody takes snapshots but the test, so that the log fills up again.
  test.each(['the log is full', 'a node is behind what was purged'])('when %s', fault =>
    survives([fault], { maxBytes: logBytesFor(fault) }),
  )
})
