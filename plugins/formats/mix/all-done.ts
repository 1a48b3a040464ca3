/** Waits for all of them, and only then tells of the first failure: nothing is under way any more. */
export async function allDone<T>(work: readonly Promise<T>[]): Promise<T[]> {
  return (await Promise.allSettled(work)).map((result) => {
    if (result.status === 'rejected') throw result.reason
    return result.value
  })
}
