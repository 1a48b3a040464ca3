import { createToken } from '../api/index.js'
import type { SegmentPool } from './cache/fact-store.js'
import type { SourceRegistry } from './registry/registry.js'

/** The mailboxes that this process has open, shared by all hosts and reloads. */
export const MAIL_REGISTRY = createToken<SourceRegistry>('mail.registry').in('process', ['mail'])
/** Bounds the facts that all mailboxes keep in memory. */
export const FACT_MEMORY = createToken<SegmentPool>('mail.fact-memory').in('process', ['mail'])
