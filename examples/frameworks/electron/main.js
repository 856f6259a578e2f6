import { join } from 'node:path'
import { app, BrowserWindow, ipcMain } from 'electron'
import { open } from 'xenondb'
import { notes } from './notes.js'

// A second start shows the window of the first one, and never opens the database.
if (app.requestSingleInstanceLock()) {
  app.on('second-instance', () => BrowserWindow.getAllWindows()[0]?.focus())
  app.on('window-all-closed', () => app.quit())
  // Not `await` here: Electron becomes ready only when this module has been evaluated.
  app.whenReady().then(start)
} else app.quit()

function start() {
  // Where an application may write; its own folder is replaced by updates, and may be read-only (asar).
  const db = open(join(app.getPath('userData'), 'notes'), { valueEncoding: 'json' })
  for (const [channel, run] of Object.entries(notes(db))) ipcMain.handle(channel, (_event, ...given) => run(...given))
  // The last event; windows are closed by then.
  app.on('will-quit', () => db.close())

  const window = new BrowserWindow({ webPreferences: { preload: join(import.meta.dirname, 'preload.cjs') } })
  window.loadFile('index.html')
}
