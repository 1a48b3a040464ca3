import { z } from 'zod'
import type { Settings } from '../../api/kernel.js'

/** A contribution as far as files and schemas describe it. */
export interface Choice {
  readonly point: { readonly id: string; readonly pick: 'one' | 'ordered' | 'all'; readonly slot: string }
  readonly name: string
  readonly plugin: string
  readonly summary: string
  readonly settings: Settings<unknown>
  readonly core: boolean
}

/** The object schema behind a plugin's settings, where the plugin wrote it with zod; other schemas tell nothing of their inside. */
export function objectSchema(settings: Settings<unknown>): z.ZodObject | undefined {
  return settings instanceof z.ZodObject ? settings : undefined
}
