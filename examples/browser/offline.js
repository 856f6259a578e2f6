// A service worker: gives the page its files when there is no network.
const FILES = ['.', 'page.js', 'worker.js']

addEventListener('install', event => {
  event.waitUntil(caches.open('to-do').then(cache => cache.addAll(FILES)))
  skipWaiting()
})

addEventListener('activate', event => event.waitUntil(clients.claim()))

addEventListener('fetch', event => {
  const answer = async () => {
    try {
      const response = await fetch(event.request)
      const cache = await caches.open('to-do')
      if (response.ok && event.request.method === 'GET') await cache.put(event.request, response.clone())
      return response
    } catch (error) {
      const kept = await caches.match(event.request)
      if (kept === undefined) throw error
      return kept
    }
  }
  event.respondWith(answer())
})
