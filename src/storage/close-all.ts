/**
 * Closing several files: one that fails leaves none of the others open. The first error is thrown when all have been
 * tried.
 */
export const closeAll = (files: Iterable<{ close(): void } | undefined>): void => {
  const errors: unknown[] = []
  for (const file of files) {
    try {
      file?.close()
    } catch (error) {
      errors.push(error)
    }
  }
  if (errors.length > 0) throw errors[0]
}

/** The same where another error is on its way already. */
export const closeAllQuietly = (files: Iterable<{ close(): void } | undefined>): void => {
  try {
    closeAll(files)
  } catch {
    // The other one says more.
  }
}
