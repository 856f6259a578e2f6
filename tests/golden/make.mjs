/**
 * Makes golden databases with a built checkout of xenondb, one `.json.br` for each kind of database, in a folder here:
 *
 *     node tests/golden/make.mjs CHECKOUT FOLDER
 *
 * A file holds what the database is, the options to open it with, its records as they must be found, and the bytes of
 * its files. README.md says which folders there are, and when a new one is due.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { brotliCompressSync } from 'node:zlib'
import { rolldown } from 'rolldown'

const HOUR = 3_600_000
/** What the clock of each database said while it was made. */
const NOW = Date.UTC(2026, 10, 29)
const BLOCK = 4096
/** Blocks of a database that was killed that a loss of power has torn as well. */
const TORN = 4

const [checkout, folder, killed] = process.argv.slice(2)
if (folder === undefined) {
  console.error('usage: node tests/golden/make.mjs CHECKOUT FOLDER')
  process.exit(2)
}
/** What makes a replica is no part of an entry of the package: there both are bundled together. */
const load = async () => {
  const base = resolve(checkout)
  if (!folder.startsWith('4-')) return await import(pathToFileURL(join(base, 'dist/index.js')).href)
  const bundle = await rolldown({
    cwd: base,
    input: { index: 'src/index.ts', replica: 'src/database/replica.ts' },
    platform: 'node',
    external: id => !/^[./]/.test(id),
  })
  const dir = join(base, 'build/golden')
  await bundle.write({ dir, format: 'esm' })
  await bundle.close()
  const [index, replica] = ['index', 'replica'].map(name => pathToFileURL(join(dir, `${name}.js`)).href)
  return { ...(await import(index)), ...(await import(replica)) }
}
const { open, nodeStorage, replicaOf } = await load()
const storage = { ...nodeStorage, now: () => NOW }

/** Text of about `length` characters that says at each place where it belongs, and takes little when it is packed. */
const text = (name, length) => {
  let made = ''
  for (let part = 0; made.length < length; part++) made += `${name}, part ${part} `.padEnd(256, '-')
  return made.slice(0, length)
}

/** Writes to a database and to the model of it. */
class Writer {
  constructor(db) {
    this.db = db
    this.records = new Map()
    /** Of sub-databases: path, and records by key. */
    this.subs = []
  }

  put(key, value, ttl) {
    this.db.put(key, value, ttl === undefined ? {} : { ttl })
    this.records.set(key, { value, expiresAt: ttl === undefined ? undefined : NOW + ttl })
  }

  delete(key) {
    this.db.delete(key)
    this.records.delete(key)
  }

  /** A sub-database, in the database or in another one; `put` and `delete` of what it returns keep its model. */
  sub(path, options) {
    let space = this.db
    for (const name of path) space = space.sub(name, name === path.at(-1) ? options : undefined)
    const records = new Map()
    const entry = { path, records }
    this.subs.push(entry)
    return {
      space,
      put(key, value) {
        space.put(key, value)
        records.set(key, { value })
      },
      clear() {
        space.clear()
        records.clear()
      },
    }
  }

  /** Deletes, overwrites and adds, so that buckets split, slots are used again and blocks become free. */
  async churn(count, length) {
    for (let i = 0; i < count; i++) this.put(`key ${i}`, text(`value ${i}`, length(i)))
    for (let i = 0; i < count; i += 3) this.delete(`key ${i}`)
    await this.db.checkpoint()
    for (let i = 1; i < count; i += 6) this.put(`key ${i}`, text(`second value ${i}`, length(i + 7)))
    this.db.batch(Array.from({ length: 20 }, (_, i) => ({ type: 'put', key: `batch ${i}`, value: `${i * i}` })))
    for (let i = 0; i < 20; i++) this.records.set(`batch ${i}`, { value: `${i * i}` })
  }
}

const STRANGE_KEYS = ['a', '\u0000', 'ä', '😀', '__proto__', 'k'.repeat(1024)]

