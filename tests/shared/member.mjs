// One of several processes that share a database: `node member.mjs DIRECTORY NAME`. It writes numbered records under its
// name, one behind the other, and prints what was acknowledged ("ack N"), what nobody knows of ("lost N"), and "owner"
// when it has become the owner. Every tenth goes through a transaction that counts, too. With `marks` as third argument
// nothing is to be lost.
import { openShared } from '../../dist/shared/index.js'

const [directory, name, marks] = process.argv.slice(2)
const store = await openShared(directory, { ownerTimeout: 60_000, marks: marks === 'marks' })
store.on('owner', () => console.log('owner'))
console.log(store.role === 'owner' ? 'owner' : 'ready')

let ending = false
process.stdin.on('data', () => {
  ending = true
})
for (let i = 0; !ending; i++) {
  try {
    if (i % 10 === 9)
      await store.transact(async tx => {
        await tx.put(`${name}:count`, `${Number((await tx.get(`${name}:count`)) ?? 0) + 1}`)
        await tx.put(`${name}:last`, `${i}`)
      })
    else
      await store.batch([
        { type: 'put', key: `${name}:${String(i).padStart(8, '0')}`, value: `${i}` },
        { type: 'put', key: `${name}:last`, value: `${i}` },
      ])
    const last = Number(await store.get(`${name}:last`))
    if (last !== i) console.log(`wrong ${i} ${last}`)
    console.log(`ack ${i}`)
  } catch (error) {
    if (error.code !== 'XENON_OWNER_LOST' || !error.sent) console.log(`error ${i} ${error.code} ${error.message}`)
    else console.log(`lost ${i}`)
  }
}
await store.close()
console.log('closed')
process.exit(0)
