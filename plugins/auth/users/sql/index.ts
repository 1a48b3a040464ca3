import { definePlugin, FILES, LOGGER, userDirectories, type Closing, type UserDirectory } from 'mailwright/api'
import { z } from 'zod'
import { accountOf } from '../../shared/account-fields.js'
import { remoteSettings } from '../../shared/remote-settings.js'
import { prepare, queryValues, textOf } from '../../shared/sql/query.js'
import { databaseSettings, engineOf, queryText } from '../../shared/sql/settings.js'
import { CallLimit, withinTime } from '../../shared/time-limit.js'

const OWN_COLUMNS: ReadonlySet<string> = new Set(['name', 'home', 'uid', 'gid'])

/** Accounts in a database. */
export default definePlugin({
  id: 'users-sql',
  api: '1.0',
  summary: 'Accounts in a database: SQLite, PostgreSQL or MySQL',
  setup(p) {
    p.to(userDirectories).contribute({
      name: 'sql',
      settings: z.strictObject({
        ...databaseSettings,
        userQuery: queryText().default('SELECT name, home, uid, gid FROM users WHERE name = {user}').describe('Gives at most one row: "name", "home", perhaps "uid" and "gid"; further columns are facts of the account. Words in braces are values: {user}, {local}, {domain}.'),
        timeout: remoteSettings.timeout,
        parallel: remoteSettings.parallel,
      }),
      needs: { files: FILES, logger: LOGGER },
      async create(s, needs, site): Promise<Closing<UserDirectory>> {
        const engine = await engineOf(s, { timeoutMs: s.timeout, connections: s.parallel }, needs, site)
        const { text, names } = prepare(s.userQuery, s.engine)
        const turns = new CallLimit(s.parallel)
        return {
          find: (user, signal) =>
            withinTime('database', s.timeout, signal, async (both) => {
              const values = queryValues(user)
              const rows = await turns.run(both, () => engine.query(text, names.map((name) => values[name] ?? ''), both))
              const [row] = rows
              if (rows.length > 1) throw new Error(`the user query gives ${rows.length} rows for one user`)
              if (row === undefined) return undefined
              const facts = Object.fromEntries(Object.keys(row).flatMap((column) => (OWN_COLUMNS.has(column) || textOf(row, column) === undefined ? [] : [[column, textOf(row, column) ?? '']])))
              return accountOf({ name: textOf(row, 'name') ?? user, home: textOf(row, 'home'), uid: textOf(row, 'uid'), gid: textOf(row, 'gid'), facts })
            }),
          [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
        }
      },
    })
  },
})