/** Closed cleanly. `write` gets a `Writer`. */
const closed = {
  ordered: {
    what: 'The ordered index, keys of all sorts, buckets that have split, deleted records.',
    options: { ordered: true },
    async write(writer) {
      for (const [i, key] of STRANGE_KEYS.entries()) writer.put(key, i === 0 ? '' : `strange key ${i}`)
      await writer.churn(300, i => 200 + ((i * 379) % 1500))
    },
  },
  unordered: {
    what: 'No ordered index; otherwise the same.',
    options: { ordered: false },
    async write(writer) {
      for (const [i, key] of STRANGE_KEYS.entries()) writer.put(key, i === 0 ? '' : `strange key ${i}`)
      await writer.churn(300, i => 200 + ((i * 379) % 1500))
    },
  },
  'large-values': {
    what: 'Values of several blocks, replaced, shortened and deleted: some of their blocks are free.',
    options: { ordered: true },
    async write(writer) {
      for (let i = 0; i < 12; i++) writer.put(`large ${i}`, text(`large ${i}`, 2000 + i * i * 500))
      await writer.db.checkpoint()
      writer.put('large 11', 'small now')
      writer.put('large 0', text('large 0 again', 40_000))
      for (const i of [3, 6, 9]) writer.delete(`large ${i}`)
      writer.put('large 12', text('large 12', 9000))
    },
  },
  expiring: {
    what: 'Records that expire in hours, years or never; those of the first hour have expired and are not swept.',
    options: { ordered: true },
    async write(writer) {
      for (let i = 0; i < 100; i++) {
        const ttl = [HOUR, 24 * HOUR + i, 20 * 365 * 24 * HOUR, undefined][i % 4]
        writer.put(`key ${i}`, text(`value ${i}`, 20 + 13 * i), ttl)
      }
      writer.put('large', text('large', 10_000), 48 * HOUR)
      for (let i = 1; i < 100; i += 12) {
        writer.db.persist(`key ${i}`)
        writer.records.get(`key ${i}`).expiresAt = undefined
        writer.db.expire(`key ${i + 2}`, 72 * HOUR)
        writer.records.get(`key ${i + 2}`).expiresAt = NOW + 72 * HOUR
      }
    },
  },
  compressed: {
    what: "Values compressed by 'deflate', in line and large; some do not shrink and are stored as they are.",
    options: { ordered: true, compression: 'deflate' },
    async write(writer) {
      for (let i = 0; i < 60; i++) writer.put(`key ${i}`, text(`value ${i}`, 30 + 40 * i))
      for (let i = 0; i < 10; i++) writer.put(`short ${i}`, `${i}`)
      writer.put('large', text('large', 60_000))
      writer.put('large when compressed', Array.from({ length: 3000 }, (_, i) => (i * i) % 977).join(' '))
    },
  },
  'json-in-8-kib-blocks': {
    what: 'Blocks of 8 KiB, keys as bytes, values as JSON.',
    options: { ordered: true, keyEncoding: 'binary', valueEncoding: 'json' },
    creation: { blockSize: 8192 },
    async write(writer) {
      for (let i = 0; i < 80; i++)
        writer.put(Uint8Array.of(i % 3, 255 - i, i), { i, name: text(`name ${i}`, 9 * i), list: [i, null] })
      writer.put(Uint8Array.of(0xff, 0xfe), [null, true, 1.5, 'x', { large: text('large', 20_000) }])
    },
  },
}

/** From format 3 on: the first folder of that format has these alone. */
const closedWithSpaces = {
  'sub-databases': {
    what: 'Sub-databases, one in another, with encodings of their own, large values; one was dropped, one was cleared.',
    options: { ordered: true },
    async write(writer) {
      writer.put('key', 'of the root')
      const users = writer.sub(['users'], { valueEncoding: 'json' })
      for (let i = 0; i < 400; i++) users.put(`user ${i}`, { i, name: text(`name ${i}`, 9 * (i % 90)) })
      const old = writer.sub(['users', 'old'])
      for (let i = 0; i < 20; i++) old.put(`key ${i}`, text(`old ${i}`, 100 * i))
      writer.sub(['tuples'], { keyEncoding: 'tuple' }).space.put(['a', 1], 'one')
      writer.subs.pop()
      for (let i = 0; i < 100; i++) writer.db.sub('dropped').put(`key ${i}`, text(`dropped ${i}`, 700))
      writer.db.drop('dropped')
      const cleared = writer.sub(['cleared'])
      for (let i = 0; i < 100; i++) cleared.put(`key ${i}`, text(`cleared ${i}`, 700))
      cleared.clear()
      cleared.put('large', text('large', 30_000))
    },
  },
}

