// A process that shares a database and does nothing with it: `node owner.mjs DIRECTORY`.
import { openShared } from '../../dist/shared/index.js'

const store = await openShared(process.argv[2])
console.log(store.role)
setInterval(() => {}, 1000)
