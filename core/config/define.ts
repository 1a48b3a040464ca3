import type { z } from 'zod'
import type { listenerSection } from './schema/listeners.js'
import type { hostSections, processSections } from './schema/sections.js'

/** A choice: a name, or a name with settings. */
export type ChoiceInput = string | { readonly use: string; readonly optional?: boolean; readonly [setting: string]: unknown }
type Choices = ChoiceInput | readonly ChoiceInput[]
type SectionsInput<T> = { readonly [K in keyof T]?: T[K] extends z.ZodType ? z.input<T[K]> & { readonly [place: string]: unknown } : never }

/** One host as it is written. */
export interface HostInput extends SectionsInput<typeof hostSections> {
  readonly protocols?: Choices
  readonly namespaces?: Choices
  readonly subscriptions?: ChoiceInput
  readonly sidecars?: ChoiceInput
  readonly layers?: Choices
  readonly policies?: Choices
  readonly workarounds?: Choices
  /** Places that plugins bring. */
  readonly [place: string]: unknown
}
/** A whole configuration as it is written. */
export interface ConfigInput extends SectionsInput<typeof processSections> {
  readonly version?: 1
  readonly plugins?: readonly (string | { readonly use: string; readonly optional?: boolean })[]
  readonly log?: Choices
  readonly listeners?: Readonly<Record<string, z.input<typeof listenerSection>>>
  readonly hosts?: Readonly<Record<string, HostInput>>
  /** Places that plugins bring. */
  readonly [place: string]: unknown
}

/** For `mailwright.config.ts`: gives the editor the types and returns what it was given. */
export function defineConfig(config: ConfigInput): ConfigInput {
  return config
}
