/** PUBLISH to a channel that others have subscribed to: a message is done when all of them have it. */
import { Client, request } from './client.ts'
import { type LoadResult, runLoad } from './load.ts'

export const SUBSCRIBERS = 50
const CHANNEL = 'bench'
const PAYLOAD_BYTES = 100

/** Messages per second that all subscribers have got; the times are those of the publishers. */
export async function runPublish(port: number, messages: number, publishers: number): Promise<LoadResult> {
  const subscribers = await Promise.all(Array.from({ length: SUBSCRIBERS }, () => Client.open(port)))
  try {
    const subscribe = request(['SUBSCRIBE', CHANNEL])
    await Promise.all(subscribers.map(subscriber => subscriber.ask(subscribe)))
    const command = ['PUBLISH', CHANNEL, 'v'.repeat(PAYLOAD_BYTES)]
    const started = performance.now()
    const published = runLoad(port, {
      command,
      pipeline: 1,
      requests: messages,
      keys: 1,
      clients: publishers,
      valueBytes: 1,
    })
    await Promise.all(subscribers.map(subscriber => subscriber.until(1 + messages)))
    const seconds = (performance.now() - started) / 1000
    return { ...(await published), perSecond: messages / seconds }
  } finally {
    for (const subscriber of subscribers) subscriber.close()
  }
}
