import { duration, filePath, type Logger, type Site, type UserDirectory } from 'mailwright/api'
import { z } from 'zod'
import { TokenHook } from './hook.js'

/** `token` of backends that check passwords of a realm (AFS, DCE). */
export const tokenSettings = z
  .strictObject({
    program: filePath().describe('Program of the site; run with the ids of the account. Its last argument is "obtain", with the password on its standard input, or "drop".'),
    arguments: z.array(z.string()).default([]).describe('Arguments before that one.'),
    services: z.array(z.string()).default([]).describe('Services whose sessions get a token, such as [imap]; without it all.'),
    timeout: duration().prefault('10s').describe('A program that takes longer is ended, and the login fails as an outage.'),
    parallel: z.int().min(1).max(64).default(8).describe('Programs at the same time; the others wait.'),
  })
  .optional()
  .describe('A token (AFS, DFS) for the time of the session.')

/** For `refine`: a remembered password gets no token. */
export function tokenOrCache(s: { readonly token?: unknown; readonly cacheFor: number }): boolean {
  return s.token === undefined || s.cacheFor === 0
}
export const TOKEN_OR_CACHE = { path: ['cacheFor'], message: 'a remembered password gets no token: remove one of the two' }

/** The hook of these settings; undefined where there are none. */
export function tokenHook(s: z.output<typeof tokenSettings>, parts: { readonly directories: readonly UserDirectory[]; readonly logger: Logger }, site: Pick<Site, 'resolve'>): TokenHook | undefined {
  if (s === undefined) return undefined
  return new TokenHook({ program: site.resolve(s.program), arguments: s.arguments, services: s.services, timeoutMs: s.timeout, parallel: s.parallel }, parts)
}
