/** MSET and DEL of many keys at a time: each DEL takes what an MSET has put. */
import { percentile } from '../support/statistics.ts'
import { Client, request } from './client.ts'
import type { LoadResult } from './load.ts'

const KEYS_AT_A_TIME = 1000
const CLIENTS = 50

/** So many commands of 1,000 keys, by 50 clients; all MSETs come first. */
export async function runManyKeys(
  port: number,
  commands: number,
  valueBytes: number,
): Promise<{ mset: LoadResult; del: LoadResult }> {
  const value = 'v'.repeat(valueBytes)
  const batches = Array.from({ length: commands }, (_, batch) =>
    Array.from({ length: KEYS_AT_A_TIME }, (_, i) => `many:${batch}:${i}`),
  )
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => Client.open(port)))
  try {
    const mset = await timeOf(clients, batches, keys => ['MSET', ...keys.flatMap(key => [key, value])])
    const del = await timeOf(clients, batches, keys => ['DEL', ...keys])
    return { mset, del }
  } finally {
    for (const client of clients) client.close()
  }
}

async function timeOf(
  clients: readonly Client[],
  batches: readonly (readonly string[])[],
  words: (keys: readonly string[]) => string[],
): Promise<LoadResult> {
  const requests = batches.map(keys => request(words(keys)))
  const waits: number[] = []
  let next = 0
  const started = performance.now()
  await Promise.all(
    clients.map(async client => {
      while (next < requests.length) {
        const bytes = requests[next++]!
        const sent = performance.now()
        await client.ask(bytes)
        waits.push(performance.now() - sent)
      }
    }),
  )
  const seconds = (performance.now() - started) / 1000
  waits.sort((a, b) => a - b)
  return { perSecond: requests.length / seconds, p50: percentile(waits, 0.5), p99: percentile(waits, 0.99) }
}
