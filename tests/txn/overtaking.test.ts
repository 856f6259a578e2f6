/** Whoever waits to change a key of a range is not overtaken by those who come later to read it. */
import { expect, test } from 'vitest'
import { withMemoryDatabase } from '../support/database.ts'

test('a reader of a range waits behind a put that came before it, whatever was read meanwhile', () =>
  withMemoryDatabase({ durability: 'process' }, async ({ db }) => {
    for (const key of ['a', 'c', 'y']) db.put(key, '0')
    const order: string[] = []
    const first = db.begin()
    expect([...first.keys({ gte: 'a', lt: 'd' })]).toEqual(['a', 'c'])
    const put = db.async.put('b', '1').then(() => order.push('put'))
    // The key of the put must not lie where these lie now.
    for (const key of ['y', 'z']) db.get(key)
    const read = db.async
      .transact(async tx => {
        const keys: string[] = []
        for await (const key of tx.keys({ gte: 'a', lt: 'd' })) keys.push(key)
        return keys
      })
      .then(keys => {
        order.push('read')
        return keys
      })
    await new Promise(resolve => setTimeout(resolve, 5))
    expect(order).toEqual([])
    first.commit()
    expect(await read).toEqual(['a', 'b', 'c'])
    await put
  }))
