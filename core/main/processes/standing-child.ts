import { compileAhead } from '../first-calls.js'

// Where processes begin that stay as long as the configuration does; those of single users begin in child.ts itself.
compileAhead()
await import('./child.js')
