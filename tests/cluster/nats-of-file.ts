import { afterAll, beforeAll } from 'vitest'
import { withDirectory } from '../support/directory.ts'
import { type NatsOptions, type NatsServers, withNats } from './nats-servers.ts'

/** Servers for all tests of a file, from `beforeAll` to `afterAll`. */
export function natsOfFile(options: NatsOptions = {}): { readonly servers: NatsServers } {
  let servers: NatsServers | undefined
  let end = (): void => {}
  let over: Promise<void> | undefined
  beforeAll(async () => {
    await new Promise<void>((resolve, reject) => {
      over = withDirectory(directory =>
        withNats(directory, options, async started => {
          servers = started
          const finished = new Promise<void>(done => {
            end = done
          })
          resolve()
          await finished
        }),
      )
      over.catch(reject)
    })
  })
  afterAll(async () => {
    end()
    await over
  })
  return {
    get servers() {
      if (servers === undefined) throw new Error('the servers are there from the first test on')
      return servers
    },
  }
}
