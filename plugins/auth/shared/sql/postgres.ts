import type { SqlEngine } from './query.js'
import type { DatabaseServer } from './server.js'

/** PostgreSQL through the package `pg`. Connections are made when they are needed, and again when they were lost. */
export async function postgresEngine(s: DatabaseServer, lost: (error: unknown) => void): Promise<SqlEngine> {
  const { default: pg } = await import('pg')
  const pool = new pg.Pool({
    host: s.host,
    port: s.port,
    database: s.database,
    user: s.user,
    ...(s.password === undefined ? {} : { password: Buffer.from(s.password.reveal()).toString('utf8') }),
    ssl: s.tls === 'off' ? false : { rejectUnauthorized: true, ...(s.ca === undefined ? {} : { ca: s.ca }) },
    max: s.connections,
    connectionTimeoutMillis: s.timeoutMs,
    statement_timeout: s.timeoutMs,
    query_timeout: s.timeoutMs,
    application_name: 'mailwright',
    allowExitOnIdle: true,
  })
  // A connection that was lost while nobody used it.
  pool.on('error', lost)
  return {
    async query(text, values) {
      const { rows } = await pool.query<Record<string, unknown>>(text, [...values])
      return rows
    },
    async [Symbol.asyncDispose]() {
      await pool.end()
    },
  }
}
