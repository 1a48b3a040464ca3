import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

// `import`, `require` and `default` go without saying. Named here they would also hold for require() inside packages, which then get the
// ESM half of others (pg and pg-pool).
const conditions = ['mailwright-source', 'node']

const tests = ['test/**/*.test.ts', 'plugins/contrib/*/test/*.test.js']
const never = ['**/node_modules/**', 'dist/**', 'var/**']
/**
 * Files that leave nothing behind in their process follow each other in one, which has loaded nearly all that the next one wants: they take two thirds
 * of the time. Those that change what belongs to a whole process (environment, signals, rights) or measure one have a process each.
 */
const inOneProcess = ['protocol', ...['api', 'config', 'drivers', 'imapd', 'mail', 'mime', 'pop3d', 'session', 'wire'].map((f) => `unit/${f}`)].map((folder) => `test/${folder}/**/*.test.ts`)

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  // Packages of their own (plugins/contrib) do not see this one as theirs.
  resolve: {
    conditions,
    alias: [
      { find: /^mailwright\/api$/, replacement: fileURLToPath(new URL('../core/api/index.ts', import.meta.url)) },
      { find: /^mailwright\/testing$/, replacement: fileURLToPath(new URL('../core/testing/index.ts', import.meta.url)) },
      { find: /^mailwright\/toolkit$/, replacement: fileURLToPath(new URL('../core/wire/toolkit.ts', import.meta.url)) },
    ],
  },
  ssr: { resolve: { conditions } },
  test: {
    // Short ones first, so that no processor waits for the end of a long one before the others begin.
    projects: [
      { extends: true, test: { name: 'in one process', include: inOneProcess, exclude: never, isolate: false, sequence: { groupOrder: 0 } } },
      { extends: true, test: { name: 'in their own', include: tests, exclude: [...never, ...inOneProcess], sequence: { groupOrder: 1 } } },
    ],
    globalSetup: ['test/support/certificate-setup.ts'],
    setupFiles: ['reflect-metadata'],
    // Tests wait for processes and disks as much as they compute: two files at a time are worth it on the smallest machine too.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
})
