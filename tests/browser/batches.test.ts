/** Many messages as one: in their order, and none lost for another one's sake. */
import { expect, test } from 'vitest'
import { batched } from '../../src/browser/batches.ts'
import type { Line } from '../../src/browser/web.ts'

interface Sent {
  line: Line
  messages: unknown[]
  /** A message comes from the other end. */
  receive(data: unknown): void
}

const lineTo = (): Sent => {
  const messages: unknown[] = []
  let isClosed = false
  let hear: (event: { data: unknown }) => void = () => {}
  return {
    messages,
    receive: data => hear({ data }),
    line: {
      postMessage(message) {
        if (isClosed) throw new Error('it is closed')
        messages.push(structuredClone(message))
      },
      addEventListener: (_, listener) => {
        hear = listener
      },
      close() {
        isClosed = true
      },
    },
  }
}

const isLate = (message: unknown): boolean => (message as { late?: boolean }).late === true

test('what may wait is sent together at the end of the turn, and before whatever may not', async () => {
  const { line, messages } = lineTo()
  const late = batched(line, { mayWait: isLate })
  const [a, b, c, d] = [1, 2, 3, 4].map(id => ({ id, late: id !== 3 }))
  for (const message of [a, b, c, d]) late.postMessage(message)
  expect(messages).toEqual([[a, b], c])
  await Promise.resolve()
  expect(messages).toEqual([[a, b], c, d])
})

test('the other end hears each', () => {
  const { line, receive } = lineTo()
  const heard: unknown[] = []
  batched(line, { mayWait: isLate }).addEventListener('message', ({ data }) => heard.push(data))
  for (const data of [1, [2, 3], 4]) receive(data)
  expect(heard).toEqual([1, 2, 3, 4])
})

test('one that cannot be sent is told in its place, and the others are sent', async () => {
  const { line, messages } = lineTo()
  const instead = (message: unknown, error: unknown): unknown => `${(message as { id: number }).id}: ${String(error)}`
  const late = batched(line, { mayWait: () => true, instead })
  for (const message of [{ id: 1 }, { id: 2, value: () => {} }, { id: 3 }]) late.postMessage(message)
  await Promise.resolve()
  expect(messages).toEqual([{ id: 1 }, expect.stringMatching(/^2: DataCloneError/), { id: 3 }])
})

test('when it is closed what waits is sent, and nothing more', async () => {
  const { line, messages } = lineTo()
  const late = batched(line, { mayWait: isLate })
  late.postMessage({ id: 1, late: true })
  late.close()
  late.postMessage({ id: 2, late: true })
  late.postMessage({ id: 3 })
  await Promise.resolve()
  expect(messages).toEqual([{ id: 1, late: true }])
})
