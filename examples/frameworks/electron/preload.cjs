const { contextBridge, ipcRenderer } = require('electron')

contextBridge.exposeInMainWorld('notes', {
  add: text => ipcRenderer.invoke('notes:add', text),
  latest: () => ipcRenderer.invoke('notes:latest'),
  remove: key => ipcRenderer.invoke('notes:remove', key),
})
