import { filePath, secretSource, type Files, type Logger, type Site } from 'mailwright/api'
import { z } from 'zod'
import { mysqlEngine } from './mysql.js'
import { postgresEngine } from './postgres.js'
import { QUERY_WORDS, type SqlEngine } from './query.js'
import { SqliteEngine } from './sqlite.js'

/** Which database; the same for passwords and users. */
export const databaseSettings = {
  engine: z.enum(['sqlite', 'postgres', 'mysql']).default('sqlite').describe('sqlite: a file, through Node (22.13), or through libsqlite3 and the package koffi; postgres: through the package pg; mysql: MySQL or MariaDB, through the package mysql2.'),
  path: filePath().default('users.sqlite').describe('sqlite: the file.'),
  host: z.string().min(1).optional().describe('Name or address of the server, or its socket: a folder of postgres (/run/postgresql without it), a file of mysql (/run/mysqld/mysqld.sock).'),
  port: z.int().min(1).max(65_535).optional().describe('Port of the server; 5432 or 3306 without it.'),
  database: z.string().min(1).default('mail').describe('Name of the database on the server.'),
  user: z.string().min(1).default('mail').describe('Account at the server.'),
  password: secretSource().optional().describe('Its password.'),
  tls: z.enum(['off', 'verify']).default('off').describe('verify: encrypted, and the certificate of the server is checked.'),
  ca: filePath().optional().describe('PEM file of the authority that signed the certificate; without it those of Node.'),
}
const settings = z.object(databaseSettings)
const WHERE = { postgres: { host: '/run/postgresql', port: 5432 }, mysql: { host: '/run/mysqld/mysqld.sock', port: 3306 } } as const

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
  const { host = WHERE[s.engine].host, port = WHERE[s.engine].port } = s
  if (s.tls === 'off' && !host.startsWith('/') && !['localhost', '127.0.0.1', '::1'].includes(host)) site.warn(`passwords come over the network in clear, from ${host}; set "tls: verify"`)
  const server = { ...s, ...more, host, port, password, ca }
  return s.engine === 'mysql' ? await mysqlEngine(server) : await postgresEngine(server, (error) => needs.logger.warn('database connection lost', { host, error }))
}
