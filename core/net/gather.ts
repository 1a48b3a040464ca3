/** Chunks below this are copied together; above it a copy costs more than one more vector of the write. */
const COPY_BELOW_OCTETS = 8 * 1024
/** As a whole, a turn this small is copied into one buffer. */
const ONE_BUFFER_OCTETS = 64 * 1024

/**
 * The same octets in few pieces: a reply is dozens of small chunks, and each costs a vector of the system call
 * and a slot in the stream's queue, while a literal should not be copied again.
 */
export function gather(chunks: readonly Uint8Array[], octets: number): readonly Uint8Array[] {
  if (chunks.length <= 1) return chunks
  if (octets <= ONE_BUFFER_OCTETS) return [joined(chunks, octets)]
  const pieces: Uint8Array[] = []
  let run: Uint8Array[] = []
  let runOctets = 0
  const endRun = (): void => {
    const [only] = run
    if (run.length === 1 && only !== undefined) pieces.push(only)
    else if (run.length > 1) pieces.push(joined(run, runOctets))
    run = []
    runOctets = 0
  }
  for (const chunk of chunks) {
    if (chunk.length >= COPY_BELOW_OCTETS) {
      endRun()
      pieces.push(chunk)
    } else {
      run.push(chunk)
      runOctets += chunk.length
    }
  }
  endRun()
  return pieces
}

function joined(chunks: readonly Uint8Array[], octets: number): Uint8Array {
  const all = Buffer.allocUnsafe(octets)
  let at = 0
  for (const chunk of chunks) {
    all.set(chunk, at)
    at += chunk.length
  }
  return all
}