const uncleanWithSpaces = {
  'killed-with-sub-databases': {
    what: 'SIGKILL with a transaction open over several sub-databases, parts of it written back, and right after a sub-database was cleared and another one dropped: their blocks are not free yet.',
    options: { ordered: true },
    creation: { cacheBytes: 16 * BLOCK, checkpointBytes: 65536, logSegmentBytes: 131072 },
    async write(writer) {
      const { db } = writer
      writer.put('key', 'of the root')
      const [users, cleared] = [writer.sub(['users']), writer.sub(['cleared'])]
      for (let i = 0; i < 150; i++) {
        users.put(`key ${i}`, text(`user ${i}`, 200 + ((i * 379) % 900)))
        cleared.put(`key ${i}`, text(`cleared ${i}`, 500))
        db.sub('dropped').put(`key ${i}`, text(`dropped ${i}`, 500))
      }
      cleared.clear()
      db.drop('dropped')
      const tx = users.space.begin()
      for (let i = 0; i < 40; i++) tx.put(`key ${i}`, text(`uncommitted ${i}`, 900))
      tx.in(db).put('uncommitted', 'never seen')
      tx.in(cleared.space).put('uncommitted', 'never seen')
      for (let i = 100; i < 150; i++) users.put(`key ${i}`, text(`second ${i}`, 900))
      await db.flush()
    },
  },
}

/** Groups of commands, each with a mark; the model keeps the last one. */
class GroupWriter {
  constructor(writer) {
    this.writer = writer
    this.replica = replicaOf(writer.db)
  }

  commit(mark, work) {
    const group = this.replica.begin()
    group.run(work)
    group.commit(new TextEncoder().encode(mark))
    this.writer.mark = mark
  }
}

/** From format 4 on. */
const closedWithMark = {
  marked: {
    what: 'A replica of a cluster: groups with a mark each, the last one of 64 bytes.',
    options: { ordered: true },
    async write(writer) {
      const groups = new GroupWriter(writer)
      const users = groups.replica.begin()
      let sub
      users.run(() => {
        sub = writer.sub(['users'])
      })
      users.commit(Uint8Array.of(1))
      for (let i = 0; i < 40; i++)
        groups.commit(`group ${i}`.padEnd(64, '.'), () => {
          for (let n = 0; n < 8; n++) writer.put(`key ${(i * 7 + n) % 90}`, text(`value ${i}`, 20 + 17 * n))
          writer.delete(`key ${(i * 3) % 90}`)
          sub.put(`user ${i}`, text(`user ${i}`, 200))
        })
    },
  },
}

const uncleanWithMark = {
  'killed-with-an-open-group': {
    what: 'SIGKILL of a replica whose last mark is in the log alone, and that has a group open, parts of it written back.',
    options: { ordered: true },
    creation: { cacheBytes: 16 * BLOCK, checkpointBytes: 65536, logSegmentBytes: 131072 },
    async write(writer) {
      const groups = new GroupWriter(writer)
      for (let i = 0; i < 30; i++)
        groups.commit(`group ${i}`, () => {
          for (let n = 0; n < 6; n++) writer.put(`key ${(i * 5 + n) % 120}`, text(`value ${i} ${n}`, 500))
        })
      groups.commit('the last one', () => writer.put('large', text('large', 20_000)))
      const group = groups.replica.begin()
      for (let i = 0; i < 60; i++) group.run(() => writer.db.put(`key ${i}`, text(`uncommitted ${i}`, 900)))
      await writer.db.flush()
    },
  },
}

/** The kinds of a folder. */
const kindsOf = (plain, withSpaces, withMark) =>
  folder.startsWith('4-')
    ? withMark
    : folder === '3-key-spaces'
      ? withSpaces
      : folder.startsWith('2-')
        ? plain
        : { ...plain, ...withSpaces }

