const { open } = require('lmdb')
const fs = require('fs')
const N = Number(process.argv[2] ?? 100000)
const dir = '/work/.xlm'
fs.rmSync(dir, { recursive: true, force: true })
const db = open({
  path: dir,
  noSync: true,
  useWritemap: true,
  noMemInit: true,
  encoding: 'string',
  mapSize: 1 << 30,
})
const key = i =>
  'k' + String(Math.imul(i, 2654435761) >>> 0).padStart(10, '0') + String(i % 10000).padStart(4, '0')
const keys = Array.from({ length: N }, (_, i) => key(i))
const val = 'v'.repeat(90)
const v = i => val + String(i).padStart(10, '0').slice(-10)
let t = performance.now()
for (let i = 0; i < N; i += 1000)
  db.transactionSync(() => {
    for (let j = i; j < i + 1000; j++) db.putSync(keys[j], v(j))
  })
console.log('load', (((performance.now() - t) * 1000) / N).toFixed(3))
const perm = new Uint32Array(N)
for (let i = 0; i < N; i++) perm[i] = i
for (let i = N - 1; i > 0; i--) {
  const j = (Math.random() * (i + 1)) | 0
  const a = perm[i]
  perm[i] = perm[j]
  perm[j] = a
}
for (let r = 0; r < 5; r++) {
  t = performance.now()
  for (let i = 0; i < N; i++) if (db.get(keys[perm[i]]).length !== 100) throw 1
  console.log('get', (((performance.now() - t) * 1000) / N).toFixed(3))
}
db.close().then(() => fs.rmSync(dir, { recursive: true, force: true }))
