import v8 from 'node:v8'

/** So many octets may come and go between two collections of the whole heap. */
const ROOM = 64 << 20
/** A heap that is much larger than that is V8's own business: what it allows then is more. */
const LEAST_PERCENT = 50
const MOST_PERCENT = 400
const LOOK_MS = 10_000

/**
 * V8 collects the whole heap when it has grown by some part of what was left the last time. It counts buffers too, and buffers are what mail passes
 * through: a heap of 25 MiB was collected for every 10 to 20 MiB of mail, at 20 to 40 ms of processor each. Here a small heap has room for more.
 */
export function giveHeapRoom(): void {
  let given = 0
  const look = (): void => {
    const percent = growingPercent(v8.getHeapStatistics().used_heap_size)
    if (percent === given) return
    given = percent
    v8.setFlagsFromString(`--heap-growing-percent=${percent}`)
  }
  look()
  setInterval(look, LOOK_MS).unref()
}

/** How much a heap may grow until it is collected, of what it has; 0: as V8 sees fit. In steps, so that a heap that breathes changes little. */
export function growingPercent(usedOctets: number): number {
  const percent = Math.round((10 * ROOM) / Math.max(1, usedOctets)) * 10
  return percent < LEAST_PERCENT ? 0 : Math.min(MOST_PERCENT, percent)
}