/** Killed by SIGKILL. */
const unclean = {
  'killed-at-its-first-commit': {
    what: 'A database whose process was killed right after its first commit: nothing but the creation wrote block 0.',
    options: { ordered: true },
    async write(writer) {
      writer.put('first', 'commit')
    },
  },
  'killed-with-open-transactions': {
    what: 'A process that was killed with transactions open, parts of them written back by a pool of 16 blocks and synced; a loss of power has torn some of the blocks as well, of which there are images.',
    options: { ordered: true },
    creation: { cacheBytes: 16 * BLOCK, checkpointBytes: 65536, logSegmentBytes: 131072 },
    tears: true,
    async write(writer) {
      const { db } = writer
      await writer.churn(150, i => 200 + ((i * 379) % 900))
      writer.put('large', text('large', 9000))
      writer.put('expires', 'in a week', 7 * 24 * HOUR)
      await db.checkpoint()
      db.transaction(tx => {
        tx.put('in a transaction', text('in a transaction', 700))
        const savepoint = tx.savepoint()
        tx.put('taken back', 'never seen')
        tx.delete('large')
        tx.rollbackTo(savepoint)
      })
      writer.records.set('in a transaction', { value: text('in a transaction', 700) })
      const first = db.begin()
      first.put('uncommitted', text('uncommitted', 300))
      first.put('large', text('uncommitted large', 20_000))
      first.delete('expires')
      const second = db.begin()
      let changed = 0
      for (let i = 1; changed < 8; i++)
        changed += whereFree(() => second.put(`key ${i}`, text(`uncommitted ${i}`, 900)))
      second.put('another', text('uncommitted', 300))
      // The pool writes what is uncommitted back to make room for these.
      for (let i = 0; i < 60; i++) {
        const value = text(`third value ${i}`, 150 + 11 * i)
        if (whereFree(() => db.put(`key ${i}`, value)) === 1) writer.records.set(`key ${i}`, { value })
        if (i === 30) await db.flush()
      }
      await db.flush()
      for (let i = 0; i < 10; i++) {
        const value = text(`last value ${i}`, 100)
        if (whereFree(() => db.put(`last ${i}`, value)) === 1) writer.records.set(`last ${i}`, { value })
      }
    },
  },
}

/** 1 if it was done, 0 if an open transaction holds what it needs. */
const whereFree = action => {
  try {
    action()
    return 1
  } catch (error) {
    if (error.code !== 'XENON_LOCK_CONFLICT') throw error
    return 0
  }
}

const packed = value => (value instanceof Uint8Array ? { bytes: Buffer.from(value).toString('latin1') } : value)

const packedRecords = records =>
  [...records].map(([key, { value, expiresAt }]) => [
    packed(key),
    packed(value),
    ...(expiresAt === undefined ? [] : [expiresAt]),
  ])

/** Of the reserve only the size: its bytes mean nothing, and cannot be packed. */
const packedFile = (path, bytes) => (path === 'log/reserve' ? bytes.length : Buffer.from(bytes).toString('latin1'))

/** The files of a database by their path in its directory, but for the lock. */
const filesOf = directory => {
  const files = new Map()
  for (const name of readdirSync(directory, { recursive: true }).sort())
    if (statSync(join(directory, name)).isFile() && !/^lock\b/.test(name))
      files.set(name.replaceAll('\\', '/'), new Uint8Array(readFileSync(join(directory, name))))
  return files
}

const writeFiles = (directory, files) => {
  mkdirSync(join(directory, 'log'), { recursive: true })
  for (const [name, bytes] of files) writeFileSync(join(directory, name), bytes)
}

/** Whether the checkout itself recovers these files to these records. */
const recovers = (files, { options }, records) => {
  const place = mkdtempSync(join(tmpdir(), 'xenon-golden-'))
  try {
    writeFiles(place, files)
    const db = open(place, { ...options, storage, createIfMissing: false })
    const found = new Map()
    for (db.reset(); db.next(); ) {
      const { key, value } = db.readCurrent()
      found.set(key, value)
    }
    db.close()
    return found.size === records.length && records.every(([key, value]) => found.get(key) === value)
  } catch {
    return false
  } finally {
    rmSync(place, { recursive: true, force: true })
  }
}

/**
 * Tears index blocks, as a loss of power does in the middle of a write: each that the checkout gets back. An index block is
 * not formatted anew by the log, so that only an image can bring it back.
 */
