/** Says which step ran out of time. */
class DeadlineError extends Error {
  override readonly name = 'DeadlineError'
}

/**
 * What `run` makes, or a rejection when it takes longer than `ms`. Should it arrive after all, `late` gets it, so that
 * nothing stays open that nobody holds.
 */
export async function withDeadline<T>(what: string, ms: number, run: () => T | Promise<T>, late: (value: T) => void = () => undefined): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  let expired = false
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      expired = true
      reject(new DeadlineError(`${what} took longer than ${ms} ms`))
    }, ms)
  })
  const work = (async () => run())()
  work.then(
    (value) => {
      if (expired) late(value)
    },
    // The race below hears the rejection; after the deadline nobody wants it.
    () => undefined,
  )
  try {
    return await Promise.race([work, deadline])
  } finally {
    clearTimeout(timer)
  }
}
