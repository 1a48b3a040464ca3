import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

// `import`, `require` and `default` go without saying. Named here they would also hold for require() inside packages, which then get the
// ESM half of others (pg and pg-pool).
const conditions = ['mailwright-source', 'node']

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
    include: ['test/**/*.test.ts', 'plugins/contrib/*/test/*.test.js'],
    exclude: ['**/node_modules/**', 'dist/**', 'var/**'],
    globalSetup: ['test/support/certificate-setup.ts'],
    setupFiles: ['reflect-metadata'],
    // Tests wait for processes and disks as much as they compute: two files at a time are worth it on the smallest machine too.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
})
