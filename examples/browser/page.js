// A to-do list that lies in the browser, and is the same in all its tabs: `npm run example:browser`, and open the page
// twice. Without a network it works as before. The script of the worker is looked for beside this one.
import { deleteDatabase, importDatabase, openBrowser } from 'xenondb/browser'

const NAME = 'to-do'

const form = document.querySelector('form')
const list = document.querySelector('ul')
const status = document.querySelector('output')

const opened = () => openBrowser(NAME, { valueEncoding: 'json' })
let tasks = await opened()

/** The whole list, in the order in which it was written. Called again when another tab has changed something. */
async function show() {
  const items = []
  for await (const [key, { title, isDone }] of tasks.entries('task:')) items.push(itemOf(key, title, isDone))
  list.replaceChildren(...items)
  const place = tasks.persistent ? 'kept in this browser' : 'in memory only: this browser keeps nothing'
  const role = tasks.role === 'owner' ? 'this tab has the database' : 'another tab has the database'
  status.textContent = `${items.length} tasks, ${place}; ${role}`
}

function itemOf(key, title, isDone) {
  const item = document.createElement('li')
  const box = document.createElement('input')
  const text = document.createElement('span')
  const remove = document.createElement('button')
  item.className = isDone ? 'done' : ''
  box.type = 'checkbox'
  box.checked = isDone
  text.textContent = title
  remove.textContent = 'Remove'
  box.onchange = () => tasks.put(key, { title, isDone: box.checked })
  remove.onclick = () => tasks.delete(key)
  item.append(box, text, remove)
  return item
}

/** Shows each change, from whatever tab. When the tab that has the database goes, changes may be missed: so all again. */
async function follow() {
  for (;;)
    try {
      const changes = await tasks.watch('task:')
      await show()
      for await (const _ of changes) await show()
      return
    } catch (error) {
      if (error.code === 'XENON_CLOSED') return
      console.info(`${error.message}; looking again`)
    }
}

form.onsubmit = async event => {
  event.preventDefault()
  const title = form.elements.title.value
  form.reset()
  // Two tabs may add at once: the number is taken in a transaction.
  await tasks.transact(async tx => {
    const number = ((await tx.get('last number')) ?? 0) + 1
    await tx.put('last number', number)
    await tx.put(`task:${String(number).padStart(9, '0')}`, { title, isDone: false })
  })
}

document.querySelector('#export').onclick = async () => {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(await tasks.exportFile())
  link.download = `${NAME}.tar`
  link.click()
  URL.revokeObjectURL(link.href)
}

// In Node the same file is `restore('to-do.tar', 'to-do')`.
document.querySelector('#import').onchange = async ({ target }) => {
  const [file] = target.files
  if (file === undefined || !confirm('Replace the list?')) return
  try {
    await tasks.close()
    await deleteDatabase(NAME)
    await importDatabase(NAME, file)
  } catch (error) {
    alert(error.code === 'XENON_LOCKED' ? 'Close the other tabs first.' : error.message)
  }
  target.value = ''
  tasks = await opened()
  void follow()
}

for (const event of ['owner', 'lost']) tasks.on(event, show)
if (tasks.persistent) void tasks.requestPersistence()
// So that the page itself is there without a network.
void navigator.serviceWorker?.register('offline.js')
void follow()
Object.assign(window, { isReady: true })
