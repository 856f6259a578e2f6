// Finds a nats-server of at least 2.10.27 for the tests of the cluster, and prints its path. The first that will do of:
// $XENON_NATS_SERVER, the PATH, ~/.cache/xenondb; otherwise it gets the Debian package `nats-server` of the newest suite
// that has one, and unpacks it into ~/.cache/xenondb. The mirror and its key are those of the machine's own sources;
// apt's lists of it lie in a directory of their own, and nothing is installed.
// Ends with 1, and says why, when there is none: the tests then skip. Takes 3 minutes at most. With `--here` it only
// looks, and downloads nothing: that is how the tests find it.
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'

const OLDEST = [2, 10, 27]
/** The newest first. */
const SUITES = ['sid', 'forky', 'trixie']
const deadline = performance.now() + 180_000

const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'xenondb', 'nats-server')
const unpacked = join(cache, 'usr', 'sbin', 'nats-server')
const found = [process.env.XENON_NATS_SERVER, 'nats-server', unpacked].find(path => path !== undefined && willDo(path))
if (found !== undefined) {
  console.log(found)
} else {
  const reason = process.argv.includes('--here') ? 'none is here (without --here this script gets one)' : download()
  if (reason === undefined) console.log(unpacked)
  else {
    console.error(`nats-server: ${reason}; the tests that need it are skipped`)
    process.exitCode = 1
  }
}

/** Whether the program at `path` runs here and is new enough. */
function willDo(path) {
  const { stdout } = spawnSync(path, ['--version'], { encoding: 'utf8', timeout: 10_000 })
  const version = /v(\d+)\.(\d+)\.(\d+)/
    .exec(stdout ?? '')
    ?.slice(1)
    .map(Number)
  if (version === undefined) return false
  const different = version.findIndex((part, at) => part !== OLDEST[at])
  return different < 0 || version[different] > OLDEST[different]
}

/** Returns why there is none, if so. */
function download() {
  if (process.platform !== 'linux') return 'only Debian has it ready'
  const source = debianSource()
  if (source === undefined) return 'the machine has no source of Debian packages'
  const directory = mkdtempSync(join(tmpdir(), 'xenondb-nats-'))
  try {
    // apt fetches as the user _apt, who has to get there.
    chmodSync(directory, 0o755)
    for (const suite of SUITES) if (downloadFrom(suite, source, join(directory, suite))) return undefined
    return `no suite of Debian gave one (${SUITES.join(', ')})`
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function downloadFrom(suite, { uri, signedBy }, directory) {
  for (const part of ['sources', 'lists/partial', 'archives/partial', 'package', 'root'])
    mkdirSync(join(directory, part), { recursive: true })
  writeFileSync(
    join(directory, 'sources', 'debian.sources'),
    `Types: deb\nURIs: ${uri}\nSuites: ${suite}\nComponents: main\n${signedBy === undefined ? '' : `Signed-By: ${signedBy}\n`}`,
  )
  const options = [
    'Dir::Etc::sourcelist=/dev/null',
    `Dir::Etc::sourceparts=${join(directory, 'sources')}`,
    'Dir::Etc::preferences=/dev/null',
    'Dir::Etc::preferencesparts=/dev/null',
    `Dir::State::lists=${join(directory, 'lists')}`,
    `Dir::Cache=${directory}`,
    'APT::Default-Release=',
    'Acquire::Languages=none',
    'Acquire::http::Timeout=20',
    'Acquire::https::Timeout=20',
  ].flatMap(option => ['-o', option])
  const apt = (...args) => run('apt-get', ['-qq', ...options, ...args], join(directory, 'package'))
  if (!apt('update') || !apt('download', 'nats-server')) return false
  const [name] = readdirSync(join(directory, 'package')).filter(file => file.endsWith('.deb'))
  if (name === undefined) return false
  const root = join(directory, 'root')
  if (!run('dpkg', ['-x', join(directory, 'package', name), root], directory)) return false
  // Made whole beside the cache and then renamed, so that no test meets half a program.
  mkdirSync(join(cache, '..'), { recursive: true })
  const made = `${cache}-${process.pid}`
  if (!run('cp', ['-r', root, made], directory)) return false
  rmSync(cache, { recursive: true, force: true })
  renameSync(made, cache)
  const program = ['usr/sbin', 'usr/bin'].map(part => join(cache, part, 'nats-server')).find(path => existsSync(path))
  if (program === undefined) return false
  if (program !== unpacked) {
    mkdirSync(join(unpacked, '..'), { recursive: true })
    renameSync(program, unpacked)
  }
  return willDo(unpacked)
}

/** Runs a program until the deadline at most. Returns whether it succeeded; what it says goes to stderr. */
function run(program, args, cwd) {
  const left = Math.floor(deadline - performance.now())
  if (left <= 0) return false
  const { status } = spawnSync(program, args, { cwd, stdio: ['ignore', 2, 2], timeout: left, killSignal: 'SIGKILL' })
  return status === 0
}

/** The mirror of Debian itself (not of its security updates) that the machine uses, and the key that it trusts it by. */
function debianSource() {
  const parts = '/etc/apt/sources.list.d'
  const names = existsSync(parts) ? readdirSync(parts).map(name => join(parts, name)) : []
  const files = ['/etc/apt/sources.list', ...names].filter(file => existsSync(file))
  return files
    .flatMap(file => {
      if (file.endsWith('.sources')) return stanzasOf(readFileSync(file, 'utf8'))
      return file.endsWith('.list') ? linesOf(readFileSync(file, 'utf8')) : []
    })
    .find(({ uri, components }) => /\/debian\/?$/.test(uri ?? '') && components.includes('main'))
}

function stanzasOf(text) {
  const plain = text.replace(/^#.*\n?/gm, '')
  return plain.split(/\n\s*\n/).map(stanza => {
    const field = name => new RegExp(`^${name}:[ \\t]*((?:.*)(?:\\n[ \\t].*)*)`, 'mi').exec(stanza)?.[1]?.trimEnd()
    return {
      uri: field('URIs')?.trim().split(/\s+/)[0],
      components: field('Components')?.trim().split(/\s+/) ?? [],
      signedBy: field('Signed-By'),
    }
  })
}

function linesOf(text) {
  return [...text.matchAll(/^deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+\S+\s+(.*)$/gm)].map(([, options, uri, components]) => ({
    uri,
    components: components.trim().split(/\s+/),
    signedBy: /signed-by=(\S+)/.exec(options ?? '')?.[1],
  }))
}
