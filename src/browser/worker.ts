/** The worker that `openBrowser` starts, when it is given no other one. */
import { serveBrowser } from './serve.ts'

serveBrowser()
