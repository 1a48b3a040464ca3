import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { files, project, sourcesIn } from './sources.js'

const code = sourcesIn('core', 'plugins', 'config')
const tests = sourcesIn('test')

/** Words in capitals that are no error codes of ours: environment variables, Node's codes, names of formats. */
const OTHER_WORDS = new Set([
  'ERR_MODULE_NOT_FOUND',
  'ERR_UNKNOWN_BUILTIN_MODULE',
  'JOURNAL_STREAM',
  'LISTEN_FDNAMES',
  'LISTEN_FDS',
  'LISTEN_PID',
  'MISSING_MAILBOX_TERMINATOR',
  'MISSING_PARAMETER_VALUE',
  'MODULE_NOT_FOUND',
  'NODE_CHANNEL_FD',
  'NOTIFY_SOCKET',
  'NO_COLOR',
  'RUNTIME_DIRECTORY',
  'SHIFT_JIS',
  'SSH_CLIENT',
  'UV_USE_IO_URING',
  'XDG_RUNTIME_DIR',
  'XDG_STATE_HOME',
])

describe('references', () => {
  test('every error code in the code is explained in docs/reference/errors.md, and every one there exists', () => {
    const used = new Set(code.flatMap((s) => [...s.text.matchAll(/'([A-Z]{2,8}_[A-Z][A-Z0-9_]+)'/g)].map((m) => m[1] ?? '')).filter((word) => !OTHER_WORDS.has(word)))
    const text = readFileSync(join(project, 'docs/reference/errors.md'), 'utf8')
    const rows = [...text.matchAll(/^\| `([A-Z][A-Z0-9_]+)` \|/gm)].map((m) => m[1] ?? '')
    expect(rows).toEqual([...new Set(rows)].toSorted())
    expect({ unexplained: [...used].filter((c) => !rows.includes(c)).toSorted(), unused: rows.filter((c) => !used.has(c)) }).toEqual({ unexplained: [], unused: [] })
  })

  test('every RFC that is cited has a row in docs/rfc/index.md, and the section exists', () => {
    const index = readFileSync(join(project, 'docs/rfc/index.md'), 'utf8')
    const rows = new Set([...index.matchAll(/^\| RFC (\d+) \|/gm)].map((m) => m[1]))
    const sections = JSON.parse(readFileSync(join(project, 'docs/rfc/sections.json'), 'utf8')) as Record<string, string | undefined>
    const wrong = [...code, ...tests].flatMap((s) =>
      [...s.text.matchAll(/RFC (\d+)(?: §((?:\d+|[A-Z])(?:\.\d+)*))?/g)].flatMap(([all, number, section]) => {
        if (!rows.has(number)) return [`${s.path}: ${all}: no row`]
        if (section === undefined || sections[number ?? '']?.split(' ').includes(section) === true) return []
        return [`${s.path}: ${all}: no such section`]
      }),
    )
    expect([...new Set(wrong)]).toEqual([])
  })

  test('no test is run alone', () => {
    const alone = new RegExp(`\\b(?:test|it|describe|suite)(?:\\.\\w+)*\\.${'only'}\\b`)
    expect(tests.filter((s) => alone.test(s.text)).map((s) => s.path)).toEqual([])
  })

  test('file names are words joined by hyphens', () => {
    const names = ['core', 'plugins', 'config', 'test'].flatMap((folder) => files(join(project, folder))).map((path) => path.slice(path.lastIndexOf('/') + 1))
    expect(names.filter((name) => !/^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.(?:test|config|d))?\.ts$/.test(name))).toEqual([])
  })
})
