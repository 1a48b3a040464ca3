import { filePath, secretSource, type Files, type Logger, type Site } from 'mailwright/api'
import { z } from 'zod'
import { postgresEngine } from './postgres.js'
import { QUERY_WORDS, type SqlEngine } from './query.js'
import { SqliteEngine } from './sqlite.js'

/** Which database; the same for passwords and users. */
export const databaseSettings = {
  engine: z.enum(['sqlite', 'postgres']).default('sqlite').describe('sqlite: a file, through Node (22.13) or the package node-sqlite3-wasm; postgres: through the package pg.'),
  path: filePath().default('users.sqlite').describe('sqlite: the file.'),
  host: z.string().min(1).default('/run/postgresql').describe('postgres: name, address, or folder of the socket.'),
  port: z.int().min(1).max(65_535).default(5432).describe('postgres: port.'),
  database: z.string().min(1).default('mail').describe('postgres: name of the database.'),
  user: z.string().min(1).default('mail').describe('postgres: account.'),
  password: secretSource().optional().describe('postgres: its password.'),
  tls: z.enum(['off', 'verify']).default('off').describe('postgres: verify encrypts, and checks the certificate.'),
  ca: filePath().optional().describe('postgres: PEM file of the authority that signed the certificate; without it those of Node.'),
}
const settings = z.object(databaseSettings)

/** A query whose words in braces are known. */
export function queryText(...more: readonly string[]): z.ZodString {
  const known = new Set<string>([...QUERY_WORDS, ...more])
  return z.string().min(1).refine((text) => [...text.matchAll(/\{(\w+)\}/g)].every(([, word = '']) => known.has(word)), `only ${[...known].map((w) => `{${w}}`).join(', ')} may stand in this query`)
}

/** Opens nothing yet: the first query does. */
export async function engineOf(s: z.output<typeof settings>, more: { readonly timeoutMs: number; readonly connections: number }, needs: { readonly files: Files; readonly logger: Logger }, site: Site): Promise<SqlEngine> {
  if (s.engine === 'sqlite') {
    const path = site.resolve(s.path)
    return new SqliteEngine(path, more.timeoutMs, async () => (await needs.files.stat(path)) !== undefined)
  }
  const password = s.password === undefined ? undefined : await site.secret(s.password)
  const ca = s.ca === undefined ? undefined : Buffer.from((await site.secret({ file: site.resolve(s.ca) })).reveal()).toString('utf8')
  if (s.tls === 'off' && !s.host.startsWith('/') && !['localhost', '127.0.0.1', '::1'].includes(s.host)) site.warn(`passwords come over the network in clear, from ${s.host}; set "tls: verify"`)
  return await postgresEngine({ ...s, ...more, password, ca }, (error) => needs.logger.warn('database connection lost', { host: s.host, error }))
}
