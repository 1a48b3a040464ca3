import type { Row, SqlEngine } from './query.js'
import type { DatabaseServer } from './server.js'

/** MySQL and MariaDB through the package `mysql2`. Connections are made when they are needed, and again when they were lost. */
export async function mysqlEngine(s: DatabaseServer): Promise<SqlEngine> {
  const { createPool } = await import('mysql2/promise')
  const pool = createPool({
    ...(s.host.startsWith('/') ? { socketPath: s.host } : { host: s.host, port: s.port }),
    database: s.database,
    user: s.user,
    ...(s.password === undefined ? {} : { password: Buffer.from(s.password.reveal()).toString('utf8') }),
    ...(s.tls === 'off' ? {} : { ssl: { rejectUnauthorized: true, verifyIdentity: true, ...(s.ca === undefined ? {} : { ca: s.ca }) } }),
    connectionLimit: s.connections,
    connectTimeout: s.timeoutMs,
    // Numbers that a double cannot hold come as text.
    supportBigNumbers: true,
  })
  return {
    async query(sql, values) {
      // Comparisons there leave spaces at the end out, so that "alice " would be another spelling of alice.
      if (values.some((value) => value.endsWith(' '))) return []
      // Prepared on the server: values never become part of the text. After the time limit the connection is given up.
      const [rows] = await pool.execute({ sql, values: [...values], timeout: s.timeoutMs })
      return Array.isArray(rows) ? (rows as Readonly<Record<string, unknown>>[]).map(lowerCase) : []
    },
    async [Symbol.asyncDispose]() {
      await pool.end()
    },
  }
}

/** Columns come as the query spells them. */
function lowerCase(row: Readonly<Record<string, unknown>>): Row {
  return Object.fromEntries(Object.entries(row).map(([column, value]) => [column.toLowerCase(), value]))
}
