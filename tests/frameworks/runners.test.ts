/** The examples for Jest, Vitest and Electron. */
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { withDirectory } from '../support/directory.ts'
import { INSTALLING, installed, start, withXenondb } from './support.ts'

/** For a busy machine. */
const PATIENT = '--testTimeout=60000'

const root = fileURLToPath(new URL('../..', import.meta.url))

test('Jest: CommonJS needs no options', INSTALLING, async context => {
  const folder = await installed('jest', context)
  const program = start(
    folder,
    ['node_modules/jest/bin/jest.js', '--selectProjects', 'commonjs', '--no-cache', PATIENT],
    {},
  )
  expect(await program.ended, program.output()).toBe(0)
  expect(program.output()).toMatch(/Tests: +4 passed, 4 total/)
})

test('Jest: ES modules need --experimental-vm-modules', INSTALLING, async context => {
  const folder = await installed('jest', context)
  const args = [
    '--experimental-vm-modules',
    'node_modules/jest/bin/jest.js',
    '--selectProjects',
    'esm',
    '--no-cache',
    PATIENT,
  ]
  const program = start(folder, args, {})
  expect(await program.ended, program.output()).toBe(0)
  expect(program.output()).toMatch(/Tests: +3 passed, 3 total/)
})

test.each(['forks', 'threads'])('Vitest: files at the same time in %s, and fake timers', async pool => {
  const folder = await withXenondb('vitest')
  // The example has the version of Vitest that this repository has.
  const vitest = join(root, 'node_modules/vitest/vitest.mjs')
  const program = start(folder, [vitest, 'run', `--pool=${pool}`, PATIENT], {})
  expect(await program.ended, program.output()).toBe(0)
  expect(program.output()).toMatch(/Test Files +3 passed \(3\)/)
  expect(program.output()).toMatch(/Tests +6 passed \(6\)/)
})

/** A stand-in for `electron`: as much of it as the example calls, and `renderer`, what its page sees. */
const ELECTRON = `
const { EventEmitter } = require('node:events')
const handlers = new Map()
exports.renderer = {}
exports.app = Object.assign(new EventEmitter(), {
  requestSingleInstanceLock: () => process.env.SECOND === undefined,
  whenReady: () => new Promise(resolve => setImmediate(resolve)),
  getPath: name => process.env.PLACE + '/' + name,
  quit: () => setImmediate(() => exports.app.emit('will-quit')),
})
exports.ipcMain = { handle: (channel, run) => handlers.set(channel, run) }
exports.ipcRenderer = {
  // Electron clones what is sent, and tells only the message of an error.
  invoke: async (channel, ...given) => structuredClone(await handlers.get(channel)({}, ...structuredClone(given))),
}
exports.contextBridge = { exposeInMainWorld: (name, api) => { exports.renderer[name] = api } }
exports.BrowserWindow = class {
  static getAllWindows = () => []
  constructor({ webPreferences }) { require(webPreferences.preload) }
  loadFile(name) { exports.app.emit('loaded', name) }
}`

const PAGE = `
import { once } from 'node:events'
import { app, renderer } from 'electron'
app.once('will-quit', () => setImmediate(() => console.log('quit')))
if (process.env.SECOND === undefined) {
  const loaded = once(app, 'loaded')
  await import('./main.js')
  await loaded
  const { notes } = renderer
  await notes.add('first')
  const key = await notes.add('second')
  await notes.add('third')
  await notes.remove(key)
  console.log((await notes.latest()).map(({ text }) => text).join())
  console.log(await notes.add(7).catch(error => error.message))
  app.emit('window-all-closed')
} else await import('./main.js')`

test('Electron: pages ask the main process, which closes the database at the end', () =>
  withDirectory(async directory => {
    const folder = await withXenondb('electron')
    const application = join(directory, 'application')
    cpSync(folder, application, { recursive: true })
    mkdirSync(join(application, 'node_modules/electron'), { recursive: true })
    writeFileSync(join(application, 'node_modules/electron/index.js'), ELECTRON)
    writeFileSync(join(application, 'page.js'), PAGE)
    for (const texts of ['third,first', 'third,first,third,first']) {
      const program = start(application, ['page.js'], { PLACE: directory })
      expect(await program.ended).toBe(0)
      expect(program.output()).toBe(`${texts}\na note is a text of at most 10,000 characters\nquit\n`)
    }
    const second = start(application, ['page.js'], { PLACE: directory, SECOND: 'yes' })
    expect(await second.ended).toBe(0)
    expect(second.output()).toBe('quit\n')
  }))
