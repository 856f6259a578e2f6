/** The worker that `openBrowser` starts, when it is given no other one. */
import { serveBrowser } from './serve.ts'

// Whoever loads it elsewhere, to look at what a package has, is no worker.
if ('WorkerGlobalScope' in globalThis) serveBrowser()
