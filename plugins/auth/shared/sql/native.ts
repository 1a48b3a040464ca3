/**
 * The thread in which a database of SQLite is: its calls wait, and nothing outside may. Plain JavaScript, because it is started from text.
 * Node's own engine (22.13 and newer), or the library of the system through koffi: both have the locks that other programs see, and WAL.
 *
 * Messages in: `{ id, text, values }` for a query, `{ id }` for the end; out: `{ id, rows }` or `{ id, error, code }`.
 */
export const SQLITE_THREAD = `
const { parentPort, workerData } = require('node:worker_threads')
const { createRequire } = require('node:module')

const openers = {
  'node:sqlite'() {
    const { DatabaseSync } = require('node:sqlite')
    const db = new DatabaseSync(workerData.path)
    db.exec('PRAGMA busy_timeout = ' + workerData.busyMs)
    return { all: (text, values) => db.prepare(text).all(...values), close: () => db.close() }
  },

  libsqlite3() {
    const koffi = createRequire(workerData.from)('koffi')
    let library
    try { library = koffi.load('libsqlite3.so.0') } catch (error) { throw Object.assign(error, { code: 'MODULE_NOT_FOUND' }) }
    const call = {}
    for (const [name, declaration] of Object.entries({
      open: 'int sqlite3_open_v2(const char *path, _Out_ void **db, int flags, void *vfs)',
      close: 'int sqlite3_close_v2(void *db)',
      wait: 'int sqlite3_busy_timeout(void *db, int ms)',
      said: 'const char *sqlite3_errmsg(void *db)',
      prepare: 'int sqlite3_prepare_v2(void *db, const char *text, int octets, _Out_ void **statement, void *tail)',
      bind: 'int sqlite3_bind_text(void *statement, int at, const void *text, int octets, intptr_t destructor)',
      step: 'int sqlite3_step(void *statement)',
      finalize: 'int sqlite3_finalize(void *statement)',
      columns: 'int sqlite3_column_count(void *statement)',
      name: 'const char *sqlite3_column_name(void *statement, int at)',
      type: 'int sqlite3_column_type(void *statement, int at)',
      integer: 'int64_t sqlite3_column_int64(void *statement, int at)',
      double: 'double sqlite3_column_double(void *statement, int at)',
      octets: 'int sqlite3_column_bytes(void *statement, int at)',
      blob: 'const void *sqlite3_column_blob(void *statement, int at)',
    })) call[name] = library.func(declaration)
    const OK = 0, ROW = 100, DONE = 101, READ_WRITE = 2, COPIED = -1
    const bytes = (statement, at) => {
      const count = call.octets(statement, at)
      return count === 0 ? new Uint8Array(0) : Uint8Array.from(koffi.decode(call.blob(statement, at), 'uint8_t', count))
    }
    // By the code of the type: integer, float, text, blob, NULL.
    const values = [undefined, (s, at) => call.integer(s, at), (s, at) => call.double(s, at), (s, at) => Buffer.from(bytes(s, at)).toString('utf8'), bytes, () => null]
    const out = [null]
    const opened = call.open(workerData.path, out, READ_WRITE, null)
    const db = out[0]
    if (opened !== OK) {
      const why = db === null ? 'code ' + opened : call.said(db)
      if (db !== null) call.close(db)
      throw new Error(why)
    }
    call.wait(db, workerData.busyMs)
    const must = (code, ...good) => {
      if (!good.includes(code)) throw new Error(call.said(db))
      return code
    }
    return {
      all(text, given) {
        const made = [null]
        must(call.prepare(db, text, -1, made, null), OK)
        const statement = made[0]
        try {
          given.forEach((value, at) => {
            const octets = Buffer.from(value)
            // An empty text is a text, but the address of nothing would be NULL.
            must(call.bind(statement, at + 1, octets.length === 0 ? Buffer.alloc(1) : octets, octets.length, COPIED), OK)
          })
          const names = Array.from({ length: call.columns(statement) }, (_, at) => call.name(statement, at))
          const rows = []
          while (must(call.step(statement), ROW, DONE) === ROW) rows.push(Object.fromEntries(names.map((name, at) => [name, values[call.type(statement, at)](statement, at)])))
          return rows
        } finally {
          call.finalize(statement)
        }
      },
      close: () => call.close(db),
    }
  },
}

function open() {
  let missing
  for (const library of workerData.libraries) {
    try { return openers[library]() }
    catch (error) {
      if (error.code !== 'MODULE_NOT_FOUND' && error.code !== 'ERR_UNKNOWN_BUILTIN_MODULE') throw error
      missing = error
    }
  }
  throw Object.assign(missing ?? new Error('no engine'), { code: 'MODULE_NOT_FOUND' })
}

let db
parentPort.on('message', ({ id, text, values }) => {
  try {
    if (text === undefined) { db?.close(); parentPort.postMessage({ id, rows: [] }); parentPort.close(); return }
    db ??= open()
    parentPort.postMessage({ id, rows: db.all(text, values).map((row) => ({ ...row })) })
  } catch (error) {
    parentPort.postMessage({ id, error: String(error && error.message || error), code: error && error.code })
  }
})
`
