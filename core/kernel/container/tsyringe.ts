import { createRequire } from 'node:module'

// Required, not imported, as all CommonJS packages that a start needs (docs/design/0023).
const require = createRequire(import.meta.url)
// It keeps what decorators say in the metadata of classes, for which there must be a place first.
require('reflect-metadata')

/** The container. */
export const { container, inject, injectable } = require('tsyringe') as typeof import('tsyringe')
