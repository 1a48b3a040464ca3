import v8 from 'node:v8'

// The first calls of a function are dear: V8 compiles it when it is first called, and notes what it works with only some calls later. A client pays that
// after a restart.

/**
 * Modules that are loaded from now on are compiled whole. A start takes some 100 ms more of a processor, and the first login and SELECT half of what they
 * did; for processes that stay.
 */
export function compileAhead(): void {
  v8.setFlagsFromString('--no-lazy')
}

/** From now on a function is learned from as of its first call. Not while a server starts, when most functions run once. */
export function learnFromFirstCalls(): void {
  v8.setFlagsFromString('--no-lazy-feedback-allocation')
}

/**
 * From now on a function that is called often takes less of those that it calls into itself when it is compiled anew (octets of bytecode; 920 by default).
 * A burst of work in a young process, such as a first FETCH of thousands of messages, has a hundred functions compiled while the client waits, on the
 * processor that would answer it: a quarter of that time goes, and what has been compiled is as fast (docs/design/0018).
 */
export function compileInSmallPieces(): void {
  v8.setFlagsFromString('--max-inlined-bytecode-size-cumulative=300')
}
