import { readFileSync } from 'node:fs'
import { uptime } from 'node:os'
import type { Boot } from '../api/files.js'

/** Linux alone has it (random(4)). */
const BOOT_ID = '/proc/sys/kernel/random/boot_id'

/** Undefined where the machine does not tell. */
export function thisBoot(): Boot | undefined {
  try {
    const id = readFileSync(BOOT_ID, 'latin1').trim()
    return id === '' ? undefined : { id, sinceMs: Date.now() - uptime() * 1000 }
  } catch {
    // Another system, or a container that shows nothing of this one.
    return undefined
  }
}
