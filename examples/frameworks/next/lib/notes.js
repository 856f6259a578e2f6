import { open } from 'xenondb'

/**
 * The one handle of this process. Next evaluates this module once for pages, once for routes and again after each
 * change, so the handle is kept on globalThis; and it is opened by the first request, not when the module is loaded,
 * since `next build` loads the modules of all routes, in several processes.
 */
const shared = globalThis

export const notes = () => {
  shared.notes ??= open(process.env.DATABASE ?? 'data', { valueEncoding: 'json', lockWait: 5_000 })
  return shared.notes
}