const tear = (files, database, records) => {
  const torn = []
  let image = files
  for (let block = 1; block <= 101 && torn.length < TORN; block++) {
    const next = new Map(image)
    next.set(
      'data',
      next
        .get('data')
        .slice()
        .fill(0xa5, block * BLOCK + 1536, block * BLOCK + 3072),
    )
    if (!recovers(next, database, records)) continue
    const withoutImages = new Map([...next].filter(([name]) => !name.includes('images-')))
    if (withoutImages.size < next.size && recovers(withoutImages, database, records)) continue
    image = next
    torn.push(block)
  }
  if (torn.length < TORN) throw new Error(`only ${torn.length} torn blocks have images; ${TORN} are wanted`)
  return { files: image, torn }
}

const version = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8')).version
const commit = execFileSync('git', ['-C', checkout, 'rev-parse', '--short', 'HEAD'], {
  encoding: 'utf8',
}).trim()

const store = (name, { what, options }, records, files, more) => {
  const contents = {
    what,
    madeBy: `xenondb ${version}, commit ${commit}`,
    format: new DataView(files.get('data').buffer).getUint32(8, true),
    now: NOW,
    options,
    ...more,
    records,
    files: Object.fromEntries([...files].map(([path, bytes]) => [path, packedFile(path, bytes)])),
  }
  const target = join(dirname(fileURLToPath(import.meta.url)), folder, `${name}.json.br`)
  mkdirSync(dirname(target), { recursive: true })
  const bytes = brotliCompressSync(JSON.stringify(contents))
  writeFileSync(target, bytes)
  console.log(`${folder}/${name}: ${records.length} records, ${bytes.length} bytes`)
}

const packedMark = ({ mark }) => (mark === undefined ? {} : { mark })

const packedSubs = ({ subs }) =>
  subs.length === 0 ? {} : { subs: subs.map(({ path, records }) => ({ path, records: packedRecords(records) })) }

const allUnclean = kindsOf(unclean, uncleanWithSpaces, uncleanWithMark)

/** In the process that will be killed. */
const runKilled = async () => {
  const { options, creation, write } = allUnclean[killed]
  const db = open('db', { ...options, ...creation, storage, durability: 'process' })
  const writer = new Writer(db)
  await write(writer)
  writeFileSync('records.json', JSON.stringify(packedRecords(writer.records)))
  writeFileSync('subs.json', JSON.stringify({ ...packedSubs(writer), ...packedMark(writer) }))
  const { images } = db.stats().log
  if (allUnclean[killed].tears && !(images > 0)) throw new Error('there are no images of blocks')
  process.kill(process.pid, 'SIGKILL')
}

const makeAll = async () => {
  for (const [name, database] of Object.entries(kindsOf(closed, closedWithSpaces, closedWithMark))) {
    const place = mkdtempSync(join(tmpdir(), 'xenon-golden-'))
    const db = open(place, { ...database.options, ...database.creation, storage, logSegmentBytes: 131072 })
    const writer = new Writer(db)
    await database.write(writer)
    db.close()
    store(name, database, packedRecords(writer.records), filesOf(place), {
      closed: true,
      ...packedSubs(writer),
      ...packedMark(writer),
    })
    rmSync(place, { recursive: true })
  }
  for (const [name, database] of Object.entries(allUnclean)) {
    const place = mkdtempSync(join(tmpdir(), 'xenon-golden-'))
    const script = fileURLToPath(import.meta.url)
    const { signal } = spawnSync(process.execPath, [script, resolve(checkout), folder, name], {
      cwd: place,
      stdio: 'inherit',
    })
    if (signal !== 'SIGKILL') throw new Error(`${name} was not killed but ended`)
    const records = JSON.parse(readFileSync(join(place, 'records.json'), 'utf8'))
    const files = filesOf(join(place, 'db'))
    if (!recovers(files, database, records)) throw new Error(`${name} is not what it should be`)
    const torn = database.tears ? tear(files, database, records) : { files }
    const subs = JSON.parse(readFileSync(join(place, 'subs.json'), 'utf8'))
    store(name, database, records, torn.files, { closed: false, ...subs, ...(torn.torn && { torn: torn.torn }) })
    rmSync(place, { recursive: true })
  }
}

await (killed === undefined ? makeAll() : runKilled())
